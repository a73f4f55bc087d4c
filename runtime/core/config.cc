#include "runtime/core/config.h"

#include <unistd.h>
#include <yaml-cpp/yaml.h>

#include <cctype>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <filesystem>

#include "runtime/core/status.h"
#include "runtime/core/units.h"

namespace penstock {
namespace {

constexpr int kYamlDepthMax = 16;
// An environment variable this near to a key's is taken for a misspelt key. Others are left alone: Kubernetes sets
// PENSTOCK_SERVICE_HOST and the like for a Service of that name.
constexpr int kEnvironmentTypoDistance = 2;

absl::StatusOr<int64_t> ParseInt(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return InvalidArgument("'{}' is not an integer", text);
  }
  return value;
}

absl::StatusOr<bool> ParseBool(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return InvalidArgument("'{}' is neither true nor false", text);
}

absl::StatusOr<double> ParseDouble(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0') return InvalidArgument("'{}' is not a number", text);
  return value;
}

absl::Status CheckChoice(const ConfigKey& key, const std::string& value) {
  if (key.choices.empty()) return absl::OkStatus();
  std::string_view rest = key.choices;
  while (true) {
    const size_t bar = rest.find('|');
    if (rest.substr(0, bar) == value) return absl::OkStatus();
    if (bar == std::string_view::npos) break;
    rest.remove_prefix(bar + 1);
  }
  return InvalidArgument("'{}' is none of {}", value, key.choices);
}

// The number of an integer-like value, by the key's type.
absl::StatusOr<int64_t> ParseNumber(ConfigType type, const std::string& value) {
  if (type == ConfigType::kDurationMs) return ParseDurationMs(value);
  if (type == ConfigType::kBytes) return ParseBytes(value);
  return ParseInt(value);
}

absl::Status CheckValue(const ConfigKey& key, const std::string& value) {
  switch (key.type) {
    case ConfigType::kString:
      return CheckChoice(key, value);
    case ConfigType::kBool:
      return ParseBool(value).status();
    case ConfigType::kDouble:
      return ParseDouble(value).status();
    case ConfigType::kInt:
    case ConfigType::kDurationMs:
    case ConfigType::kBytes:
      break;
  }
  PENSTOCK_ASSIGN_OR_RETURN(const int64_t number, ParseNumber(key.type, value));
  if (number < key.min || number > key.max) {
    const std::string upper =
        key.max == std::numeric_limits<int64_t>::max() ? "at least" : fmt::format("at most {} and at least", key.max);
    return InvalidArgument("'{}' is out of range: it must be {} {}{}", value, upper, key.min,
                           key.type == ConfigType::kDurationMs ? " ms"
                           : key.type == ConfigType::kBytes    ? " bytes"
                                                               : "");
  }
  return absl::OkStatus();
}

absl::Status Flatten(const YAML::Node& node, const std::string& prefix, int depth,
                     std::vector<std::pair<std::string, std::string>>* out) {
  if (depth > kYamlDepthMax) return InvalidArgument("key '{}' is nested too deeply", prefix);
  if (node.IsMap()) {
    for (const auto& child : node) {
      const auto name = child.first.as<std::string>();
      PENSTOCK_RETURN_IF_ERROR(Flatten(child.second, prefix.empty() ? name : prefix + "." + name, depth + 1, out));
    }
    return absl::OkStatus();
  }
  if (prefix.empty()) {
    if (node.IsNull()) return absl::OkStatus();
    return InvalidArgument("the file is not a map of keys and values");
  }
  std::string value;
  if (node.IsSequence()) {
    for (const auto& item : node) value += (value.empty() ? "" : ",") + item.as<std::string>();
  } else if (node.IsScalar()) {
    value = node.Scalar();
  }
  out->emplace_back(prefix, std::move(value));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<std::pair<std::string, std::string>>> ReadYaml(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) {
    return InvalidArgument("config file '{}' does not exist or is no file", path);
  }
  std::vector<std::pair<std::string, std::string>> pairs;
  try {
    const absl::Status flat = Flatten(YAML::LoadFile(path), "", 0, &pairs);
    if (!flat.ok()) return InvalidArgument("config file '{}': {}", path, MessageOf(flat));
  } catch (const YAML::Exception& e) {
    return InvalidArgument("config file '{}', line {}: {}", path, e.mark.line + 1, e.msg);
  }
  return pairs;
}

[[noreturn]] void AbortOnBadKey(std::string_view name, const char* problem) {
  std::fprintf(stderr, "config key '%.*s' %s\n", static_cast<int>(name.size()), name.data(), problem);
  std::abort();
}

const ConfigKey& KeyOfType(std::string_view name, ConfigType type) {
  const ConfigKey* key = FindConfigKey(name);
  if (key == nullptr) AbortOnBadKey(name, "is not in config_keys.cc");
  if (key->type != type) AbortOnBadKey(name, "is read as another type than it has");
  return *key;
}

}  // namespace

