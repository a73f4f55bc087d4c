#include "runtime/checkpoint/barrier_aligner.h"

#include <catch2/catch.hpp>
#include <random>
#include <set>

namespace penstock {
namespace {

BarrierAligner WithChannels(int channels) {
  BarrierAligner aligner;
  for (int i = 0; i < channels; ++i) aligner.AddChannel();
  return aligner;
}
Barrier Id(uint64_t id) { return {.id = id, .last_decided = {}}; }

TEST_CASE("a channel whose barrier has come waits for the others", "[aligner]") {
  BarrierAligner aligner = WithChannels(3);
  CHECK(aligner.OnBarrier(1, Id(0)).block);
  CHECK(aligner.OnBarrier(0, Id(0)).block);
  const auto last = aligner.OnBarrier(2, Id(0));
  CHECK_FALSE(last.block);
  CHECK(last.release);
  CHECK(last.complete == Id(0));
  CHECK_FALSE(aligner.aligning());
  CHECK(aligner.last_arrived() == 2);
}

TEST_CASE("ended channels leave the count, and the end itself may complete", "[aligner]") {
  BarrierAligner aligner = WithChannels(2);
  CHECK(aligner.OnBarrier(0, Id(3)).block);
  CHECK(aligner.OnEnd(1).complete == Id(3));
  CHECK(aligner.OnBarrier(0, Id(4)).complete == Id(4));
}

TEST_CASE("a task without open inputs goes by the trigger", "[aligner]") {
  BarrierAligner source = WithChannels(0);
  CHECK(source.OnTrigger(Id(0)).complete == Id(0));
  CHECK_FALSE(source.OnTrigger(Id(0)).complete);  // sent again

  BarrierAligner ended = WithChannels(1);
  CHECK_FALSE(ended.OnTrigger(Id(5)).complete);
  CHECK(ended.OnEnd(0).complete == Id(5));  // its producer ended without the barrier
  CHECK(ended.OnTrigger(Id(6)).complete == Id(6));
}

TEST_CASE("a trigger whose barrier has come in the stream does not complete again", "[aligner]") {
  BarrierAligner aligner = WithChannels(1);
  CHECK(aligner.OnBarrier(0, Id(5)).complete);
  CHECK_FALSE(aligner.OnTrigger(Id(5)).complete);
  CHECK_FALSE(aligner.OnEnd(0).complete);
}

TEST_CASE("an aborted checkpoint releases the channels, and its late barriers are stale", "[aligner]") {
  BarrierAligner aligner = WithChannels(2);
  CHECK(aligner.OnBarrier(0, Id(1)).block);
  CHECK(aligner.OnAborted(1).release);
  const auto late = aligner.OnBarrier(1, Id(1));
  CHECK_FALSE(late.block);
  CHECK_FALSE(late.complete);
  CHECK(aligner.OnBarrier(1, Id(2)).block);
  CHECK(aligner.OnBarrier(0, Id(2)).complete == Id(2));
}

TEST_CASE("a barrier of a newer checkpoint gives up the one being aligned", "[aligner]") {
  BarrierAligner aligner = WithChannels(2);
  CHECK(aligner.OnBarrier(0, Id(1)).block);
  const auto newer = aligner.OnBarrier(1, Id(2));
  CHECK(newer.release);
  CHECK(newer.block);
  CHECK(aligner.OnBarrier(0, Id(2)).complete == Id(2));
}

// Every channel brings its barriers in order, some never bring some; a model says which must complete: those whose
// barrier every channel brings before a newer one or an abort overtakes them.
TEST_CASE("what all channels bring completes once, in order, however they interleave", "[aligner]") {
  for (unsigned seed = 1; seed <= 200; ++seed) {
    INFO("seed " << seed);
    std::mt19937 random(seed);
    const int channels = 1 + static_cast<int>(random() % 4);
    BarrierAligner aligner = WithChannels(channels);
    std::vector<uint64_t> next(channels, 0);
    std::vector<bool> blocked(channels, false);
    std::vector<uint64_t> completed;
    for (int step = 0; step < 400; ++step) {
      const int channel = static_cast<int>(random() % channels);
      if (blocked[channel]) continue;  // it is not read
      const auto decision = aligner.OnBarrier(channel, Id(next[channel]++));
      if (decision.release) blocked.assign(channels, false);
      if (decision.block) blocked[channel] = true;
      if (decision.complete) completed.push_back(decision.complete->id);
    }
    REQUIRE_FALSE(completed.empty());
    for (size_t i = 0; i < completed.size(); ++i) CHECK(completed[i] == i);
    CHECK(completed.size() >= *std::max_element(next.begin(), next.end()) - 1);
  }
}

}  // namespace
}  // namespace penstock
