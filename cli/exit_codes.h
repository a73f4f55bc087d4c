// The exit codes of `penstock` (docs/cli.md), and how errors become them.
#ifndef PENSTOCK_CLI_EXIT_CODES_H_
#define PENSTOCK_CLI_EXIT_CODES_H_

#include "absl/status/status.h"

namespace penstock::cli {

enum ExitCode {
  kExitOk = 0,
  kExitFailed = 1,
  kExitUsage = 2,
  kExitUnreachable = 3,
  kExitRefused = 4,
  kExitJobFailed = 5,
  kExitJobCanceled = 6,
  kExitInterrupted = 130,  // Ctrl-C; the job goes on
};

// InvalidArgument: usage; Unavailable: unreachable; FailedPrecondition, PermissionDenied: refused; else failed.
inline ExitCode ExitCodeOf(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kExitOk;
    case absl::StatusCode::kInvalidArgument:
      return kExitUsage;
    case absl::StatusCode::kUnavailable:
      return kExitUnreachable;
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kPermissionDenied:
      return kExitRefused;
    default:
      return kExitFailed;
  }
}

}  // namespace penstock::cli

#endif  // PENSTOCK_CLI_EXIT_CODES_H_
