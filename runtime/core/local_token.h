// The local token: a secret in a file that only the user can read. Whoever can read it may change things over REST.
#ifndef PENSTOCK_RUNTIME_CORE_LOCAL_TOKEN_H_
#define PENSTOCK_RUNTIME_CORE_LOCAL_TOKEN_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace penstock {

// Where the JobManager whose REST server has this port keeps it unless rest.local-token-file says otherwise:
// $PENSTOCK_RUN_DIR/rest-token-<port>, else ~/.penstock/rest-token-<port>.
std::string DefaultLocalTokenFile(int rest_port);
// Writes a new random token (mode 0600), in place of an older one.
absl::StatusOr<std::string> CreateLocalToken(const std::string& path);
// NotFound when there is no file; PermissionDenied when others may read or write it.
absl::StatusOr<std::string> ReadLocalToken(const std::string& path);
// In time that does not depend on where they differ.
bool SameToken(std::string_view a, std::string_view b);

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_CORE_LOCAL_TOKEN_H_
