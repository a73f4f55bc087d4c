#include "runtime/core/storage/s3/requester.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "runtime/core/digest.h"
#include "runtime/core/log.h"
#include "runtime/core/mutex.h"
#include "runtime/core/random.h"
#include "runtime/core/status.h"

namespace penstock::s3 {
namespace {

// Nothing ends a pause early: it is at most backoff_max_ms.
void WaitMs(int64_t ms) {
  Mutex mutex;
  CondVar never;
  const int64_t until_ns = Clock::System().MonotonicNs() + ms * 1'000'000;
  MutexLock lock(&mutex);
  while (true) {
    const int64_t left_ns = until_ns - Clock::System().MonotonicNs();
    if (left_ns <= 0) return;
    never.WaitFor(&mutex, std::chrono::nanoseconds(left_ns));
  }
}

bool IsOneOf(std::string_view code, std::initializer_list<std::string_view> codes) {
  return std::find(codes.begin(), codes.end(), code) != codes.end();
}

bool IsWorthARetry(int status, std::string_view code) {
  if (IsOneOf(code, {"SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "OperationAborted",
                     "ConditionalRequestConflict"})) {
    return true;
  }
  return status == 408 || status == 429 || (status >= 500 && status != 501 && status != 507);
}

bool IsFull(int status, std::string_view code) {
  return status == 507 || IsOneOf(code, {"QuotaExceeded", "XMinioStorageFull", "InsufficientCapacity"});
}

std::string_view AdviceFor(std::string_view code) {
  if (IsOneOf(code, {"InvalidAccessKeyId", "SignatureDoesNotMatch"})) {
    return ": check s3.access-key and s3.secret-key (or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY)";
  }
  if (IsOneOf(code, {"ExpiredToken", "InvalidToken"})) return ": the session token is not valid any more";
  if (code == "RequestTimeTooSkewed") return ": set the clock of this machine";
  if (code == "AccessDenied") {
    return ": the key must be allowed to list the bucket, and to get, put and delete objects and abort uploads in it";
  }
  return "";
}

}  // namespace

Surroundings Surroundings::System() { return {Clock::System(), &RandomU64, &WaitMs}; }

Requester::Requester(const Options& options, std::string bucket, Endpoint endpoint, HttpTransport& transport,
                     Surroundings surroundings)
    : options_(options),
      bucket_(std::move(bucket)),
      endpoint_(std::move(endpoint)),
      transport_(transport),
      surroundings_(std::move(surroundings)) {}

std::string Requester::NameOf(const std::string& key) const {
  return fmt::format("s3://{}/{} at {}", bucket_, key, endpoint_.base);
}

HttpRequest Requester::Signed(const Request& request) const {
  const std::string path = endpoint_.path_prefix + EncodeUri(request.key, true);
  const std::string query = CanonicalQuery(request.query);
  const int64_t now_ms = surroundings_.clock.NowMs();
  HttpRequest http;
  http.method = request.method;
  http.url = fmt::format("{}{}{}{}", endpoint_.base, path, query.empty() ? "" : "?", query);
  http.headers = request.headers;
  http.body = request.body;
  // The body's hash is signed over https, too: the server refuses a body that was damaged on the way.
  const std::string payload_sha256 = Sha256Of(request.body);
  http.headers["host"] = endpoint_.host;
  http.headers["x-amz-date"] = AmzDate(now_ms);
  http.headers["x-amz-content-sha256"] = payload_sha256;
  if (!options_.session_token.empty()) http.headers["x-amz-security-token"] = options_.session_token;
  http.headers["authorization"] =
      Authorization({.method = request.method,
                     .path = path,
                     .query = query,
                     .headers = http.headers,
                     .payload_sha256 = payload_sha256},
                    {options_.access_key, options_.secret_key, options_.session_token},
                    {.region = options_.region.empty() ? "us-east-1" : options_.region, .now_ms = now_ms});
  return http;
}

absl::Status Requester::StatusOf(const Request& request, int status, const ErrorAnswer& error,
                                 std::string region) const {
  const std::string what =
      fmt::format("{} {}: {}{}{}{}{}", request.method, NameOf(request.key), status, error.code.empty() ? "" : " ",
                  error.code, error.message.empty() ? "" : ": ", error.message);
  if (IsWorthARetry(status, error.code)) return Unavailable("{}", what);
  if (IsFull(status, error.code)) return ResourceExhausted("{}: make room in the storage", what);
  if (region.empty()) region = error.region;
  if (status == 301 || status == 307 || error.code == "AuthorizationHeaderMalformed") {
    return FailedPrecondition("{}: set s3.region to the region of the bucket{}{}, and s3.endpoint to its endpoint",
                              what, region.empty() ? "" : ", ", region);
  }
  if (error.code == "NoSuchBucket") {
    return FailedPrecondition("{}: create the bucket, or correct execution.checkpointing.dir", what);
  }
  // Not any 404: one that a proxy or a wrong address gives must never look like a job without checkpoints.
  const bool bare_head = request.method == "HEAD" && status == 404;
  if (bare_head || IsOneOf(error.code, {"NoSuchKey", "NoSuchUpload"})) return NotFound("{}", what);
  if (status == 401 || status == 403 || IsOneOf(error.code, {"ExpiredToken", "InvalidToken"})) {
    return PermissionDenied("{}{}", what, AdviceFor(error.code));
  }
  if (status == 501) return Unimplemented("{}", what);
  return FailedPrecondition("{}", what);
}

absl::Status Requester::TryOnce(const Request& request, HttpAnswer* answer) const {
  const absl::Status sent = transport_.Send(Signed(request), answer);
  if (!sent.ok()) {
    return absl::Status(sent.code(), fmt::format("{} {}: {}", request.method, NameOf(request.key), MessageOf(sent)));
  }
  const int status = answer->status;
  const bool accepted = std::find(request.accepted.begin(), request.accepted.end(), status) != request.accepted.end();
  if (accepted || (status >= 200 && status < 300)) return absl::OkStatus();
  return StatusOf(request, status, ParseError(answer->body), answer->headers["x-amz-bucket-region"]);
}

absl::Status Requester::Retry(const std::function<absl::Status()>& again) const {
  int64_t bound_ms = options_.backoff_min_ms;
  for (int tries = 1;; ++tries) {
    const absl::Status status = again();
    if (!absl::IsUnavailable(status)) return status;
    if (tries >= options_.tries_max) return Unavailable("{}; given up after {} tries", MessageOf(status), tries);
    PENSTOCK_LOG(debug, "{}; trying again", MessageOf(status));
    surroundings_.wait(static_cast<int64_t>(surroundings_.random() % static_cast<uint64_t>(bound_ms)) + 1);
    bound_ms = std::min(bound_ms * 2, options_.backoff_max_ms);
  }
}

absl::StatusOr<Outcome> Requester::Send(const Request& request) const {
  Outcome outcome;
  bool unclear = false;
  const absl::Status status = Retry([&] {
    outcome.repeated = unclear;
    outcome.answer = {};
    const absl::Status tried = TryOnce(request, &outcome.answer);
    const int answered = outcome.answer.status;
    if (!tried.ok() && (answered < 400 || answered >= 500)) unclear = true;
    return tried;
  });
  if (!status.ok()) return status;
  return outcome;
}

}  // namespace penstock::s3
