// How much one channel may have under way: how many buffers at each of its ends, and how full a buffer gets.
#ifndef PENSTOCK_RUNTIME_EXCHANGE_CHANNEL_LIMIT_H_
#define PENSTOCK_RUNTIME_EXCHANGE_CHANNEL_LIMIT_H_

#include <cstdint>

namespace penstock {

// Floating buffers of a partition: enough to keep the consumers busy, little enough that barriers stay quick.
inline constexpr int kFloatingBuffersPerPartition = 8;
// Buffers each remote channel's receiver owns for good, and those it may hold beside them.
inline constexpr int kExclusiveBuffersPerChannel = 2;
inline constexpr int kFloatingBuffersPerChannelMax = 8;

// A buffer never holds less than this: frames have to fit, and a buffer has its cost.
inline constexpr uint32_t kBufferBytesMin = 256;

// The buffers that are reserved for a channel are never taken back by a limit (protocols.md E1): less than those counts
// as those.
struct ChannelLimit {
  uint32_t buffer_bytes = UINT32_MAX;                     // beyond a segment: all of it
  int sender_buffers = 1 + kFloatingBuffersPerPartition;  // being filled, queued or on their way
  int receiver_buffers = kExclusiveBuffersPerChannel + kFloatingBuffersPerChannelMax;  // granted or come

  bool operator==(const ChannelLimit&) const = default;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_EXCHANGE_CHANNEL_LIMIT_H_
