#include <fmt/format.h>
#include <penstock/args.h>

#include <algorithm>
#include <charconv>

#include "runtime/core/units.h"

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

const std::string* Args::Find(std::string_view name) const {
  asked_.emplace(name);
  const auto found = values_.find(name);
  return found != values_.end() ? &found->second : nullptr;
}

std::string Args::operator[](std::string_view name) const {
  if (const std::string* value = Find(name)) return *value;
  std::string error = fmt::format("argument --{} is missing", name);
  if (std::find(errors_.begin(), errors_.end(), error) == errors_.end()) errors_.push_back(std::move(error));
  return "";
}

std::string Args::get(std::string_view name, std::string_view otherwise) const {
  const std::string* value = Find(name);
  return value != nullptr ? *value : std::string(otherwise);
}

int64_t Args::get_int(std::string_view name, int64_t otherwise) const {
  const std::string* text = Find(name);
  if (text == nullptr) return otherwise;
  int64_t value = 0;
  const char* end = text->data() + text->size();
  const auto [parsed_to, error] = std::from_chars(text->data(), end, value);
  if (error != std::errc() || parsed_to != end) {
    errors_.push_back(fmt::format("argument --{} is '{}', which is no whole number", name, *text));
    return otherwise;
  }
  return value;
}

std::string Args::get_choice(std::string_view name, std::string_view otherwise,
                             std::initializer_list<std::string_view> choices) const {
  std::string value = get(name, otherwise);
  if (std::find(choices.begin(), choices.end(), value) == choices.end()) {
    errors_.push_back(fmt::format("argument --{} is '{}', which is none of {}", name, value, fmt::join(choices, ", ")));
  }
  return value;
}

bool Args::has(std::string_view name) const { return Find(name) != nullptr; }

std::vector<std::string> Args::errors() const {
  std::vector<std::string> all = errors_;
  for (const auto& [name, value] : values_) {
    if (asked_.count(name) != 0) continue;
    const auto nearest = std::min_element(asked_.begin(), asked_.end(), [&name = name](const auto& a, const auto& b) {
      return EditDistance(a, name) < EditDistance(b, name);
    });
    all.push_back(asked_.empty()
                      ? fmt::format("argument --{} is not known: the job takes none", name)
                      : fmt::format("argument --{} is not known to this job (nearest: --{})", name, *nearest));
  }
  return all;
}

}  // namespace penstock
