#include "runtime/exchange/buffer_debloater.h"

#include <algorithm>
#include <cmath>

namespace penstock {
namespace {

constexpr double kNsPerS = 1e9;
constexpr uint32_t kStartingBufferBytes = 1024;
// As long as there is room for it, buffers stay this large and their number is lowered first: a buffer costs the same
// whatever it holds.
constexpr double kComfortableBufferBytes = 4096;
// Of a period: with less activity than that, the measure goes on.
constexpr int64_t kActiveShare = 10;
// In one step. A task that was slow for a reason of its own gets its buffers back gradually.
constexpr double kGrowthMax = 2;
// Of what a channel may have under way: smaller changes are not announced.
constexpr double kWorthTelling = 0.25;
// At either end one buffer is worked on while another is on its way.
constexpr int kSenderBuffersMin = 2;
constexpr int kReceiverBuffersMin = kExclusiveBuffersPerChannel;
constexpr int kSenderBuffersMax = 1 + kFloatingBuffersPerPartition;
constexpr int kReceiverBuffersMax = kExclusiveBuffersPerChannel + kFloatingBuffersPerChannelMax;
constexpr int kBuffersMin = kSenderBuffersMin + kReceiverBuffersMin;
constexpr int kBuffersMax = kSenderBuffersMax + kReceiverBuffersMax;

double BytesOf(const ChannelLimit& limit) {
  return static_cast<double>(limit.buffer_bytes) * (limit.sender_buffers + limit.receiver_buffers);
}

}  // namespace

BufferDebloater::BufferDebloater(const DebloatOptions& options, int channels, uint32_t segment_bytes,
                                 const Facts& start)
    : target_s_(static_cast<double>(options.target_ms) / 1000),
      period_ns_(options.period_ms * 1'000'000),
      samples_(std::max(1, options.samples)),
      channels_(std::max(1, channels)),
      segment_bytes_(segment_bytes),
      last_(start),
      limit_(StartingLimit(options, segment_bytes)) {
  channel_bytes_ = BytesOf(limit_);
}

ChannelLimit BufferDebloater::StartingLimit(const DebloatOptions& options, uint32_t segment_bytes) {
  ChannelLimit limit;
  if (options.enabled) limit.buffer_bytes = std::min(kStartingBufferBytes, segment_bytes);
  return limit;
}

std::optional<ChannelLimit> BufferDebloater::Observe(const Facts& facts) {
  const int64_t passed_ns = facts.now_ns - last_.now_ns;
  const int64_t active_ns = passed_ns - (facts.idle_ns - last_.idle_ns);
  if (passed_ns < period_ns_ || active_ns < period_ns_ / kActiveShare) return std::nullopt;
  const double rate = static_cast<double>(facts.consumed_bytes - last_.consumed_bytes) * kNsPerS / active_ns;
  last_ = facts;
  if (bytes_per_s_ < 0) {
    bytes_per_s_ = rate;
  } else {
    // A look that was late (the task was inside one call, or blocked) counts for all the periods it covers.
    const double periods = std::max(1.0, static_cast<double>(active_ns) / period_ns_);
    const double keep = std::pow(1 - 2 / (samples_ + 1), periods);
    bytes_per_s_ = keep * bytes_per_s_ + (1 - keep) * rate;
  }
  const ChannelLimit next = LimitFor(std::min(bytes_per_s_ * target_s_ / channels_, kGrowthMax * channel_bytes_));
  if (!WorthTelling(next)) return std::nullopt;
  limit_ = next;
  channel_bytes_ = BytesOf(next);
  return limit_;
}

ChannelLimit BufferDebloater::LimitFor(double bytes) const {
  const double comfortable = std::min<double>(kComfortableBufferBytes, segment_bytes_);
  const auto buffers = static_cast<int>(std::clamp<double>(std::floor(bytes / comfortable), kBuffersMin, kBuffersMax));
  const uint32_t least = std::min(kBufferBytesMin, segment_bytes_);
  ChannelLimit limit;
  limit.buffer_bytes = static_cast<uint32_t>(std::clamp<double>(bytes / buffers, least, segment_bytes_));
  // Both ends in equal parts, the receiver's larger by what is reserved there.
  limit.sender_buffers = std::clamp(buffers / 2, kSenderBuffersMin, kSenderBuffersMax);
  limit.receiver_buffers = std::clamp(buffers - limit.sender_buffers, kReceiverBuffersMin, kReceiverBuffersMax);
  return limit;
}

bool BufferDebloater::WorthTelling(const ChannelLimit& next) const {
  if (next == limit_) return false;
  const double bytes = BytesOf(next);
  // The ends are told exactly: a task at full speed has all its buffers, a stalled one as few as can be.
  if (next == LimitFor(0) || next == LimitFor(1e18)) return true;
  return std::abs(bytes - channel_bytes_) >= kWorthTelling * channel_bytes_;
}

int64_t BufferDebloater::TimeToConsumeMs(int64_t bytes, double bytes_per_second) {
  if (bytes_per_second < 0 || bytes == 0) return 0;
  // A stalled task would need for ever; a day says the same and can be drawn.
  constexpr double kLongestMs = 86'400'000;
  return static_cast<int64_t>(
      std::min(kLongestMs, static_cast<double>(bytes) * 1000 / std::max(bytes_per_second, 1e-3)));
}

}  // namespace penstock
