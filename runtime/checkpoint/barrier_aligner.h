// When does a task snapshot? Facts about its input channels in, decisions out. Pure; owner: the task's thread.
//
// A channel whose barrier has come is not read until all others have brought theirs. Ended channels leave the count. A
// task without open inputs (a source, or all has ended) goes by the trigger itself. Ids only grow: whatever carries an
// id that is done with is stale. A barrier of a newer checkpoint means that the one being aligned was given up.
#ifndef PENSTOCK_RUNTIME_CHECKPOINT_BARRIER_ALIGNER_H_
#define PENSTOCK_RUNTIME_CHECKPOINT_BARRIER_ALIGNER_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <vector>

#include "runtime/checkpoint/barrier.h"

namespace penstock {

class BarrierAligner {
 public:
  struct Decision {
    bool block = false;    // do not read the channel at hand
    bool release = false;  // read all channels again
    std::optional<Barrier> complete;
  };

  void AddChannel() { channels_.emplace_back(); }

  Decision OnBarrier(int channel, const Barrier& barrier) {
    Decision decision;
    if (Stale(barrier.id) || (current_ && barrier.id < current_->id)) return decision;
    if (current_ && barrier.id > current_->id) {
      Drop();
      decision.release = true;
    }
    if (!current_) current_ = barrier;
    channels_[channel].arrived = true;
    last_arrived_ = channel;
    if (!AllArrived()) {
      decision.block = true;
      return decision;
    }
    return Complete(*current_);
  }

  Decision OnEnd(int channel) {
    channels_[channel].ended = true;
    if (current_ && AllArrived()) return Complete(*current_);
    if (!current_ && AllEnded() && triggered_ && !Stale(triggered_->id)) return Complete(*triggered_);
    return {};
  }

  Decision OnTrigger(const Barrier& barrier) {
    if (Stale(barrier.id)) return {};
    triggered_ = barrier;
    if (AllEnded()) return Complete(barrier);
    return {};
  }

  Decision OnAborted(uint64_t id) {
    Decision decision;
    if (current_ && current_->id <= id) {
      Drop();
      decision.release = true;
    }
    done_ = std::max(done_, static_cast<int64_t>(id));
    return decision;
  }

  bool aligning() const { return current_.has_value(); }
  // The channel whose barrier came last; -1: none has come.
  int last_arrived() const { return last_arrived_; }
  bool AllEnded() const {
    return std::all_of(channels_.begin(), channels_.end(), [](const Channel& c) { return c.ended; });
  }

 private:
  struct Channel {
    bool arrived = false;
    bool ended = false;
  };

  bool Stale(uint64_t id) const { return static_cast<int64_t>(id) <= done_; }
  bool AllArrived() const {
    return std::all_of(channels_.begin(), channels_.end(), [](const Channel& c) { return c.arrived || c.ended; });
  }
  void Drop() {
    current_.reset();
    for (Channel& channel : channels_) channel.arrived = false;
  }
  Decision Complete(const Barrier& barrier) {
    Decision decision;
    decision.complete = barrier;
    decision.release = true;
    done_ = static_cast<int64_t>(barrier.id);
    Drop();
    return decision;
  }

  std::vector<Channel> channels_;
  std::optional<Barrier> current_;
  std::optional<Barrier> triggered_;
  int64_t done_ = -1;  // the largest id that is complete or given up
  int last_arrived_ = -1;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_CHECKPOINT_BARRIER_ALIGNER_H_
