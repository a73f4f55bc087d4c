#include "connectors/kafka/exactly_once/marker.h"

namespace penstock::kafka {
namespace {

constexpr std::string_view kMagic = "penstock1 ";

}  // namespace

std::string EncodeMarkerMetadata(const Marker& marker) { return std::string(kMagic) + marker.generation; }

std::optional<Marker> DecodeMarker(int64_t offset, std::string_view metadata) {
  if (offset < 0 || !metadata.starts_with(kMagic)) return std::nullopt;
  return Marker{std::string(metadata.substr(kMagic.size())), static_cast<uint64_t>(offset)};
}

Verdict Judge(const std::optional<Marker>& marker, const AttemptOrigin::Restored& restored) {
  if (!marker) return Verdict::kMissing;
  if (marker->generation == restored.generation) {
    return marker->id >= restored.id ? Verdict::kCommitted : Verdict::kRewrite;
  }
  const bool of_parent = !restored.parent_generation.empty() && marker->generation == restored.parent_generation;
  return of_parent ? Verdict::kRewrite : Verdict::kForeign;
}

}  // namespace penstock::kafka
