// HTTP requests by libcurl over a connection that is kept and used again. One thread at a time.
#ifndef PENSTOCK_CONNECTORS_WEBHOOK_HTTP_CLIENT_H_
#define PENSTOCK_CONNECTORS_WEBHOOK_HTTP_CLIENT_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "connectors/batching/batch_delivery.h"

namespace penstock::webhook {

inline constexpr size_t kAnswerBytesMax = 4 << 10;  // of the body that is kept, for messages

struct HttpOptions {
  std::string url;
  std::string method;
  std::vector<std::string> headers;  // "Name: value"
  std::string username;
  std::string password;
  int64_t connect_timeout_ms = 0;
  int64_t request_timeout_ms = 0;
  std::string ca_file;
};

struct HttpAnswer {
  int status = 0;
  std::string retry_after;  // as it was sent
  std::string body;         // its beginning
};

class HttpClient {
 public:
  HttpClient();
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Unavailable: no answer, and another try may get one. FailedPrecondition: none will (a certificate that is not
  // trusted, a URL that is none). Cancelled: a stop was requested.
  absl::StatusOr<HttpAnswer> Send(const HttpOptions& options, const std::string& extra_header, std::string_view body,
                                  const StopRequest& stop);

 private:
  struct Handle;
  std::unique_ptr<Handle> handle_;
};

}  // namespace penstock::webhook

#endif  // PENSTOCK_CONNECTORS_WEBHOOK_HTTP_CLIENT_H_
