#include "runtime/record/buffer_pool.h"

#include <catch2/catch.hpp>

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

}  // namespace
}  // namespace penstock
