// Jobs in storage, with a process that dies at every write.
#include "jobmanager/store/job_store.h"

#include <catch2/catch.hpp>

#include "jobmanager/store/job_entry.h"
#include "jobmanager/store/testing/failing_storage.h"
#include "runtime/core/status.h"

namespace penstock::jobmanager {
namespace {

using testing::FailingStorage;

const std::string kDigestA(64, 'a');
const std::string kDigestB(64, 'b');

proto::JobEntry Entry(const std::string& id, const std::string& uid, const std::string& digest = kDigestA) {
  proto::JobEntry entry;
  entry.set_job_id(id);
  entry.mutable_graph()->set_uid(uid);
  entry.set_digest(digest);
  entry.set_submitted_ms(id.back());
  return entry;
}

proto::JobEnd End(const char* state, int64_t end_ms) {
  proto::JobEnd end;
  end.set_state(state);
  end.set_end_ms(end_ms);
  return end;
}

// One storage, and JobManagers that come and go before it.
struct World {
  // The JobManager's own view of the storage, which dies with it.
  std::unique_ptr<JobStore> Store(uint64_t epoch, JobStoreLimits limits = {}) {
    storage = std::make_shared<FailingStorage>(objects);
    return std::make_unique<JobStore>(storage, "cluster", epoch, limits, clock);
  }
  std::vector<std::string> Live(const StoredJobs& jobs) const {
    std::vector<std::string> ids;
    for (const auto& entry : jobs.live) ids.push_back(entry.job_id());
    return ids;
  }
  size_t Programs() const {
    return std::ranges::count_if(*objects,
                                 [](const auto& o) { return o.first.find("/programs/") != std::string::npos; });
  }

