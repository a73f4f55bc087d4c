// Configuration of every process: one YAML file, PENSTOCK_* environment variables, -Dkey=value; later ones win.
//
// A key is known to the table in config_keys.cc (name, type, default, one line of help, Flink's name if it has one) or
// refused with the nearest known key. PENSTOCK_REST_PORT stands for rest.port. Values are checked for type when
// loaded, so getters never fail. Immutable after Load; copyable; thread-safe to read.
#ifndef PENSTOCK_RUNTIME_CORE_CONFIG_H_
#define PENSTOCK_RUNTIME_CORE_CONFIG_H_

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace penstock {

enum class ConfigType { kString, kInt, kBool, kDurationMs, kBytes, kDouble };

struct ConfigKey {
  std::string_view name;
  ConfigType type;
  std::string_view default_value;
  std::string_view help;
  // Bounds of kInt, kDurationMs and kBytes values.
  int64_t min = 0;
  int64_t max = std::numeric_limits<int64_t>::max();
  std::string_view choices = {};  // kString only: "a|b|c"; empty: anything
  bool secret = false;            // never shown, by nobody
};

// Every known key, by name. The generated reference page is made from it.
const std::vector<ConfigKey>& ConfigKeys();
const ConfigKey* FindConfigKey(std::string_view name);  // null when there is none
// The known key with the smallest edit distance.
std::string_view NearestConfigKey(std::string_view name);
// "PENSTOCK_REST_PORT" for rest.port.
std::string EnvironmentNameOf(std::string_view key);
// "duration", "size", "integer", ...
std::string_view ConfigTypeName(ConfigType type);

struct ConfigSources {
  std::string file;                                            // path; empty: none. A missing file is an error
  std::map<std::string, std::string> environment;              // PENSTOCK_* only are looked at
  std::vector<std::pair<std::string, std::string>> overrides;  // -Dkey=value in order
};

// The PENSTOCK_* variables of this process.
std::map<std::string, std::string> PenstockEnvironment();

class Config {
 public:
  Config() = default;  // defaults only
  // InvalidArgument names the key, the source it came from and what to write instead.
  static absl::StatusOr<Config> Load(const ConfigSources& sources);

  // REQUIRES: name is a known key of the matching type (checked: a wrong name is a programming error and aborts).
  std::string GetString(std::string_view name) const;
  int64_t GetInt(std::string_view name) const;
  bool GetBool(std::string_view name) const;
  int64_t GetDurationMs(std::string_view name) const;
  int64_t GetBytes(std::string_view name) const;
  double GetDouble(std::string_view name) const;

  struct Entry {
    std::string value;
    std::string origin;
  };  // origin: "default", "file x.yaml", "environment", "-D"
  Entry Explain(std::string_view name) const;
  // Explain for people: a secret's value is only said to be there.
  Entry ExplainForPeople(std::string_view name) const;
  // What differs from the defaults: handed to workers.
  std::map<std::string, std::string> NonDefault() const;

 private:
  std::map<std::string, Entry, std::less<>> entries_;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_CORE_CONFIG_H_
