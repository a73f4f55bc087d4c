// The operations of S3 that a storage needs, on objects of one bucket by their full keys.
//
// Thread-safe. Errors are the requester's.
#ifndef PENSTOCK_RUNTIME_CORE_STORAGE_S3_CLIENT_H_
#define PENSTOCK_RUNTIME_CORE_STORAGE_S3_CLIENT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/core/storage/s3/requester.h"

namespace penstock::s3 {

inline constexpr size_t kDeletedAtOnceMax = 1'000;  // S3's own bound

struct ObjectRange {
  std::string bytes;
  std::string etag;
  int64_t object_bytes = 0;
};

class Client {
 public:
  explicit Client(Requester requester) : requester_(std::move(requester)) {}
  const Requester& requester() const { return requester_; }

  // At most max_bytes from the offset; empty behind the end. A connection that breaks within the body is taken up
  // again where it broke, and begins anew should the object have been replaced meanwhile. With `etag`, an object that
  // was replaced is Aborted.
  absl::StatusOr<ObjectRange> Get(const std::string& key, int64_t offset, int64_t max_bytes,
                                  const std::string& etag = "") const;
  absl::Status Put(const std::string& key, std::string_view bytes) const;
  // False: an object of that key exists. Unavailable: it may exist or not.
  absl::StatusOr<bool> PutIfAbsent(const std::string& key, std::string_view bytes) const;
  absl::StatusOr<std::vector<ListedObject>> List(const std::string& prefix) const;
  absl::Status Delete(const std::vector<std::string>& keys) const;

  // An upload in parts, of 1 to kPartsMax, which are numbered from 1.
  struct Upload {
    std::string key;
    std::string id;
    std::string mark;  // by which its object is known again
  };
  absl::StatusOr<Upload> BeginUpload(const std::string& key) const;
  absl::StatusOr<std::string> PutPart(const Upload& upload, int number, std::string_view bytes) const;  // its etag
  absl::Status CompleteUpload(const Upload& upload, const std::vector<std::string>& etags) const;
  absl::Status AbortUpload(const Upload& upload) const;

 private:
  absl::Status DeleteTogether(const std::vector<std::string>& keys) const;
  absl::Status DeleteOne(const std::string& key) const;

  const Requester requester_;
};

}  // namespace penstock::s3

#endif  // PENSTOCK_RUNTIME_CORE_STORAGE_S3_CLIENT_H_
