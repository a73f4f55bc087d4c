// REQUIRE_OK(status): the test fails with the status' text.
#ifndef PENSTOCK_TESTS_SUPPORT_REQUIRE_OK_H_
#define PENSTOCK_TESTS_SUPPORT_REQUIRE_OK_H_

#include <catch2/catch.hpp>

#include "absl/status/status.h"

// Variadic: template arguments may stand in the expression.
#define REQUIRE_OK(...)                              \
  do {                                               \
    const absl::Status status_of_it = (__VA_ARGS__); \
    INFO(status_of_it.ToString());                   \
    REQUIRE(status_of_it.ok());                      \
  } while (false)

#endif  // PENSTOCK_TESTS_SUPPORT_REQUIRE_OK_H_
