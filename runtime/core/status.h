// Making and reading absl::Status with fmt. Debian's Abseil has its own string_view type, which neither StrCat nor
// fmt convert from std::string_view, so messages are made here: `return InvalidArgument("key '{}' is unknown", key);`
#ifndef PENSTOCK_RUNTIME_CORE_STATUS_H_
#define PENSTOCK_RUNTIME_CORE_STATUS_H_

#include <fmt/format.h>

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/core/status_macros.h"

namespace penstock {

template <class... Args>
absl::Status MakeStatus(absl::StatusCode code, fmt::format_string<Args...> format, Args&&... args) {
  return absl::Status(code, fmt::format(format, std::forward<Args>(args)...));
}

#define PENSTOCK_DEFINE_STATUS(Name, code)                                          \
  template <class... Args>                                                          \
  absl::Status Name(fmt::format_string<Args...> format, Args&&... args) {           \
    return MakeStatus(absl::StatusCode::code, format, std::forward<Args>(args)...); \
  }
PENSTOCK_DEFINE_STATUS(InvalidArgument, kInvalidArgument)
PENSTOCK_DEFINE_STATUS(NotFound, kNotFound)
PENSTOCK_DEFINE_STATUS(AlreadyExists, kAlreadyExists)
PENSTOCK_DEFINE_STATUS(FailedPrecondition, kFailedPrecondition)
PENSTOCK_DEFINE_STATUS(ResourceExhausted, kResourceExhausted)
PENSTOCK_DEFINE_STATUS(Unavailable, kUnavailable)
PENSTOCK_DEFINE_STATUS(DeadlineExceeded, kDeadlineExceeded)
PENSTOCK_DEFINE_STATUS(PermissionDenied, kPermissionDenied)
PENSTOCK_DEFINE_STATUS(Unauthenticated, kUnauthenticated)
PENSTOCK_DEFINE_STATUS(OutOfRange, kOutOfRange)
PENSTOCK_DEFINE_STATUS(Aborted, kAborted)
PENSTOCK_DEFINE_STATUS(Cancelled, kCancelled)
PENSTOCK_DEFINE_STATUS(Unimplemented, kUnimplemented)
PENSTOCK_DEFINE_STATUS(DataLoss, kDataLoss)
PENSTOCK_DEFINE_STATUS(Internal, kInternal)
#undef PENSTOCK_DEFINE_STATUS

// Nothing but another program, configuration or checkpoint changes it: trying again is of no use.
inline bool IsRefusal(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsFailedPrecondition(status) || absl::IsUnimplemented(status);
}

// The message alone, as a std::string.
inline std::string MessageOf(const absl::Status& status) { return std::string(status.message()); }

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_CORE_STATUS_H_
