// The marker of a sink slot: the newest checkpoint whose output the slot has committed. Pure.
//
// It stands as the offset of the slot's marker group, with "penstock1 <generation>" as its metadata, and is written
// inside the transaction that it speaks of: it can be seen if and only if that was committed.
#ifndef PENSTOCK_CONNECTORS_KAFKA_EXACTLY_ONCE_MARKER_H_
#define PENSTOCK_CONNECTORS_KAFKA_EXACTLY_ONCE_MARKER_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "runtime/task/attempt_origin.h"

namespace penstock::kafka {

struct Marker {
  std::string generation;
  uint64_t id = 0;

  bool operator==(const Marker&) const = default;
};

std::string EncodeMarkerMetadata(const Marker& marker);
// Nothing: somebody else has committed there.
std::optional<Marker> DecodeMarker(int64_t offset, std::string_view metadata);

enum class Verdict {
  kCommitted,  // what the checkpoint covers is out
  kRewrite,    // it was aborted: write it again from the log
  kMissing,    // the broker has forgotten the marker
  kForeign,    // of a generation that the checkpoint knows nothing of
};

// Every attempt begins by bringing the marker of each of its slots to what it was restored from, so a marker is of that
// checkpoint's generation, or of the one that generation began from (protocols.md A3).
Verdict Judge(const std::optional<Marker>& marker, const AttemptOrigin::Restored& restored);

}  // namespace penstock::kafka

#endif  // PENSTOCK_CONNECTORS_KAFKA_EXACTLY_ONCE_MARKER_H_
