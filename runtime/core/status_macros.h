// Early return on a non-OK absl::Status or StatusOr.
#ifndef PENSTOCK_RUNTIME_CORE_STATUS_MACROS_H_
#define PENSTOCK_RUNTIME_CORE_STATUS_MACROS_H_

#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#define PENSTOCK_CONCAT_INNER(a, b) a##b
#define PENSTOCK_CONCAT(a, b) PENSTOCK_CONCAT_INNER(a, b)

#define PENSTOCK_RETURN_IF_ERROR(expr)                         \
  do {                                                         \
    if (absl::Status penstock_status = (expr); !penstock_status.ok()) return penstock_status; \
  } while (false)

// PENSTOCK_ASSIGN_OR_RETURN(auto x, MakeX());
#define PENSTOCK_ASSIGN_OR_RETURN(lhs, expr) \
  PENSTOCK_ASSIGN_OR_RETURN_INNER(PENSTOCK_CONCAT(penstock_or_, __LINE__), lhs, expr)
#define PENSTOCK_ASSIGN_OR_RETURN_INNER(tmp, lhs, expr) \
  auto tmp = (expr);                                    \
  if (!tmp.ok()) return tmp.status();                   \
  lhs = std::move(tmp).value()

#endif  // PENSTOCK_RUNTIME_CORE_STATUS_MACROS_H_