std::string_view ConfigTypeName(ConfigType type) {
  switch (type) {
    case ConfigType::kString:
      return "text";
    case ConfigType::kInt:
      return "integer";
    case ConfigType::kBool:
      return "boolean";
    case ConfigType::kDurationMs:
      return "duration";
    case ConfigType::kBytes:
      return "size";
    case ConfigType::kDouble:
      return "number";
  }
  return "text";
}

std::string EnvironmentNameOf(std::string_view key) {
  std::string name = "PENSTOCK_";
  for (const char c : key) {
    name += c == '.' || c == '-' ? '_' : static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  }
  return name;
}

std::map<std::string, std::string> PenstockEnvironment() {
  std::map<std::string, std::string> found;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (text.starts_with("PENSTOCK_") && equals != std::string_view::npos) {
      found.emplace(text.substr(0, equals), text.substr(equals + 1));
    }
  }
  return found;
}

absl::StatusOr<Config> Config::Load(const ConfigSources& sources) {
  Config config;
  const auto set = [&config](const std::string& name, const std::string& value, const std::string& origin) {
    const ConfigKey* key = FindConfigKey(name);
    if (key == nullptr) {
      return InvalidArgument("unknown config key '{}' ({}); the nearest is '{}'", name, origin, NearestConfigKey(name));
    }
    const absl::Status valid = CheckValue(*key, value);
    if (!valid.ok()) {
      return InvalidArgument("config key '{}' ({}): {}; a {} such as '{}' is expected", name, origin, MessageOf(valid),
                             ConfigTypeName(key->type), key->default_value);
    }
    config.entries_[name] = Entry{value, origin};
    return absl::OkStatus();
  };
  if (!sources.file.empty()) {
    PENSTOCK_ASSIGN_OR_RETURN(const auto pairs, ReadYaml(sources.file));
    for (const auto& [name, value] : pairs) PENSTOCK_RETURN_IF_ERROR(set(name, value, "file " + sources.file));
  }
  std::map<std::string, std::string> keys_by_variable;
  for (const ConfigKey& key : ConfigKeys()) keys_by_variable.emplace(EnvironmentNameOf(key.name), key.name);
  for (const auto& [variable, value] : sources.environment) {
    if (const auto known = keys_by_variable.find(variable); known != keys_by_variable.end()) {
      PENSTOCK_RETURN_IF_ERROR(set(known->second, value, "environment " + variable));
      continue;
    }
    for (const auto& [name, key] : keys_by_variable) {
      if (EditDistance(name, variable) <= kEnvironmentTypoDistance) {
        return InvalidArgument("environment variable '{}' names no config key; the nearest is '{}' for '{}'", variable,
                               name, key);
      }
    }
  }
  for (const auto& [name, value] : sources.overrides) PENSTOCK_RETURN_IF_ERROR(set(name, value, "-D"));
  return config;
}

Config::Entry Config::Explain(std::string_view name) const {
  if (const auto found = entries_.find(name); found != entries_.end()) return found->second;
  const ConfigKey* key = FindConfigKey(name);
  if (key == nullptr) AbortOnBadKey(name, "is not in config_keys.cc");
  return Entry{std::string(key->default_value), "default"};
}

Config::Entry Config::ExplainForPeople(std::string_view name) const {
  Entry entry = Explain(name);
  if (FindConfigKey(name)->secret && !entry.value.empty()) entry.value = "(secret)";
  return entry;
}

std::string Config::GetString(std::string_view name) const {
  KeyOfType(name, ConfigType::kString);
  return Explain(name).value;
}

int64_t Config::GetInt(std::string_view name) const {
  KeyOfType(name, ConfigType::kInt);
  return *ParseInt(Explain(name).value);
}

bool Config::GetBool(std::string_view name) const {
  KeyOfType(name, ConfigType::kBool);
  return *ParseBool(Explain(name).value);
}

int64_t Config::GetDurationMs(std::string_view name) const {
  KeyOfType(name, ConfigType::kDurationMs);
  return *ParseDurationMs(Explain(name).value);
}

int64_t Config::GetBytes(std::string_view name) const {
  KeyOfType(name, ConfigType::kBytes);
  return *ParseBytes(Explain(name).value);
}

double Config::GetDouble(std::string_view name) const {
  KeyOfType(name, ConfigType::kDouble);
  return *ParseDouble(Explain(name).value);
}

std::map<std::string, std::string> Config::NonDefault() const {
  std::map<std::string, std::string> changed;
  for (const auto& [name, entry] : entries_) {
    if (entry.value != FindConfigKey(name)->default_value) changed.emplace(name, entry.value);
  }
  return changed;
}

}  // namespace penstock
