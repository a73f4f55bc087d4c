// The independent count: events per (session, window), computed while they are published.
//
// It shares no code with the engine. Rows are sorted lines `session,window_start_ms,window_end_ms,count`.
#ifndef PENSTOCK_EXAMPLES_TOOLS_EVENTS_ORACLE_H_
#define PENSTOCK_EXAMPLES_TOOLS_EVENTS_ORACLE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "examples/tools/events/generator.h"

namespace penstock::events {

class Oracle {
 public:
  explicit Oracle(const GeneratorOptions& options);

  void Count(const Event& event);
  int64_t rows() const;
  absl::Status WriteTo(const std::string& path) const;
  std::vector<std::string> Rows() const;

 private:
  template <class Visit>
  void ForEachRow(const Visit& visit) const;

  const GeneratorOptions options_;
  std::vector<uint32_t> counts_;  // by session, then window
};

// Order does not matter to it: the sum of the rows' hashes.
class Checksum {
 public:
  void Add(std::string_view row);
  uint64_t value() const { return sum_; }

 private:
  uint64_t sum_ = 0;
};

}  // namespace penstock::events

#endif  // PENSTOCK_EXAMPLES_TOOLS_EVENTS_ORACLE_H_
