#include "runtime/core/storage/storage.h"

#include <algorithm>

#include "runtime/core/status.h"
#include "runtime/core/storage/file_storage.h"

namespace penstock {

absl::StatusOr<std::unique_ptr<Storage>> OpenStorage(const std::string& uri) {
  constexpr std::string_view kFile = "file://";
  const size_t scheme = uri.find("://");
  if (scheme != std::string::npos && !uri.starts_with(kFile)) {
    return InvalidArgument("storage '{}': the scheme '{}' is not known; use file:///path", uri, uri.substr(0, scheme));
  }
  if (uri.empty()) return InvalidArgument("no storage is given");
  PENSTOCK_ASSIGN_OR_RETURN(std::unique_ptr<Storage> storage,
                            FileStorage::Open(uri.starts_with(kFile) ? uri.substr(kFile.size()) : uri));
  return storage;
}

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
