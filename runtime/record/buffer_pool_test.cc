#include "runtime/record/buffer_pool.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <deque>
#include <memory>
#include <thread>

#include "runtime/core/mutex.h"

namespace penstock {
namespace {

TEST_CASE("A slot's exclusive buffer is there although others hold all floating ones", "[record]") {
  const auto pool = BufferPool::Create(1024, 8);
  auto greedy = pool->CreateQuota(1, 1, 100, [] {}).value();
  auto modest = pool->CreateQuota(2, 1, 100, [] {}).value();
  std::vector<Buffer> taken;
  while (Buffer buffer = greedy->Request(0)) taken.push_back(std::move(buffer));
  CHECK(taken.size() == 6);  // 8 less the two that are reserved for the other quota
  Buffer first = modest->Request(0);
  Buffer second = modest->Request(1);
  CHECK(first);
  CHECK(second);
  CHECK_FALSE(modest->Request(0));
  CHECK(pool->used() == 8);
}

TEST_CASE("A slot that holds as much as it may is refused and told, but has its own always", "[record]") {
  const auto pool = BufferPool::Create(1024, 16);
  int told = 0;
  auto quota = pool->CreateQuota(2, 2, 8, [&] { ++told; }).value();
  Buffer first = quota->Request(0, 1), second = quota->Request(0, 1);
  CHECK(second);  // more than it may hold, but its own
  CHECK_FALSE(quota->Request(0, 1));
  Buffer third = quota->Request(0, 3);
  CHECK(third);
  CHECK_FALSE(quota->Request(0, 3));
  CHECK(quota->Request(1, 3));  // another slot may
  third.Release();
  CHECK(told > 0);
  CHECK(quota->Request(0, 3));
}

TEST_CASE("A limited buffer holds no more than it may, and is whole again for the next one", "[record]") {
  const auto pool = BufferPool::Create(1024, 1);
  auto quota = pool->CreateQuota(1, 1, 0, [] {}).value();
  Buffer buffer = quota->Request(0);
  buffer.Limit(300);
  CHECK(buffer.room() == 300);
  buffer.Limit(5000);
  CHECK(buffer.room() == 300);
  buffer.Release();
  CHECK(quota->Request(0).room() == 1024);
}

TEST_CASE("A refused request is told when there is room", "[record]") {
  const auto pool = BufferPool::Create(1024, 4);
  int own = 0;
  int other = 0;
  auto a = pool->CreateQuota(1, 1, 1, [&] { ++own; }).value();
  auto b = pool->CreateQuota(1, 1, 8, [&] { ++other; }).value();
  Buffer a1 = a->Request(0), a2 = a->Request(0);
  CHECK_FALSE(a->Request(0));  // its floating maximum
  a2.Release();
  CHECK(own == 1);
  a2 = a->Request(0);
  Buffer b1 = b->Request(0), b2 = b->Request(0);
  CHECK_FALSE(b->Request(0));  // the pool has no floating buffer left
  a2.Release();
  CHECK(other == 1);
  CHECK(b->Request(0));
}

TEST_CASE("A quota that cannot be reserved is refused with the key to raise", "[record]") {
  const auto pool = BufferPool::Create(1024, 4);
  const auto quota = pool->CreateQuota(5, 1, 0, [] {});
  CHECK(quota.status().code() == absl::StatusCode::kResourceExhausted);
  CHECK(std::string(quota.status().message()).find("taskmanager.network.memory.size") != std::string::npos);
  CHECK(pool->CreateQuota(4, 1, 0, [] {}).ok());
  CHECK(pool->CreateQuota(4, 1, 0, [] {}).ok());  // the first one has given its reservation back
}

// A slot's own buffer that one thread gives back while another asks for it was counted free before it lay there.
TEST_CASE("A slot's own buffers go between threads, and there is always one", "[record]") {
  constexpr int kRounds = 200'000;
  const auto pool = BufferPool::Create(64, 2);
  auto quota = pool->CreateQuota(1, 2, 0, [] {}).value();
  std::atomic<bool> over = false;
  Mutex mutex;
  std::deque<Buffer> on_the_way;
  std::thread consumer([&] {
    while (true) {
      Buffer buffer;
      {
        const MutexLock lock(&mutex);
        if (on_the_way.empty() && over) return;
        if (on_the_way.empty()) continue;
        buffer = std::move(on_the_way.front());
        on_the_way.pop_front();
      }
      buffer.Release();
    }
  });
  bool good = true;
  for (int i = 0; i < kRounds;) {
    Buffer buffer = quota->Request(0);
    if (!buffer) continue;
    good = good && buffer.data() != nullptr && pool->used() <= 2;
    const MutexLock lock(&mutex);
    on_the_way.push_back(std::move(buffer));
    ++i;
  }
  over = true;
  consumer.join();
  CHECK(good);
  CHECK(pool->used() == 0);
}

// The last floating buffer came back between the refusal and the moment the refused one was on the list.
TEST_CASE("Nobody who was refused a floating buffer is forgotten", "[record]") {
  constexpr int kRounds = 50'000;
  const auto pool = BufferPool::Create(64, 1);  // one, which two threads take in turns
  struct Side {
    std::shared_ptr<BufferQuota> quota;
    std::atomic<int> told = 0;
  };
  Side sides[2];
  for (Side& side : sides) side.quota = pool->CreateQuota(1, 0, 1, [&side] { ++side.told; }).value();
  const auto take_turns = [](Side& side) {
    for (int i = 0; i < kRounds; ++i) {
      while (true) {
        const int told = side.told;
        if (side.quota->Request(0)) break;  // and gives it back
        while (side.told == told) std::this_thread::yield();
      }
    }
  };
  std::thread other([&] { take_turns(sides[1]); });
  take_turns(sides[0]);
  other.join();
  CHECK(pool->used() == 0);
}

}  // namespace
}  // namespace penstock
