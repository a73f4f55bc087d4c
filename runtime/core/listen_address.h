// What may be listened on without authentication: loopback, unless the configuration says `insecure: true`.
#ifndef PENSTOCK_RUNTIME_CORE_LISTEN_ADDRESS_H_
#define PENSTOCK_RUNTIME_CORE_LISTEN_ADDRESS_H_

#include <string>

#include "absl/status/status.h"

namespace penstock {

// "127.0.0.0/8", "::1" and "localhost".
bool IsLoopback(const std::string& host);
// PermissionDenied for an address off loopback, unless insecure. what: "the rest server".
absl::Status CheckListenAddress(const std::string& what, const std::string& address, bool insecure);

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_CORE_LISTEN_ADDRESS_H_
