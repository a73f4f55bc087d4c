#include <catch2/catch.hpp>
#include <map>

#include "runtime/core/memory/cgroup_memory.h"
#include "runtime/core/memory/memory_arbiter.h"
#include "runtime/core/status.h"

namespace penstock {
namespace {

constexpr int64_t kMb = 1 << 20;
using Holder = MemoryHolder;

std::optional<int64_t> LimitOf(const std::map<std::string, std::string>& files) {
  return CgroupMemoryLimit([&](const std::string& path) -> std::optional<std::string> {
    const auto found = files.find(path);
    if (found == files.end()) return std::nullopt;
    return found->second;
  });
}

}  // namespace

TEST_CASE("The cgroup's limit: version 2, the tightest of the groups above", "[memory]") {
  const std::string own = "0::/system.slice/penstock.service\n";
  CHECK(LimitOf({{"/proc/self/cgroup", own}, {"/sys/fs/cgroup/memory.max", "max\n"}}) == std::nullopt);
  CHECK(LimitOf({{"/proc/self/cgroup", own},
                 {"/sys/fs/cgroup/system.slice/memory.max", "3000000\n"},
                 {"/sys/fs/cgroup/system.slice/penstock.service/memory.max", "max\n"}}) == 3'000'000);
  CHECK(LimitOf({{"/proc/self/cgroup", own},
                 {"/sys/fs/cgroup/system.slice/memory.max", "3000000\n"},
                 {"/sys/fs/cgroup/system.slice/penstock.service/memory.max", "2000000\n"}}) == 2'000'000);
  // In a container the mount is the group, whatever path the host gave it.
  CHECK(LimitOf({{"/proc/self/cgroup", "0::/../../pod\n"}, {"/sys/fs/cgroup/memory.max", "1000000\n"}}) == 1'000'000);
  CHECK(LimitOf({}) == std::nullopt);
}

TEST_CASE("The cgroup's limit: version 1", "[memory]") {
  const std::string own = "5:cpu,cpuacct:/x\n4:memory:/docker/abc\n1:name=systemd:/y\n";
  CHECK(LimitOf({{"/proc/self/cgroup", own},
                 {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"}}) == std::nullopt);
  CHECK(LimitOf({{"/proc/self/cgroup", own},
                 {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"},
                 {"/sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes", "5000000\n"}}) == 5'000'000);
  CHECK(LimitOf({{"/proc/self/cgroup", own}, {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "4000000\n"}}) ==
        4'000'000);
}

TEST_CASE("Usable memory leaves room for the TaskManager, or for others on the machine", "[memory]") {
  CHECK(UsableMemoryBytes(1000 * kMb, std::nullopt) == 750 * kMb);
  CHECK(UsableMemoryBytes(1000 * kMb, 2000 * kMb) == 750 * kMb);
  CHECK(UsableMemoryBytes(4000 * kMb, 1000 * kMb) == 904 * kMb);
  CHECK(UsableMemoryBytes(4000 * kMb, 100 * kMb) == 50 * kMb);
  CHECK(UsableMemoryBytes() > 0);
}

TEST_CASE("A grant is dealt out whole", "[memory]") {
  for (const int64_t grant : {300 * kMb, 512 * kMb, 1024 * kMb, 16'384 * kMb}) {
    INFO(grant);
    const auto shares =
        SplitGrant({.grant_bytes = grant, .network_bytes = 64 * kMb, .clients = 4, .stateful_tasks = 2});
    REQUIRE(shares.ok());
    CHECK(shares->Sum() == grant);
    for (int i = 0; i < kMemoryHolders; ++i) CHECK((*shares)[static_cast<Holder>(i)] > 0);
    CHECK((*shares)[Holder::kHotState] >= 3 * (*shares)[Holder::kBlockCache]);
    CHECK((*shares)[Holder::kNetwork] == 64 * kMb);
    CHECK((*shares)[Holder::kClientQueues] <= std::max(grant / 4, 4 * kClientQueueBytesMin));
    CHECK((*shares)[Holder::kRest] >= kRestBytesMin);
  }
}

TEST_CASE("A grant: state gets what is asked for, and the rest is not handed out twice", "[memory]") {
  const auto shares = SplitGrant({.grant_bytes = 1024 * kMb,
                                  .network_bytes = 64 * kMb,
                                  .state_bytes = 256 * kMb,
                                  .clients = 1,
                                  .stateful_tasks = 1});
  REQUIRE(shares.ok());
  CHECK((*shares)[Holder::kHotState] + (*shares)[Holder::kBlockCache] + (*shares)[Holder::kMemtables] == 256 * kMb);
  CHECK((*shares)[Holder::kRest] == (1024 - 64 - 256 - 16 - 2) * kMb);
  const auto hashmap = SplitGrant({.grant_bytes = 1024 * kMb, .stateful_tasks = 1, .rocksdb = false});
  CHECK((*hashmap)[Holder::kBlockCache] == 0);
  CHECK((*hashmap)[Holder::kHotState] == (1024 - 128 - 2) * kMb);
  const auto stateless = SplitGrant({.grant_bytes = 1024 * kMb, .network_bytes = 64 * kMb, .clients = 1});
  CHECK((*stateless)[Holder::kHotState] == 0);
  CHECK(stateless->Sum() == 1024 * kMb);
}

TEST_CASE("A block cache of its own size comes out of state's memory", "[memory]") {
  MemoryRequest request{.state_bytes = 256 * kMb, .stateful_tasks = 1, .block_cache_bytes = 64 * kMb};
  const auto shares = SplitGrant(request);
  REQUIRE(shares.ok());
  CHECK((*shares)[Holder::kBlockCache] == 64 * kMb);
  CHECK((*shares)[Holder::kMemtables] == 32 * kMb);
  CHECK((*shares)[Holder::kHotState] == 160 * kMb);
  request.block_cache_bytes = 128 * kMb;
  CHECK(absl::IsInvalidArgument(SplitGrant(request).status()));
}

TEST_CASE("A grant that is too small is refused with what would do", "[memory]") {
  const auto shares = SplitGrant({.grant_bytes = 128 * kMb, .network_bytes = 64 * kMb, .stateful_tasks = 1});
  CHECK(absl::IsResourceExhausted(shares.status()));
  CHECK(MessageOf(shares.status()).find("granted 128 MB of memory, but needs 138 MB") != std::string::npos);
  CHECK(MessageOf(shares.status()).find("taskmanager.memory.size") != std::string::npos);
  CHECK_FALSE(SplitGrant({.grant_bytes = 512 * kMb, .state_bytes = 500 * kMb, .stateful_tasks = 1}).ok());
  CHECK_FALSE(SplitGrant({.grant_bytes = 100 * kMb, .network_bytes = 64 * kMb}).ok());
}

TEST_CASE("Without a grant the defaults hold", "[memory]") {
  const auto shares = SplitGrant({.network_bytes = 64 * kMb, .clients = 2, .stateful_tasks = 1});
  REQUIRE(shares.ok());
  CHECK((*shares)[Holder::kHotState] == kStateBytesDefault / 4 * 3);
  CHECK((*shares)[Holder::kClientQueues] == 2 * kClientQueueBytes);
  MemoryArbiter arbiter(0, *shares);
  CHECK(arbiter.Watch(*shares, int64_t{1} << 50) == *shares);
  CHECK_FALSE(arbiter.under_pressure());
}

TEST_CASE("Pressure takes from the cache first, then from the hot tables, and gives back", "[memory]") {
  const int64_t grant = 1024 * kMb;
  const MemoryBytes full = *SplitGrant({.grant_bytes = grant, .network_bytes = 64 * kMb, .stateful_tasks = 1});
  MemoryBytes used = full;
  MemoryArbiter arbiter(grant, full);
  arbiter.Watch(used, grant / 2);
  CHECK_FALSE(arbiter.under_pressure());
  CHECK(arbiter.budgets() == full);
  arbiter.Watch(used, grant / 16 * 15 + 1);
  CHECK(arbiter.under_pressure());
  CHECK(arbiter.budgets()[Holder::kBlockCache] == full[Holder::kBlockCache] / 2);
  CHECK(arbiter.budgets()[Holder::kHotState] == full[Holder::kHotState]);
  for (int i = 0; i < 20; ++i) arbiter.Watch(used, grant);
  CHECK(arbiter.budgets()[Holder::kBlockCache] == 2 * kMb);
  CHECK(arbiter.budgets()[Holder::kHotState] < full[Holder::kHotState]);
  for (int i = 0; i < 200; ++i) {
    used[Holder::kHotState] = arbiter.budgets()[Holder::kHotState];
    arbiter.Watch(used, grant);
  }
  CHECK(arbiter.budgets()[Holder::kHotState] == full[Holder::kHotState] / 4);  // never less
  CHECK(arbiter.budgets()[Holder::kNetwork] == full[Holder::kNetwork]);
  arbiter.Watch(used, grant / 16 * 14 + 1);  // between the marks nothing changes
  CHECK(arbiter.budgets()[Holder::kHotState] == full[Holder::kHotState] / 4);
  for (int i = 0; i < 20; ++i) arbiter.Watch(used, grant / 2);
  CHECK(arbiter.budgets() == full);
  CHECK_FALSE(arbiter.under_pressure());
}

}  // namespace penstock
