#include "runtime/core/storage/storage.h"

#include <algorithm>

#include "runtime/core/random.h"
#include "runtime/core/status.h"
#include "runtime/core/storage/file_storage.h"
#include "runtime/core/storage/s3/curl_transport.h"
#include "runtime/core/storage/s3/s3_storage.h"

namespace penstock {

StorageOptions StorageOptions::From(const Config& config) {
  return {.s3 = s3::Options::From(config, s3::ProcessEnvironment())};
}

absl::StatusOr<std::unique_ptr<Storage>> OpenStorage(const std::string& uri, const StorageOptions& options) {
  constexpr std::string_view kFile = "file://";
  if (uri.empty()) return InvalidArgument("no storage is given");
  std::unique_ptr<Storage> storage;
  if (uri.starts_with("s3://")) {
    PENSTOCK_ASSIGN_OR_RETURN(storage,
                              s3::S3Storage::Open(uri, options.s3, std::make_unique<s3::CurlTransport>(options.s3),
                                                  s3::Surroundings::System()));
    return storage;
  }
  const size_t scheme = uri.find("://");
  if (scheme != std::string::npos && !uri.starts_with(kFile)) {
    return InvalidArgument("storage '{}': the scheme '{}' is not known; use file:///path or s3://bucket/prefix", uri,
                           uri.substr(0, scheme));
  }
  PENSTOCK_ASSIGN_OR_RETURN(storage, FileStorage::Open(uri.starts_with(kFile) ? uri.substr(kFile.size()) : uri));
  return storage;
}

absl::Status ProbeStorage(Storage& storage) {
  const std::string name = "probes/" + RandomHex(8);
  const auto named = [&](const absl::Status& status) {
    return absl::Status(status.code(), fmt::format("storage {}: {}", storage.Describe(), MessageOf(status)));
  };
  const absl::StatusOr<bool> first = storage.WriteIfAbsent(name, "first");
  if (!first.ok()) return named(first.status());
  const absl::StatusOr<bool> second = storage.WriteIfAbsent(name, "second");
  if (!second.ok()) return named(second.status());
  const absl::StatusOr<std::string> there = storage.ReadAll(name);
  if (!there.ok()) return named(there.status());
  if (const absl::Status deleted = storage.Delete({name}); !deleted.ok()) return named(deleted);
  if (*first && !*second && *there == "first") return absl::OkStatus();
  return FailedPrecondition(
      "storage {} ignores 'If-None-Match: *': an object that existed was replaced. Two JobManagers could decide the "
      "same "
      "checkpoint there; use a server that knows conditional writes",
      storage.Describe());
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
