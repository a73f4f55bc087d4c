// How much may be under way to a task, so that it is consumed within a target time: what a barrier has to wait behind
// when the task is the bottleneck. Facts about a gate in, a limit for each of its channels out.
//
// Pure; owner: the task's thread, which asks about once per period. The rate is what the task consumes while it has
// input: time spent idle says nothing about its speed, time spent blocked by its output does. It is smoothed over
// `samples` periods. Limits: buffers hold kBufferBytesMin to a segment, and no channel loses what is reserved for it.
#ifndef PENSTOCK_RUNTIME_EXCHANGE_BUFFER_DEBLOATER_H_
#define PENSTOCK_RUNTIME_EXCHANGE_BUFFER_DEBLOATER_H_

#include <cstdint>
#include <optional>

#include "runtime/exchange/channel_limit.h"

namespace penstock {

struct DebloatOptions {
  bool enabled = false;
  int64_t target_ms = 200;  // what is under way should be consumed within this time
  int64_t period_ms = 200;  // between two looks
  int samples = 10;         // periods the rate is smoothed over
};

class BufferDebloater {
 public:
  // Cumulative, as of now.
  struct Facts {
    int64_t now_ns = 0;
    int64_t consumed_bytes = 0;
    int64_t idle_ns = 0;  // waited for input
  };

  BufferDebloater(const DebloatOptions& options, int channels, uint32_t segment_bytes, const Facts& start);

  // What both ends of a channel begin with, before anything was measured: little, because what is under way cannot be
  // called back, and a fast task is found out within a second.
  static ChannelLimit StartingLimit(const DebloatOptions& options, uint32_t segment_bytes);

  bool Due(int64_t now_ns) const { return now_ns - last_.now_ns >= period_ns_; }
  // The limit to announce to all channels, when it is to change.
  std::optional<ChannelLimit> Observe(const Facts& facts);

  const ChannelLimit& limit() const { return limit_; }
  // Smoothed; -1 before anything was measured.
  double bytes_per_second() const { return bytes_per_s_; }
  // How long a task of that rate needs for so many bytes; 0 before anything was measured.
  static int64_t TimeToConsumeMs(int64_t bytes, double bytes_per_second);

 private:
  ChannelLimit LimitFor(double bytes_per_channel) const;
  bool WorthTelling(const ChannelLimit& next) const;

  const double target_s_;
  const int64_t period_ns_;
  const double samples_;
  const int channels_;
  const uint32_t segment_bytes_;

  Facts last_;
  double bytes_per_s_ = -1;   // smoothed; -1: not measured yet
  double channel_bytes_ = 0;  // what the limit in force lets a channel have under way
  ChannelLimit limit_;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_EXCHANGE_BUFFER_DEBLOATER_H_
