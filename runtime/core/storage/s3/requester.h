// Signed requests to one bucket, tried again while that can help.
//
// Thread-safe. Tried again, with growing random pauses and at most options.tries_max times: what the network did not
// carry, 5xx, 408, 429, and what S3 calls SlowDown, RequestTimeout or a conflict. Each try is signed anew. Errors name
// endpoint, bucket and object, the code S3 answered, and what to do: NotFound, PermissionDenied, ResourceExhausted,
// Unavailable (given up), FailedPrecondition (the configuration), Unimplemented. No header and no key is ever logged.
#ifndef PENSTOCK_RUNTIME_CORE_STORAGE_S3_REQUESTER_H_
#define PENSTOCK_RUNTIME_CORE_STORAGE_S3_REQUESTER_H_

#include <cstdint>
#include <functional>
#include <initializer_list>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "runtime/core/clock.h"
#include "runtime/core/storage/s3/answers.h"
#include "runtime/core/storage/s3/http_transport.h"
#include "runtime/core/storage/s3/options.h"
#include "runtime/core/storage/s3/signature.h"

namespace penstock::s3 {

// What time and chance are to the storage. Outlives its user.
struct Surroundings {
  const Clock& clock;
  std::function<uint64_t()> random;
  std::function<void(int64_t ms)> wait;  // blocks the calling thread

  static Surroundings System();
};

struct Request {
  std::string method;
  std::string key;  // of the object; empty: the bucket itself
  Query query = {};
  std::map<std::string, std::string> headers = {};  // names in lower case
  std::string_view body = {};
  std::initializer_list<int> accepted = {};  // besides 2xx
};

struct Outcome {
  HttpAnswer answer;
  // A try before this one got no clear answer: the server may have acted twice.
  bool repeated = false;
};

class Requester {
 public:
  // transport outlives this.
  Requester(const Options& options, std::string bucket, Endpoint endpoint, HttpTransport& transport,
            Surroundings surroundings);

  absl::StatusOr<Outcome> Send(const Request& request) const;

  // For calls that go on where the last try ended: one try, and the loop around them. `again` is done until it returns
  // anything but Unavailable.
  absl::Status TryOnce(const Request& request, HttpAnswer* answer) const;
  absl::Status Retry(const std::function<absl::Status()>& again) const;

  // "s3://bucket/key at http://host:port", for messages.
  std::string NameOf(const std::string& key) const;
  // What an error answer means.
  absl::Status StatusOf(const Request& request, int status, const ErrorAnswer& error, std::string region = "") const;
  uint64_t Random() const { return surroundings_.random(); }

 private:
  HttpRequest Signed(const Request& request) const;

  const Options options_;
  const std::string bucket_;
  const Endpoint endpoint_;
  HttpTransport& transport_;
  const Surroundings surroundings_;
};

}  // namespace penstock::s3

#endif  // PENSTOCK_RUNTIME_CORE_STORAGE_S3_REQUESTER_H_
