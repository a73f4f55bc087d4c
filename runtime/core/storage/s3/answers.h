// The XML that S3 speaks: what it answers, and the two bodies it is sent. Pure.
#ifndef PENSTOCK_RUNTIME_CORE_STORAGE_S3_ANSWERS_H_
#define PENSTOCK_RUNTIME_CORE_STORAGE_S3_ANSWERS_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace penstock::s3 {

struct ErrorAnswer {
  std::string code;  // NoSuchKey, SlowDown, ...; empty: the body is no error document
  std::string message;
  std::string region;  // of a bucket that lies elsewhere
};
ErrorAnswer ParseError(std::string_view body);

struct ListedObject {
  std::string key;
  int64_t size_bytes = 0;
  int64_t modified_ms = 0;
};
struct ListPage {
  std::vector<ListedObject> objects;
  std::string continuation;  // empty: the last page
};
// DataLoss: the body is no list.
absl::StatusOr<ListPage> ParseList(std::string_view body);

// Of CreateMultipartUpload.
absl::StatusOr<std::string> ParseUploadId(std::string_view body);

struct DeleteFailure {
  std::string key;
  ErrorAnswer error;
};
// Of DeleteObjects in its quiet form: what could not be deleted.
absl::StatusOr<std::vector<DeleteFailure>> ParseDeleteFailures(std::string_view body);

std::string DeleteBody(const std::vector<std::string>& keys);
// Parts are numbered from 1 in the order of their tags.
std::string CompleteUploadBody(const std::vector<std::string>& etags);

// 2009-10-12T17:50:30.000Z; 0 when it is nothing of that form.
int64_t ParseTimeMs(const std::string& text);

}  // namespace penstock::s3

#endif  // PENSTOCK_RUNTIME_CORE_STORAGE_S3_ANSWERS_H_
