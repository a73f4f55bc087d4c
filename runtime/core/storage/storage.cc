#include "runtime/core/storage/storage.h"

#include <algorithm>

#include "runtime/core/status.h"

namespace penstock {

absl::Status CheckObjectName(std::string_view name) {
  size_t begin = 0;
  while (true) {
    const size_t end = std::min(name.find('/', begin), name.size());
    const std::string_view part = name.substr(begin, end - begin);
    if (part.empty() || part == "." || part == "..") {
      return InvalidArgument("'{}' is no name of a stored object: it has an empty part, '.' or '..'", name);
    }
    if (end == name.size()) return absl::OkStatus();
    begin = end + 1;
  }
}

}  // namespace penstock
