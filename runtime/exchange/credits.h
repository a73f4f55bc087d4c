// Credit accounting of one remote channel, as pure values: facts in, decisions out. Both ends live in peer_link.cc.
//
// One credit is the right to send one buffer. The receiver grants what it has reserved in its pool; the sender
// announces its backlog with every buffer, so that the receiver may reserve floating buffers for a channel that can use
// them.
#ifndef PENSTOCK_RUNTIME_EXCHANGE_CREDITS_H_
#define PENSTOCK_RUNTIME_EXCHANGE_CREDITS_H_

#include <algorithm>
#include <cstdint>

#include "runtime/exchange/channel_limit.h"

namespace penstock {

class SenderCredits {
 public:
  void Grant(uint32_t credits) { available_ += credits; }
  bool CanSend() const { return available_ > 0; }
  // REQUIRES: CanSend(). Returns the sequence number of the buffer sent.
  uint32_t Spend() {
    --available_;
    return next_sequence_++;
  }
  uint32_t available() const { return available_; }

 private:
  uint32_t available_ = 0;
  uint32_t next_sequence_ = 0;
};

class ReceiverCredits {
 public:
  enum class Arrival { kAccept, kGap, kNoCredit };

  // How many buffers the channel should reserve now: its exclusive ones always, more while the sender has a backlog.
  int WantedReservations() const {
    const int useful = std::min<int>(backlog_, kExclusiveBuffersPerChannel + kFloatingBuffersPerChannelMax);
    return std::max(kExclusiveBuffersPerChannel, useful) - outstanding_;
  }
  // `count` buffers have been reserved: they will be granted with the next TakeGrant.
  void Reserved(int count) {
    outstanding_ += count;
    ungranted_ += count;
  }
  // Credits are announced together: at once when the sender may be out of them, else when half of a window is free.
  bool ShouldAnnounce() const {
    const int granted = outstanding_ - ungranted_;
    return ungranted_ > 0 &&
           (granted == 0 || ungranted_ >= (granted + 1) / 2 || ungranted_ >= kFloatingBuffersPerChannelMax);
  }
  uint32_t TakeGrant() {
    const uint32_t grant = ungranted_;
    ungranted_ = 0;
    return grant;
  }
  // A buffer with this sequence number has come; it takes one reservation.
  Arrival Arrived(uint32_t sequence, uint32_t backlog) {
    if (sequence != expected_sequence_) return Arrival::kGap;
    if (outstanding_ - ungranted_ <= 0) return Arrival::kNoCredit;
    ++expected_sequence_;
    --outstanding_;
    backlog_ = static_cast<int>(std::min<uint32_t>(backlog, 1u << 20));
    return Arrival::kAccept;
  }
  int outstanding() const { return outstanding_; }
  int backlog() const { return backlog_; }

 private:
  int outstanding_ = 0;  // reserved for this channel: granted, or about to be
  int ungranted_ = 0;    // reserved but not announced yet
  int backlog_ = 0;      // the sender's queue, as last heard
  uint32_t expected_sequence_ = 0;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_EXCHANGE_CREDITS_H_
