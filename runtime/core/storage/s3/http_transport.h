// One HTTP exchange: what the S3 client stands on, so that its tests can answer themselves.
#ifndef PENSTOCK_RUNTIME_CORE_STORAGE_S3_HTTP_TRANSPORT_H_
#define PENSTOCK_RUNTIME_CORE_STORAGE_S3_HTTP_TRANSPORT_H_

#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace penstock::s3 {

struct HttpRequest {
  std::string method;
  std::string url;
  std::map<std::string, std::string> headers;  // without Content-Length
  std::string_view body;                       // outlives the call
};

struct HttpAnswer {
  int status = 0;                              // 0: none came
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

// Thread-safe; a call blocks until the whole answer is there.
class HttpTransport {
 public:
  virtual ~HttpTransport() = default;
  // Unavailable: not reached, cut off, stalled: the server may or may not have acted on the request, and the answer
  // holds what of it has come. FailedPrecondition: trying again is no use (a certificate that is not trusted).
  virtual absl::Status Send(const HttpRequest& request, HttpAnswer* answer) = 0;
};

}  // namespace penstock::s3

#endif  // PENSTOCK_RUNTIME_CORE_STORAGE_S3_HTTP_TRANSPORT_H_
