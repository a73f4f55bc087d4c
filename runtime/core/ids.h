// Identities of things that cross a module edge. Each is its own type, so that a subtask index is never taken for a
// key group. Values; no thread owns them.
#ifndef PENSTOCK_RUNTIME_CORE_IDS_H_
#define PENSTOCK_RUNTIME_CORE_IDS_H_

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace penstock {

// A named integer. Tag makes distinct types of the same representation.
template <class Tag, class Rep>
struct StrongInt {
  Rep value{};

  constexpr StrongInt() = default;
  constexpr explicit StrongInt(Rep v) : value(v) {}
  constexpr auto operator<=>(const StrongInt&) const = default;
};

using SubtaskIndex = StrongInt<struct SubtaskIndexTag, int32_t>;
using AttemptId = StrongInt<struct AttemptIdTag, uint32_t>;
using KeyGroup = StrongInt<struct KeyGroupTag, uint32_t>;
using LeaderEpoch = StrongInt<struct LeaderEpochTag, uint64_t>;

// 128 bits written as 32 lower-case hex digits: job and vertex ids (Flink's form).
template <class Tag>
class HexId {
 public:
  constexpr HexId() = default;
  constexpr HexId(uint64_t high, uint64_t low) : high_(high), low_(low) {}

  // InvalidArgument unless text is 32 hex digits.
  static absl::StatusOr<HexId> Parse(std::string_view text);
  std::string ToString() const;

  bool IsZero() const { return high_ == 0 && low_ == 0; }
  constexpr auto operator<=>(const HexId&) const = default;
  uint64_t high() const { return high_; }
  uint64_t low() const { return low_; }

 private:
  uint64_t high_ = 0;
  uint64_t low_ = 0;
};

// Shared by every HexId; in ids.cc.
std::string FormatHex128(uint64_t high, uint64_t low);
absl::StatusOr<std::array<uint64_t, 2>> ParseHex128(std::string_view text);

template <class Tag>
absl::StatusOr<HexId<Tag>> HexId<Tag>::Parse(std::string_view text) {
  auto halves = ParseHex128(text);
  if (!halves.ok()) return halves.status();
  return HexId((*halves)[0], (*halves)[1]);
}

template <class Tag>
std::string HexId<Tag>::ToString() const {
  return FormatHex128(high_, low_);
}

template <class H, class Tag>
H AbslHashValue(H h, const HexId<Tag>& id) {
  return H::combine(std::move(h), id.high(), id.low());
}

using JobId = HexId<struct JobIdTag>;
using VertexId = HexId<struct VertexIdTag>;

}  // namespace penstock

template <class Tag>
struct std::hash<penstock::HexId<Tag>> {
  size_t operator()(const penstock::HexId<Tag>& id) const { return id.high() * 0x9e3779b97f4a7c15ULL ^ id.low(); }
};

#endif  // PENSTOCK_RUNTIME_CORE_IDS_H_