  std::shared_ptr<FailingStorage::Objects> objects = std::make_shared<FailingStorage::Objects>();
  std::shared_ptr<FailingStorage> storage;
  ManualClock clock{1'000'000};
};

TEST_CASE("a new leader finds the live jobs and the results of those that ended", "[job_store]") {
  World world;
  auto first = world.Store(1);
  REQUIRE(first->Open().ok());
  REQUIRE(first->PutProgram(kDigestA, "program a").ok());
  REQUIRE(first->PutProgram(kDigestB, "program b").ok());
  REQUIRE(first->Add(Entry("j1", "one")).ok());
  REQUIRE(first->Add(Entry("j2", "two", kDigestB)).ok());
  CHECK(absl::IsAlreadyExists(first->Add(Entry("j3", "one"))));
  REQUIRE(first->End("j2", End("FAILED", 5)).ok());
  REQUIRE(first->End("j2", End("FAILED", 5)).ok());  // repeated after a lost answer

  auto second = world.Store(2);
  const auto jobs = second->Open();
  REQUIRE(jobs.ok());
  CHECK(world.Live(*jobs) == std::vector<std::string>{"j1"});
  CHECK(jobs->live[0].attempts_before() == kAttemptsPerLeader);
  REQUIRE(jobs->ended.size() == 1);
  CHECK(jobs->ended[0].end().state() == "FAILED");
  CHECK(world.Programs() == 1);  // that of the live job
  // The uid of the ended job is free, the other one is not.
  CHECK(second->Add(Entry("j4", "two")).ok());
  CHECK(absl::IsAlreadyExists(second->Add(Entry("j5", "one"))));
}

TEST_CASE("a predecessor that was paused can neither end nor add a job that was taken over", "[job_store]") {
  World world;
  auto paused = world.Store(1);
  REQUIRE(paused->Open().ok());
  REQUIRE(paused->Add(Entry("j1", "one")).ok());
  auto leader = world.Store(2);
  REQUIRE(leader->Open().ok());
  CHECK(absl::IsAborted(paused->End("j1", End("CANCELED", 5))));
  REQUIRE(leader->End("j1", End("FINISHED", 7)).ok());
  REQUIRE(leader->Add(Entry("j2", "one")).ok());
  CHECK(absl::IsAborted(paused->End("j1", End("CANCELED", 9))));
  REQUIRE(leader->Add(Entry("j3", "new")).ok());
  CHECK(absl::IsAborted(paused->Add(Entry("j4", "new"))));
  const auto jobs = world.Store(3)->Open();
  REQUIRE(jobs.ok());
  CHECK(world.Live(*jobs) == std::vector<std::string>{"j2", "j3"});
}

TEST_CASE("a process that dies at any write leaves each job as it was, or as it was to become", "[job_store]") {
  const auto run = [](JobStore& store) {  // each step only when the one before was reported
    std::vector<std::string> reported;
    if (!store.Open().ok()) return reported;
    reported.push_back("open");
    if (!store.PutProgram(kDigestB, "program b").ok() || !store.Add(Entry("new", "two", kDigestB)).ok())
      return reported;
    reported.push_back("add");
    if (!store.End("old", End("FINISHED", 9)).ok()) return reported;
    reported.push_back("end");
    if (!store.PutProgram(kDigestA, "program a").ok() || !store.Add(Entry("next", "one")).ok()) return reported;
    reported.push_back("next");
    return reported;
  };
  const auto prepare = [](World& world) {
    auto store = world.Store(1);
    REQUIRE(store->Open().ok());
    REQUIRE(store->PutProgram(kDigestA, "program a").ok());
    REQUIRE(store->Add(Entry("old", "one")).ok());
  };
  World whole;
  prepare(whole);
  const auto straight = whole.Store(2);
  REQUIRE(run(*straight).size() == 4);
  const int writes = whole.storage->changes();
  REQUIRE(writes >= 7);
  for (int n = 0; n < writes; ++n) {
    for (const auto how : {FailingStorage::Fails::kBefore, FailingStorage::Fails::kAfter}) {
      INFO("dies at write " << n << (how == FailingStorage::Fails::kBefore ? ", before it" : ", after it"));
      World world;
      prepare(world);
      const auto dying = world.Store(2);
      world.storage->FailAfter(n, how);
      const std::vector<std::string> reported = run(*dying);
      const auto said = [&](const char* step) { return std::ranges::count(reported, step) > 0; };

      const auto jobs = world.Store(3)->Open();
      REQUIRE(jobs.ok());
      CHECK(jobs->damaged.empty());
      const std::vector<std::string> live = world.Live(*jobs);
      const auto lives = [&](const char* id) { return std::ranges::count(live, id) == 1; };
      const bool ended = jobs->ended.size() == 1;
      CHECK(jobs->ended.size() <= 1);
      CHECK(lives("old") != ended);  // never both, never neither
      if (said("add")) CHECK(lives("new"));
      if (said("end")) CHECK(ended);
      if (said("next")) CHECK(lives("next"));
      if (lives("next")) CHECK(ended);
      for (const auto& entry : jobs->live) {
        CHECK(world.objects->contains("clusters/cluster/programs/" + entry.digest()));
      }
      // What the dead one left behind is cleared away: a claim for each live job and a result for each ended one.
      const auto entries = std::ranges::count_if(
          *world.objects, [](const auto& o) { return o.first.find("/jobs/") != std::string::npos; });
      CHECK(entries == static_cast<long>(jobs->live.size() + jobs->ended.size()));
    }
  }
}

TEST_CASE("ended jobs are listed up to a number and an age", "[job_store]") {
  World world;
  auto store = world.Store(1, {.ended_max = 2, .ended_expire_ms = 1'000});
  REQUIRE(store->Open().ok());
  for (const char* id : {"j1", "j2", "j3"}) {
    REQUIRE(store->Add(Entry(id, id)).ok());
    world.clock.AdvanceMs(400);
    REQUIRE(store->End(id, End("FINISHED", world.clock.NowMs())).ok());
  }
  const auto ids = [](const StoredJobs& jobs) {
    std::string text;
    for (const auto& entry : jobs.ended) text += entry.job_id();
    return text;
  };
  const JobStoreLimits limits{.ended_max = 2, .ended_expire_ms = 1'000};
  CHECK(ids(*world.Store(2, limits)->Open()) == "j3j2");
  world.clock.AdvanceMs(700);
  CHECK(ids(*world.Store(3, limits)->Open()) == "j3");
  world.clock.AdvanceMs(700);
  CHECK(ids(*world.Store(4, limits)->Open()).empty());
}

TEST_CASE("a damaged entry is named and its uid stays usable", "[job_store]") {
  World world;
  auto store = world.Store(1);
  REQUIRE(store->Open().ok());
  REQUIRE(store->Add(Entry("j1", "one")).ok());
  for (auto& [name, bytes] : *world.objects) {
    if (name.find("/jobs/") != std::string::npos) bytes[bytes.size() / 2] ^= 1;
  }
  auto next = world.Store(2);
  const auto jobs = next->Open();
  REQUIRE(jobs.ok());
  REQUIRE(jobs->damaged.size() == 1);
  CHECK(jobs->damaged[0].find("uid-one") != std::string::npos);
  CHECK(next->Add(Entry("j2", "one")).ok());
}

TEST_CASE("an ended job comes back with its state, failure and attempts", "[job_store]") {
  JobSnapshot snapshot;
  snapshot.state = JobState::kFailed;
  snapshot.end_ms = 77;
  snapshot.attempt = 3;
  FailureSnapshot& failure = snapshot.failures.emplace_back();
  failure.failure.set_message("boom");
  failure.task_name = "task";
  proto::JobEntry entry = Entry("j1", "one");
  entry.set_kind(proto::JobEntry::ENDED);
  *entry.mutable_end() = EndOf(snapshot);
  const auto back = SnapshotOf(*DecodeJobEntry(EncodeJobEntry(entry), "test"));
  CHECK(back->state == JobState::kFailed);
  CHECK(back->end_ms == 77);
  CHECK(back->attempt == 3);
  REQUIRE(back->failures.size() == 1);
  CHECK(back->failures[0].failure.message() == "boom");
  CHECK(back->failures[0].task_name == "task");
}

}  // namespace
}  // namespace penstock::jobmanager
