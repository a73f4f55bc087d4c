// Requests and responses of the HTTP server. Plain values.
#ifndef PENSTOCK_RUNTIME_CORE_HTTP_MESSAGE_H_
#define PENSTOCK_RUNTIME_CORE_HTTP_MESSAGE_H_

#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace penstock::http {

inline constexpr char kJsonContentType[] = "application/json; charset=UTF-8";
inline constexpr char kTextContentType[] = "text/plain; charset=UTF-8";

struct Request {
  std::string method;                          // "GET"
  std::string path;                            // decoded, without the query
  std::map<std::string, std::string> query;    // decoded; the last of a repeated name wins
  std::map<std::string, std::string> headers;  // names in lower case
  std::map<std::string, std::string> params;   // of the route: ":jobid" -> params["jobid"], decoded
  std::string body;                            // empty in upload handlers

  // Empty when absent.
  const std::string& header(const std::string& lower_case_name) const;
  std::optional<std::string> query_value(const std::string& name) const;
};

struct Response {
  int status = 200;
  std::string body;
  std::string content_type = kJsonContentType;
  std::map<std::string, std::string> headers = {};
};

using Handler = std::function<Response(const Request&)>;
// May be called on any thread; the second and later calls do nothing.
using Respond = std::function<void(Response)>;
using AsyncHandler = std::function<void(const Request&, Respond)>;

// Takes a request's body piece by piece. Owner: the connection; one call at a time. Destroyed without Finish() when
// the connection breaks.
class BodySink {
 public:
  virtual ~BodySink() = default;
  // A response ends the request without reading on.
  virtual std::optional<Response> Write(std::string_view piece) = 0;
  virtual Response Finish() = 0;
};
// Sets `refusal` and returns null to answer without reading the body.
using UploadHandler = std::function<std::unique_ptr<BodySink>(const Request&, Response* refusal)>;

Response JsonResponse(const nlohmann::json& value, int status = 200);
// {"errors": [message]}, Flink's form.
Response ErrorResponse(int status, std::string_view message);
// NotFound -> 404, InvalidArgument -> 400, AlreadyExists and FailedPrecondition -> 409, ...
Response ErrorResponse(const absl::Status& status);

// %XX and, where plus_is_space, '+'. Nothing on a malformed escape.
std::optional<std::string> PercentDecode(std::string_view text, bool plus_is_space = false);
// Splits "/a%20b?x=1" into path and query of `request`. False when malformed.
bool ParseTarget(std::string_view target, Request* request);

}  // namespace penstock::http

#endif  // PENSTOCK_RUNTIME_CORE_HTTP_MESSAGE_H_
