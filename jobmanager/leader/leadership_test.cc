// Who leads: several would-be leaders over one directory and one storage, stepped; time moves when told.
#include "jobmanager/leader/leadership.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "jobmanager/leader/epoch.h"
#include "jobmanager/leader/standby.h"
#include "jobmanager/store/testing/failing_storage.h"

namespace penstock::jobmanager {
namespace {

using testing::FailingStorage;

struct World {
  explicit World(bool locked = true) {
    if (!locked) return;
    dir = std::filesystem::temp_directory_path() / ("leadership-" + std::to_string(getpid()));
    std::filesystem::remove_all(dir);
  }
  ~World() {
    if (!dir.empty()) std::filesystem::remove_all(dir);
  }
  std::unique_ptr<Leadership> Candidate(const std::string& name) {
    auto made = Leadership::Open(
        {.cluster_id = "c", .lock_dir = dir, .lease_ms = 1'000, .self = {.rpc = name + ":1", .rest = name + ":2"}},
        std::make_shared<FailingStorage>(objects), clock);
    REQUIRE(made.ok());
    return *std::move(made);
  }
  std::string dir;
  std::shared_ptr<FailingStorage::Objects> objects = std::make_shared<FailingStorage::Objects>();
  ManualClock clock{1'000'000};
};

// The epoch, or 0.
uint64_t Try(Leadership& candidate) {
  const auto epoch = candidate.TryAcquire();
  REQUIRE(epoch.ok());
  return epoch->value_or(0);
}

TEST_CASE("one leads, the others wait and know where it is", "[leader]") {
  World world;
  const auto a = world.Candidate("a");
  const auto b = world.Candidate("b");
  CHECK(Try(*a) == 1);
  CHECK(Try(*b) == 0);
  CHECK(b->Leader().rpc == "a:1");
  CHECK(b->Leader().rest == "a:2");
  CHECK(a->Prove().ok());
}

TEST_CASE("when the leader dies the next one leads at once, under a larger epoch", "[leader]") {
  World world;
  auto a = world.Candidate("a");
  const auto b = world.Candidate("b");
  const auto c = world.Candidate("c");
  CHECK(Try(*a) == 1);
  CHECK(Try(*b) == 0);
  a.reset();  // the lock goes with the process
  CHECK(Try(*c) == 2);
  CHECK(Try(*b) == 0);
  CHECK(b->Leader().rpc == "c:1");
}

TEST_CASE("a leader that is paused for a lease is replaced, and finds out when it wakes up", "[leader]") {
  World world;
  const auto a = world.Candidate("a");
  const auto b = world.Candidate("b");
  CHECK(Try(*a) == 1);
  for (int i = 0; i < 30; ++i) {  // alive: however long it holds the lock
    world.clock.AdvanceMs(200);
    REQUIRE(a->Prove().ok());
    CHECK(Try(*b) == 0);
  }
  world.clock.AdvanceMs(1'000);
  CHECK(Try(*b) == 0);
  world.clock.AdvanceMs(1);
  CHECK(Try(*b) == 2);
  CHECK(absl::IsAborted(a->Prove()));
  CHECK(b->Prove().ok());
}

TEST_CASE("a leader whose lock was removed or replaced cannot prove anything", "[leader]") {
  World world;
  const auto a = world.Candidate("a");
  CHECK(Try(*a) == 1);
  std::filesystem::rename(world.dir + "/lock-1", world.dir + "/elsewhere");
  CHECK(absl::IsAborted(a->Prove()));
  std::filesystem::copy(world.dir + "/elsewhere", world.dir + "/lock-1");
  CHECK(absl::IsAborted(a->Prove()));
}

TEST_CASE("without storage a leader goes on for a lease, and no longer", "[leader]") {
  World world;
  auto storage = std::make_shared<FailingStorage>(world.objects);
  auto a = *Leadership::Open({.cluster_id = "c", .lock_dir = world.dir, .lease_ms = 1'000}, storage, world.clock);
  CHECK(Try(*a) == 1);
  storage->FailAfter(0, FailingStorage::Fails::kBefore);
  CHECK_FALSE(storage->Write("x", "").ok());
  world.clock.AdvanceMs(1'000);
  CHECK(a->Prove().ok());
  world.clock.AdvanceMs(1);
  CHECK(absl::IsAborted(a->Prove()));
}

TEST_CASE("without a lock who comes last leads", "[leader]") {
  World world(false);
  const auto a = world.Candidate("a");
  const auto b = world.Candidate("b");
  CHECK(Try(*a) == 1);
  CHECK(Try(*b) == 2);
  CHECK(absl::IsAborted(a->Prove()));
  CHECK(b->Prove().ok());
}

TEST_CASE("of two that want one epoch one gets it, and it is never given out again", "[leader]") {
  World world(false);
  FailingStorage storage(world.objects);
  CHECK(MintEpoch(storage, "d/", 1, "a").ok());
  CHECK(absl::IsAborted(MintEpoch(storage, "d/", 1, "a")));
  for (uint64_t epoch = 2; epoch < 8; ++epoch) CHECK(MintEpoch(storage, "d/", epoch, "a").ok());
  CHECK(*NewestEpoch(storage, "d/") == 7);
  CHECK(world.objects->size() == 2);  // older ones went
}

struct RecordingHost final : HostGateway {
  void Send(const proto::JobManagerToHost& message) override { sent.push_back(message); }
  void Close() override { closed = true; }
  std::vector<proto::JobManagerToHost> sent;
  bool closed = false;
};

TEST_CASE("a standby sends hosts to the leader", "[leader]") {
  StandbyControl standby;
  standby.SetLeader({.rpc = "a:1", .rest = "a:2"});
  const auto host = std::make_shared<RecordingHost>();
  standby.OnHostMessage(host, {});
  REQUIRE(host->sent.size() == 1);
  CHECK(host->sent[0].welcome().leader_address() == "a:1");
  CHECK(host->sent[0].welcome().refusal().find("a:1") != std::string::npos);
  CHECK(host->closed);
}

}  // namespace
}  // namespace penstock::jobmanager
