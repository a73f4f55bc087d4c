#include "runtime/core/storage/s3/client.h"

#include <openssl/evp.h>

#include <algorithm>
#include <cstdio>
#include <utility>

#include "runtime/core/status.h"

namespace penstock::s3 {
namespace {

// Says whose upload an object was: the answer to a completed upload may be lost.
constexpr const char* kMarkHeader = "x-amz-meta-penstock-upload";

std::string Md5Base64(std::string_view text) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_Digest(text.data(), text.size(), digest, &size, EVP_md5(), nullptr);
  unsigned char encoded[2 * EVP_MAX_MD_SIZE];
  const int length = EVP_EncodeBlock(encoded, digest, static_cast<int>(size));
  return {reinterpret_cast<const char*>(encoded), static_cast<size_t>(length)};
}

std::string HeaderOf(const HttpAnswer& answer, const std::string& name) {
  const auto found = answer.headers.find(name);
  return found != answer.headers.end() ? found->second : "";
}

// Of "bytes 0-9/443"; without that header the whole object was sent.
int64_t ObjectBytes(const HttpAnswer& answer) {
  const std::string range = HeaderOf(answer, "content-range");
  const size_t slash = range.find('/');
  if (slash == std::string::npos) return static_cast<int64_t>(answer.body.size());
  return std::atoll(range.c_str() + slash + 1);
}

// One Get over all its tries.
class RangeRead {
 public:
  RangeRead(const Requester& requester, std::string key, int64_t offset, int64_t max_bytes, std::string etag)
      : requester_(requester),
        key_(std::move(key)),
        offset_(offset),
        max_bytes_(max_bytes),
        pinned_(!etag.empty()),
        whole_(offset == 0 && max_bytes == INT64_MAX) {
    result_.etag = std::move(etag);
  }

  absl::Status Try() {
    const int64_t have = static_cast<int64_t>(result_.bytes.size());
    const bool ranged = !whole_ || have > 0;
    const int64_t last = max_bytes_ == INT64_MAX ? -1 : offset_ + max_bytes_ - 1;
    Request request{.method = "GET", .key = key_, .accepted = {412, 416}};
    if (ranged) {
      request.headers["range"] =
          last < 0 ? fmt::format("bytes={}-", offset_ + have) : fmt::format("bytes={}-{}", offset_ + have, last);
    }
    if (!result_.etag.empty()) request.headers["if-match"] = result_.etag;
    HttpAnswer answer;
    absl::Status status = requester_.TryOnce(request, &answer);
    if (status.ok() && answer.status == 412) {
      if (pinned_) return Aborted("{} was replaced while it was read", requester_.NameOf(key_));
      result_ = {};
      return Unavailable("{} was replaced while it was read", requester_.NameOf(key_));
    }
    if (answer.status == 416) return absl::OkStatus();  // begins at the end of the object, or behind it
    if (ranged && answer.status == 200) return Unimplemented("{}: the server reads no ranges", requester_.NameOf(key_));
    if (answer.status == 200 || answer.status == 206) {  // what has come counts, also of a connection that broke
      result_.etag = HeaderOf(answer, "etag");
      if (status.ok()) result_.object_bytes = ObjectBytes(answer);
      result_.bytes += answer.body;
    }
    return status;
  }
  ObjectRange Take() { return std::move(result_); }

 private:
  const Requester& requester_;
  const std::string key_;
  const int64_t offset_;
  const int64_t max_bytes_;
  const bool pinned_;
  const bool whole_;
  ObjectRange result_;
};

}  // namespace

absl::StatusOr<ObjectRange> Client::Get(const std::string& key, int64_t offset, int64_t max_bytes,
                                        const std::string& etag) const {
  if (max_bytes <= 0) {
    PENSTOCK_RETURN_IF_ERROR(requester_.Send({.method = "HEAD", .key = key}).status());
    return ObjectRange{};
  }
  RangeRead read(requester_, key, offset, max_bytes, etag);
  PENSTOCK_RETURN_IF_ERROR(requester_.Retry([&] { return read.Try(); }));
  return read.Take();
}

absl::Status Client::Put(const std::string& key, std::string_view bytes) const {
  return requester_.Send({.method = "PUT", .key = key, .body = bytes}).status();
}

absl::StatusOr<bool> Client::PutIfAbsent(const std::string& key, std::string_view bytes) const {
  PENSTOCK_ASSIGN_OR_RETURN(
      const Outcome outcome,
      requester_.Send(
          {.method = "PUT", .key = key, .headers = {{"if-none-match", "*"}}, .body = bytes, .accepted = {412}}));
  if (outcome.answer.status != 412) return true;
  if (!outcome.repeated) return false;
  return Unavailable("PUT {}: the answer to the first try was lost, and now an object is there: read whose it is",
                     requester_.NameOf(key));
}

