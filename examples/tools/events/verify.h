// `penstock-events verify`: compares an output topic with the oracle's rows.
#ifndef PENSTOCK_EXAMPLES_TOOLS_EVENTS_VERIFY_H_
#define PENSTOCK_EXAMPLES_TOOLS_EVENTS_VERIFY_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "examples/tools/events/oracle.h"

namespace penstock::events {

// What is there against what should be. Pure. Rows of closing sessions are passed over.
class Comparison {
 public:
  explicit Comparison(const std::vector<std::string>& expected);

  void Add(std::string_view row);
  bool complete() const { return missing_ == 0; }
  // Exactly the expected rows; identical duplicates only where allowed.
  bool equal(bool duplicates_allowed) const {
    return complete() && unexpected_count_ == 0 && (duplicates_allowed || duplicates_ == 0);
  }

  int64_t expected() const { return static_cast<int64_t>(seen_.size()); }
  int64_t rows() const { return rows_; }
  int64_t missing() const { return missing_; }
  int64_t duplicates() const { return duplicates_; }
  int64_t unexpected() const { return unexpected_count_; }
  const std::vector<std::string>& unexpected_samples() const { return unexpected_; }
  std::vector<std::string> MissingSamples() const;
  // Of the distinct expected rows that are there / of all expected.
  uint64_t checksum() const { return checksum_.value(); }
  uint64_t expected_checksum() const { return expected_checksum_.value(); }

 private:
  std::unordered_map<std::string, bool> seen_;
  int64_t rows_ = 0;
  int64_t missing_ = 0;
  int64_t duplicates_ = 0;
  int64_t unexpected_count_ = 0;
  std::vector<std::string> unexpected_;  // the first few
  Checksum checksum_;
  Checksum expected_checksum_;
};

struct VerifyOptions {
  std::string brokers;
  std::string topic = "sessions-aggregated";
  std::string expected;
  double timeout_s = 120;
  double settle_s = 2;  // after the last expected row: time for rows that should not be there
  bool at_least_once = false;
  std::string json;  // file for the figures; empty: none
};

// True when the topic is as expected. An error when that cannot be told.
absl::StatusOr<bool> Verify(const VerifyOptions& options);

}  // namespace penstock::events

#endif  // PENSTOCK_EXAMPLES_TOOLS_EVENTS_VERIFY_H_
