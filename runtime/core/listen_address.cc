#include "runtime/core/listen_address.h"

#include <arpa/inet.h>

#include "runtime/core/status.h"

namespace penstock {

bool IsLoopback(const std::string& host) {
  in_addr v4;
  if (inet_pton(AF_INET, host.c_str(), &v4) == 1) return ntohl(v4.s_addr) >> 24 == 127;
  return host == "localhost" || host == "::1";
}

absl::Status CheckListenAddress(const std::string& what, const std::string& address, bool insecure) {
  if (insecure || IsLoopback(address)) return absl::OkStatus();
  return PermissionDenied(
      "{} would listen on {}, which others can reach, without authentication; use 127.0.0.1 or set insecure: true",
      what, address);
}

}  // namespace penstock
