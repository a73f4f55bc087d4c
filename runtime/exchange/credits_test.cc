#include "runtime/exchange/credits.h"

#include <catch2/catch.hpp>
#include <random>

namespace penstock {
namespace {

TEST_CASE("ReceiverCredits reserves the exclusive buffers first and more only for a backlog", "[exchange]") {
  ReceiverCredits credits;
  CHECK(credits.WantedReservations() == kExclusiveBuffersPerChannel);
  credits.Reserved(2);
  CHECK(credits.ShouldAnnounce());
  CHECK(credits.TakeGrant() == 2);
  CHECK(credits.WantedReservations() == 0);
  CHECK(credits.Arrived(0, 5) == ReceiverCredits::Arrival::kAccept);
  CHECK(credits.WantedReservations() == 4);
  CHECK(credits.Arrived(1, 1000) == ReceiverCredits::Arrival::kAccept);
  CHECK(credits.WantedReservations() == kExclusiveBuffersPerChannel + kFloatingBuffersPerChannelMax);
}

TEST_CASE("ReceiverCredits refuses a gap, a repetition and a buffer without credit", "[exchange]") {
  ReceiverCredits credits;
  CHECK(credits.Arrived(0, 0) == ReceiverCredits::Arrival::kNoCredit);
  credits.Reserved(2);
  CHECK(credits.Arrived(0, 0) == ReceiverCredits::Arrival::kNoCredit);  // reserved, but not granted yet
  credits.TakeGrant();
  CHECK(credits.Arrived(1, 0) == ReceiverCredits::Arrival::kGap);
  CHECK(credits.Arrived(0, 0) == ReceiverCredits::Arrival::kAccept);
  CHECK(credits.Arrived(0, 0) == ReceiverCredits::Arrival::kGap);
}

TEST_CASE("A sender never runs dry while the receiver has room, whatever the order of events", "[exchange]") {
  const uint32_t seed = Catch::rngSeed() == 0 ? 20261122 : Catch::rngSeed();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  SenderCredits sender;
  ReceiverCredits receiver;
  int free_buffers = kExclusiveBuffersPerChannel + kFloatingBuffersPerChannelMax;
  int received = 0;
  uint32_t sent = 0;
  constexpr uint32_t kBuffers = 20'000;
  while (sent < kBuffers) {
    const int reserve = std::min(free_buffers, receiver.WantedReservations());
    receiver.Reserved(reserve);
    free_buffers -= reserve;
    REQUIRE(free_buffers >= 0);
    if (receiver.ShouldAnnounce()) sender.Grant(receiver.TakeGrant());
    // Progress: without credit there must be buffers in the task's hands, which it will give back.
    if (!sender.CanSend()) REQUIRE(received > 0);
    if (sender.CanSend() && random() % 3 != 0) {
      const uint32_t sequence = sender.Spend();
      REQUIRE(receiver.Arrived(sequence, kBuffers - sent) == ReceiverCredits::Arrival::kAccept);
      ++sent;
      ++received;
    }
    if (received > 0 && random() % 2 == 0) {
      --received;
      ++free_buffers;
    }
  }
}

}  // namespace
}  // namespace penstock
