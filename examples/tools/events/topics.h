// `penstock-events count`, `lag`, `group` and `show`.
#ifndef PENSTOCK_EXAMPLES_TOOLS_EVENTS_TOPICS_H_
#define PENSTOCK_EXAMPLES_TOOLS_EVENTS_TOPICS_H_

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace penstock::events {

// Records in a topic, in all and by partition.
absl::Status PrintCount(const std::string& brokers, const std::string& topic);
// First and end offset by partition; with a group also what it has committed and what is left.
absl::Status PrintLag(const std::string& brokers, const std::string& topic, const std::string& group);
// Commits the offset for the group in every partition. REQUIRES: the group has no members.
absl::Status SetGroup(const std::string& brokers, const std::string& topic, const std::string& group, int64_t offset);
// The first `count` values, waiting for them up to timeout_s.
absl::Status Show(const std::string& brokers, const std::string& topic, int count, double timeout_s);

}  // namespace penstock::events

#endif  // PENSTOCK_EXAMPLES_TOOLS_EVENTS_TOPICS_H_
