// The job's own arguments: `penstock run ./job -- --brokers localhost:9092 --dry-run`.
//
// `--name value`, `--name=value` and `--flag` are understood. Asking for a required argument that is missing records an
// error and gives "": the plan is then refused with the list of all that is missing, and of all that was given and
// never asked for. Owner: the function that builds the graph; read-only.
#ifndef PENSTOCK_ARGS_H_
#define PENSTOCK_ARGS_H_

#include <cstdint>
#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace penstock {

class Args {
 public:
  explicit Args(const std::vector<std::string>& arguments);

  // Required.
  std::string operator[](std::string_view name) const;
  // Optional.
  std::string get(std::string_view name, std::string_view otherwise) const;
  int64_t get_int(std::string_view name, int64_t otherwise) const;
  // One of the choices; anything else is an error that lists them.
  std::string get_choice(std::string_view name, std::string_view otherwise,
                         std::initializer_list<std::string_view> choices) const;
  bool has(std::string_view name) const;

  // What was asked for in vain, or could not be understood, or was never asked for. Call it when the graph is built.
  std::vector<std::string> errors() const;

 private:
  const std::string* Find(std::string_view name) const;

  std::map<std::string, std::string, std::less<>> values_;
  mutable std::set<std::string, std::less<>> asked_;
  mutable std::vector<std::string> errors_;
};

}  // namespace penstock

#endif  // PENSTOCK_ARGS_H_
