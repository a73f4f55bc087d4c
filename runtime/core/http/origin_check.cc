#include "runtime/core/http/origin_check.h"

#include <arpa/inet.h>

#include <algorithm>
#include <utility>

#include "runtime/core/listen_address.h"
#include "runtime/core/status.h"

namespace penstock::http {
namespace {

// "host:port", "host", "[::1]:port" -> host, without brackets, in lower case.
std::string HostOf(std::string_view authority) {
  std::string host;
  if (!authority.empty() && authority[0] == '[') {
    host = authority.substr(1, authority.find(']') - 1);
  } else {
    host = authority.substr(0, authority.rfind(':'));
  }
  std::transform(host.begin(), host.end(), host.begin(), [](unsigned char c) { return std::tolower(c); });
  return host;
}

bool IsIpLiteral(const std::string& host) {
  in6_addr address;
  return inet_pton(AF_INET, host.c_str(), &address) == 1 || inet_pton(AF_INET6, host.c_str(), &address) == 1;
}

}  // namespace

OriginCheck::OriginCheck(std::string bound_address, std::vector<std::string> allowed_hosts)
    : bound_address_(std::move(bound_address)), allowed_hosts_(std::move(allowed_hosts)) {}

bool OriginCheck::HostAllowed(const std::string& host) const {
  if (host.empty()) return false;
  if (IsLoopback(host) || host == bound_address_) return true;
  // An address can't be rebound by DNS, so off loopback any is taken: the machine may have several.
  if (!IsLoopback(bound_address_) && IsIpLiteral(host)) return true;
  return std::find(allowed_hosts_.begin(), allowed_hosts_.end(), host) != allowed_hosts_.end();
}

std::optional<Response> OriginCheck::Check(const Request& request) const {
  const std::string& authority = request.header("host");
  if (!HostAllowed(HostOf(authority))) {
    return ErrorResponse(
        403, fmt::format("Host '{}' is not one this server answers to; add it to rest.allow-origin-hosts", authority));
  }
  const std::string& origin = request.header("origin");
  if (origin.empty()) return std::nullopt;
  const size_t scheme_end = origin.find("://");
  if (scheme_end != std::string::npos) {
    const std::string origin_authority = origin.substr(scheme_end + 3);
    const std::string origin_host = HostOf(origin_authority);
    const bool listed = std::find(allowed_hosts_.begin(), allowed_hosts_.end(), origin_host) != allowed_hosts_.end();
    if (origin_authority == authority || listed) return std::nullopt;
  }
  return ErrorResponse(403,
                       fmt::format("Origin '{}' is not this server's; requests of other sites are refused", origin));
}

}  // namespace penstock::http
