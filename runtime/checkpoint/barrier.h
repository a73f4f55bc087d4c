// What a barrier says.
#ifndef PENSTOCK_RUNTIME_CHECKPOINT_BARRIER_H_
#define PENSTOCK_RUNTIME_CHECKPOINT_BARRIER_H_

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace penstock {

// How the job goes on behind a barrier (protocols.md D6).
enum class BarrierEnding : uint8_t { kGoesOn = 0, kSuspend = 1, kDrain = 2 };

// The id of the barrier that stands for a task's end: what is handed in then counts for all checkpoints to come.
inline constexpr uint64_t kLastSnapshot = UINT64_MAX;

struct Barrier {
  uint64_t id = 0;
  // All checkpoints up to this one have been decided or given up: a sink that missed the notice learns it here
  // (protocols.md B3). Absent: none was decided yet.
  std::optional<uint64_t> last_decided;
  BarrierEnding ending = BarrierEnding::kGoesOn;
  int64_t trigger_ms = 0;  // wall clock of the JobManager

  bool operator==(const Barrier&) const = default;
};

// Payload of a barrier frame: u64 id, u64 last decided + 1 (0: none), i64 trigger_ms, u8 ending; little-endian.
inline constexpr size_t kBarrierBytes = 25;

inline std::string EncodeBarrier(const Barrier& barrier) {
  std::string bytes(kBarrierBytes, '\0');
  const uint64_t decided = barrier.last_decided ? *barrier.last_decided + 1 : 0;
  std::memcpy(bytes.data(), &barrier.id, 8);
  std::memcpy(bytes.data() + 8, &decided, 8);
  std::memcpy(bytes.data() + 16, &barrier.trigger_ms, 8);
  bytes[24] = static_cast<char>(barrier.ending);
  return bytes;
}

inline std::optional<Barrier> DecodeBarrier(std::string_view bytes) {
  if (bytes.size() != kBarrierBytes || static_cast<uint8_t>(bytes[24]) > 2) return std::nullopt;
  Barrier barrier;
  uint64_t decided = 0;
  std::memcpy(&barrier.id, bytes.data(), 8);
  std::memcpy(&decided, bytes.data() + 8, 8);
  std::memcpy(&barrier.trigger_ms, bytes.data() + 16, 8);
  barrier.ending = static_cast<BarrierEnding>(bytes[24]);
  if (decided != 0) barrier.last_decided = decided - 1;
  return barrier;
}

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_CHECKPOINT_BARRIER_H_
