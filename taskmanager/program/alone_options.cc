#include "taskmanager/program/alone_options.h"

#include <charconv>

#include "runtime/core/status.h"

namespace penstock::program {
namespace {

constexpr int kPortMax = 65'535;

bool ReadInt(const std::string& text, int min, int max, int* value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *value);
  return error == std::errc() && end == text.data() + text.size() && *value >= min && *value <= max;
}

}  // namespace

absl::StatusOr<AloneOptions> ParseAloneOptions(const std::vector<std::string>& arguments) {
  AloneOptions options;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "-p" || argument == "-r") {
      const std::string text = i + 1 < arguments.size() ? arguments[++i] : "";
      int value = 0;
      if (argument == "-p") {
        if (!ReadInt(text, 1, INT32_MAX, &value)) {
          return InvalidArgument("-p takes the parallelism, a whole number above 0, not '{}'", text);
        }
        options.parallelism = value;
      } else {
        if (!ReadInt(text, 0, kPortMax, &value)) {
          return InvalidArgument("-r takes the port of REST, 0 for a free one, not '{}'", text);
        }
        options.rest_port = value;
      }
    } else if (argument.starts_with("-D")) {
      const size_t equals = argument.find('=');
      if (equals == std::string::npos) return InvalidArgument("write -Dkey=value, not '{}'", argument);
      options.overrides.emplace_back(argument.substr(2, equals - 2), argument.substr(equals + 1));
    } else {
      options.job.push_back(argument);
    }
  }
  return options;
}

}  // namespace penstock::program
