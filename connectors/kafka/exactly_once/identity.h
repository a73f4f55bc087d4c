// The names under which a sink slot is known to the broker. One slot per subtask; they outlive attempts and restarts.
#ifndef PENSTOCK_CONNECTORS_KAFKA_EXACTLY_ONCE_IDENTITY_H_
#define PENSTOCK_CONNECTORS_KAFKA_EXACTLY_ONCE_IDENTITY_H_

#include <string>

namespace penstock::kafka {

struct SlotIdentity {
  std::string cluster_id;
  std::string job_uid;
  std::string sink_uid;
  int slot = 0;

  // The transactional id, and the group whose offset is the marker: "<cluster>.<job>.<sink>.<slot>", each part with
  // everything but letters, digits, '-' and '_' as %XX, so that no two identities make the same name.
  std::string Name() const;
};

}  // namespace penstock::kafka

#endif  // PENSTOCK_CONNECTORS_KAFKA_EXACTLY_ONCE_IDENTITY_H_
