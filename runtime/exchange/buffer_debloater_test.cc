#include "runtime/exchange/buffer_debloater.h"

#include <catch2/catch.hpp>
#include <vector>

namespace penstock {
namespace {

constexpr uint32_t kSegment = 32 << 10;
constexpr int64_t kMs = 1'000'000;
const DebloatOptions kOptions{.enabled = true};

// A task that is looked at once per period.
struct Consumer {
  explicit Consumer(int channels = 1) : debloater(kOptions, channels, kSegment, facts) {}

  // Returns whether the limit changed.
  bool Consume(int64_t bytes, int64_t busy_ms, int64_t idle_ms = 0) {
    facts.now_ns += (busy_ms + idle_ms) * kMs;
    facts.idle_ns += idle_ms * kMs;
    facts.consumed_bytes += bytes;
    return debloater.Due(facts.now_ns) && debloater.Observe(facts).has_value();
  }
  // At a steady rate; how often the limit changed.
  int Run(int64_t bytes_per_s, int periods) {
    int changes = 0;
    for (int i = 0; i < periods; ++i) changes += Consume(bytes_per_s / 5, 200);
    return changes;
  }
  int64_t UnderWay() const {
    const ChannelLimit& limit = debloater.limit();
    return static_cast<int64_t>(limit.buffer_bytes) * (limit.sender_buffers + limit.receiver_buffers);
  }

  BufferDebloater::Facts facts;
  BufferDebloater debloater;
};

TEST_CASE("What is under way is consumed within the target, at whatever rate", "[exchange]") {
  const int64_t rate = GENERATE(20'000, 100'000, 500'000, 1'000'000, 2'000'000);
  const int channels = GENERATE(1, 2);
  Consumer consumer(channels);
  consumer.Run(rate, 60);
  const auto target_bytes = static_cast<double>(rate) / 5;
  INFO("rate " << rate << " channels " << channels << " bytes " << consumer.UnderWay());
  CHECK(consumer.UnderWay() * channels <= target_bytes * 1.01);
  CHECK(consumer.UnderWay() * channels >= target_bytes * 0.7);
}

TEST_CASE("A fast task has all its buffers within a second or two, and keeps them", "[exchange]") {
  Consumer consumer;
  consumer.Run(200'000'000, 10);
  CHECK(consumer.debloater.limit() == ChannelLimit{kSegment, 1 + kFloatingBuffersPerPartition,
                                                   kExclusiveBuffersPerChannel + kFloatingBuffersPerChannelMax});
  CHECK(consumer.Run(300'000'000, 50) == 0);
}

TEST_CASE("Before anything is measured little is under way", "[exchange]") {
  CHECK(Consumer().UnderWay() < kSegment);
  CHECK(BufferDebloater::StartingLimit({.enabled = false}, kSegment) == ChannelLimit());
}

TEST_CASE("A stalled consumer is left what is reserved, and grows again in steps", "[exchange]") {
  Consumer consumer;
  consumer.Run(2'000'000, 60);
  const int64_t before = consumer.UnderWay();
  CHECK(consumer.Consume(0, 60'000));  // one call that took a minute counts as a minute
  CHECK(consumer.debloater.limit() == ChannelLimit{kBufferBytesMin, 2, kExclusiveBuffersPerChannel});
  int64_t last = consumer.UnderWay();
  for (int i = 0; i < 60; ++i) {
    consumer.Run(2'000'000, 1);
    CHECK(consumer.UnderWay() <= 2 * last);
    last = consumer.UnderWay();
  }
  CHECK(static_cast<double>(last) > 0.7 * static_cast<double>(before));
}

TEST_CASE("Time without input says nothing about speed", "[exchange]") {
  Consumer consumer;
  consumer.Run(1'000'000, 60);
  const ChannelLimit before = consumer.debloater.limit();
  CHECK_FALSE(consumer.Consume(0, 0, 600'000));
  for (int i = 0; i < 100; ++i) consumer.Consume(1000, 1, 199);  // at the same speed, when there is any
  CHECK(consumer.debloater.limit() == before);
}

TEST_CASE("A rate that swings settles on its mean instead of swinging the buffers", "[exchange]") {
  Consumer consumer;
  consumer.Run(1'000'000, 60);
  int changes = 0;
  for (int i = 0; i < 100; ++i) changes += consumer.Consume(i % 2 == 0 ? 400'000 : 0, 200);
  CHECK(changes <= 1);
  CHECK(consumer.Run(1'100'000, 100) + consumer.Run(900'000, 100) <= 1);
}

TEST_CASE("Records larger than all buffers together are averaged over their periods", "[exchange]") {
  Consumer consumer;
  // 10 MB come in a moment and take 10 s to be worked through, in one call: 1 MB/s.
  const auto record = [&] {
    consumer.Consume(10'000'000, 10);
    consumer.Consume(0, 9'990);
  };
  for (int i = 0; i < 5; ++i) record();
  CHECK(consumer.UnderWay() >= 100'000);
  CHECK(consumer.UnderWay() <= 400'000);
  const ChannelLimit limit = consumer.debloater.limit();
  record();
  CHECK(consumer.debloater.limit() == limit);
}

TEST_CASE("Many channels share what is under way, down to what each needs", "[exchange]") {
  Consumer consumer(100);
  consumer.Run(5'000'000, 60);
  CHECK(consumer.UnderWay() * 100 <= 1'010'000);
  consumer.Run(1000, 200);
  CHECK(consumer.debloater.limit() == ChannelLimit{kBufferBytesMin, 2, kExclusiveBuffersPerChannel});
}

TEST_CASE("The time to consume what waits", "[exchange]") {
  CHECK(BufferDebloater::TimeToConsumeMs(1000, -1) == 0);
  CHECK(BufferDebloater::TimeToConsumeMs(500, 1000) == 500);
  CHECK(BufferDebloater::TimeToConsumeMs(0, 0) == 0);
  CHECK(BufferDebloater::TimeToConsumeMs(1, 0) == 1'000'000);
  CHECK(BufferDebloater::TimeToConsumeMs(1 << 20, 0) == 86'400'000);
}

}  // namespace
}  // namespace penstock
