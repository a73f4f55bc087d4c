// Refuses requests that a foreign web page could have made the user's browser send (DNS rebinding, cross-site).
#ifndef PENSTOCK_RUNTIME_CORE_HTTP_ORIGIN_CHECK_H_
#define PENSTOCK_RUNTIME_CORE_HTTP_ORIGIN_CHECK_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "runtime/core/http/message.h"

namespace penstock::http {

// Immutable, so thread-safe.
class OriginCheck {
 public:
  // allowed_hosts: names without port under which the server may be reached besides its address.
  OriginCheck(std::string bound_address, std::vector<std::string> allowed_hosts);
  // The refusal, or nothing.
  std::optional<Response> Check(const Request& request) const;

 private:
  bool HostAllowed(const std::string& host) const;

  const std::string bound_address_;
  const std::vector<std::string> allowed_hosts_;
};

}  // namespace penstock::http

#endif  // PENSTOCK_RUNTIME_CORE_HTTP_ORIGIN_CHECK_H_
