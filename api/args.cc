#include <fmt/format.h>
#include <penstock/args.h>

#include <algorithm>
#include <charconv>

namespace penstock {

Args::Args(const std::vector<std::string>& arguments) {
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (!argument.starts_with("--")) {
      errors_.push_back(fmt::format("argument '{}' is not understood: write --name value", argument));
      continue;
    }
    const size_t equals = argument.find('=');
    if (equals != std::string::npos) {
      values_[argument.substr(2, equals - 2)] = argument.substr(equals + 1);
    } else if (i + 1 < arguments.size() && !arguments[i + 1].starts_with("--")) {
      values_[argument.substr(2)] = arguments[i + 1];
      ++i;
    } else {
      values_[argument.substr(2)] = "";
    }
  }
}

std::string Args::operator[](std::string_view name) const {
  const auto found = values_.find(name);
  if (found != values_.end()) return found->second;
  std::string error = fmt::format("argument --{} is missing", name);
  if (std::find(errors_.begin(), errors_.end(), error) == errors_.end()) errors_.push_back(std::move(error));
  return "";
}

std::string Args::get(std::string_view name, std::string_view otherwise) const {
  const auto found = values_.find(name);
  return found != values_.end() ? found->second : std::string(otherwise);
}

int64_t Args::get_int(std::string_view name, int64_t otherwise) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return otherwise;
  int64_t value = 0;
  const char* end = found->second.data() + found->second.size();
  const auto [parsed_to, error] = std::from_chars(found->second.data(), end, value);
  if (error != std::errc() || parsed_to != end) {
    errors_.push_back(fmt::format("argument --{} is '{}', which is no whole number", name, found->second));
    return otherwise;
  }
  return value;
}

bool Args::has(std::string_view name) const { return values_.find(name) != values_.end(); }

}  // namespace penstock
