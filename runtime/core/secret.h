// References in settings to what should not stand in them: "${env:NAME}" and "${file:/path}" are replaced where the
// value is used, on the machine that uses it, so that a secret is in no plan, log or argument.
#ifndef PENSTOCK_RUNTIME_CORE_SECRET_H_
#define PENSTOCK_RUNTIME_CORE_SECRET_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace penstock {

inline constexpr int kSecretBytesMax = 1 << 20;  // of a file

// Replaces every reference. A file's content loses its last line end. FailedPrecondition: the variable is not set, the
// file cannot be read; InvalidArgument: a reference that is none. Messages name the reference, never a value.
absl::StatusOr<std::string> ResolveSecrets(std::string_view text);

// What can be said without looking: the references in it are well formed.
absl::Status CheckSecretReferences(std::string_view text);

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_CORE_SECRET_H_
