// What a registry's compatibility levels mean for Avro: which schema must read whose data.
#ifndef PENSTOCK_CONNECTORS_SCHEMA_REGISTRY_COMPATIBILITY_H_
#define PENSTOCK_CONNECTORS_SCHEMA_REGISTRY_COMPATIBILITY_H_

#include <string>
#include <vector>

#include "penstock/formats/avro/schema.h"
#include "penstock/schema_registry/client.h"

namespace penstock::schema_registry {

constexpr bool IsTransitive(Compatibility level) {
  return level == Compatibility::kBackwardTransitive || level == Compatibility::kForwardTransitive ||
         level == Compatibility::kFullTransitive;
}
constexpr bool IsBackward(Compatibility level) {
  return level == Compatibility::kBackward || level == Compatibility::kBackwardTransitive ||
         level == Compatibility::kFull || level == Compatibility::kFullTransitive;
}
constexpr bool IsForward(Compatibility level) {
  return level == Compatibility::kForward || level == Compatibility::kForwardTransitive ||
         level == Compatibility::kFull || level == Compatibility::kFullTransitive;
}

// What keeps `next` from following `earlier`, the oldest first: BACKWARD, it reads the newest's data; FORWARD, the
// newest reads its; FULL, both; transitive, all of them instead of the newest. Empty: nothing.
std::vector<std::string> CompatibilityProblems(Compatibility level, const avro::SchemaPtr& next,
                                               const std::vector<avro::SchemaPtr>& earlier);

}  // namespace penstock::schema_registry

#endif  // PENSTOCK_CONNECTORS_SCHEMA_REGISTRY_COMPATIBILITY_H_