absl::StatusOr<std::vector<ListedObject>> Client::List(const std::string& prefix) const {
  std::vector<ListedObject> objects;
  std::string continuation;
  do {
    Request request{.method = "GET", .key = "", .query = {{"list-type", "2"}, {"prefix", prefix}}};
    if (!continuation.empty()) request.query.emplace_back("continuation-token", continuation);
    PENSTOCK_ASSIGN_OR_RETURN(const Outcome outcome, requester_.Send(request));
    absl::StatusOr<ListPage> page = ParseList(outcome.answer.body);
    if (!page.ok()) {
      return Unavailable("GET {}: {}", requester_.NameOf("?prefix=" + prefix), MessageOf(page.status()));
    }
    std::move(page->objects.begin(), page->objects.end(), std::back_inserter(objects));
    if (page->continuation == continuation && !continuation.empty()) {
      return Unavailable("GET {}: the list does not go on", requester_.NameOf("?prefix=" + prefix));
    }
    continuation = std::move(page->continuation);
  } while (!continuation.empty());
  return objects;
}

absl::Status Client::Delete(const std::vector<std::string>& keys) const {
  if (keys.size() == 1) return DeleteOne(keys[0]);
  for (size_t begin = 0; begin < keys.size(); begin += kDeletedAtOnceMax) {
    const size_t end = std::min(begin + kDeletedAtOnceMax, keys.size());
    const std::vector<std::string> some(keys.begin() + static_cast<std::ptrdiff_t>(begin),
                                        keys.begin() + static_cast<std::ptrdiff_t>(end));
    absl::Status status = DeleteTogether(some);
    if (absl::IsUnimplemented(status)) {  // some servers know only the single one
      status = absl::OkStatus();
      for (const std::string& key : some) PENSTOCK_RETURN_IF_ERROR(DeleteOne(key));
    }
    PENSTOCK_RETURN_IF_ERROR(status);
  }
  return absl::OkStatus();
}

absl::Status Client::DeleteTogether(const std::vector<std::string>& keys) const {
  const std::string body = DeleteBody(keys);
  const Request request{.method = "POST",
                        .key = "",
                        .query = {{"delete", ""}},
                        .headers = {{"content-md5", Md5Base64(body)}, {"content-type", "application/xml"}},
                        .body = body,
                        .accepted = {405}};
  return requester_.Retry([&]() -> absl::Status {
    HttpAnswer answer;
    PENSTOCK_RETURN_IF_ERROR(requester_.TryOnce(request, &answer));
    if (answer.status == 405) return Unimplemented("DeleteObjects");
    PENSTOCK_ASSIGN_OR_RETURN(const std::vector<DeleteFailure> failures, ParseDeleteFailures(answer.body));
    for (const DeleteFailure& failure : failures) {
      if (failure.error.code == "NoSuchKey") continue;
      return requester_.StatusOf({.method = "DELETE", .key = failure.key}, answer.status, failure.error);
    }
    return absl::OkStatus();
  });
}

absl::Status Client::DeleteOne(const std::string& key) const {
  const absl::Status status = requester_.Send({.method = "DELETE", .key = key}).status();
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

absl::StatusOr<Client::Upload> Client::BeginUpload(const std::string& key) const {
  Upload upload{.key = key, .id = "", .mark = fmt::format("{:016x}", requester_.Random())};
  PENSTOCK_ASSIGN_OR_RETURN(
      const Outcome outcome,
      requester_.Send({.method = "POST",
                       .key = key,
                       .query = {{"uploads", ""}},
                       .headers = {{"content-type", "application/octet-stream"}, {kMarkHeader, upload.mark}}}));
  PENSTOCK_ASSIGN_OR_RETURN(upload.id, ParseUploadId(outcome.answer.body));
  return upload;
}

absl::StatusOr<std::string> Client::PutPart(const Upload& upload, int number, std::string_view bytes) const {
  PENSTOCK_ASSIGN_OR_RETURN(const Outcome outcome,
                            requester_.Send({.method = "PUT",
                                             .key = upload.key,
                                             .query = {{"partNumber", std::to_string(number)}, {"uploadId", upload.id}},
                                             .body = bytes}));
  std::string etag = HeaderOf(outcome.answer, "etag");
  if (etag.empty()) return Unavailable("PUT {}: a part was taken without an ETag", requester_.NameOf(upload.key));
  return etag;
}

absl::Status Client::CompleteUpload(const Upload& upload, const std::vector<std::string>& etags) const {
  const std::string body = CompleteUploadBody(etags);
  const Request request{.method = "POST",
                        .key = upload.key,
                        .query = {{"uploadId", upload.id}},
                        .headers = {{"content-type", "application/xml"}},
                        .body = body};
  const absl::Status status = requester_.Retry([&]() -> absl::Status {
    HttpAnswer answer;
    PENSTOCK_RETURN_IF_ERROR(requester_.TryOnce(request, &answer));
    // An error may follow a head that said 200: the server begins to answer before it knows.
    const ErrorAnswer error = ParseError(answer.body);
    if (!error.code.empty()) return requester_.StatusOf(request, answer.status, error);
    return absl::OkStatus();
  });
  if (status.ok() || absl::IsUnavailable(status)) return status;
  // The upload is unknown after it was completed by a try whose answer was lost.
  const absl::StatusOr<Outcome> there = requester_.Send({.method = "HEAD", .key = upload.key});
  if (there.ok() && HeaderOf(there->answer, kMarkHeader) == upload.mark) return absl::OkStatus();
  return absl::IsNotFound(status) ? Unavailable("{}", MessageOf(status)) : status;
}

absl::Status Client::AbortUpload(const Upload& upload) const {
  return requester_.Send({.method = "DELETE", .key = upload.key, .query = {{"uploadId", upload.id}}, .accepted = {404}})
      .status();
}

}  // namespace penstock::s3
