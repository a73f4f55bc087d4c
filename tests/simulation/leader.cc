#include <algorithm>
#include <utility>

#include "jobmanager/checkpoint/checkpoint_store.h"
#include "runtime/checkpoint/manifest.h"
#include "runtime/core/status.h"
#include "tests/simulation/cluster.h"

namespace penstock::simulation {
namespace {

constexpr uint32_t kAttemptsPerLeader = 1'000;

jobmanager::CheckpointConfig ConfigOf(uint64_t epoch) {
  return {.storage = "memory",
          .interval_ms = 200,
          .timeout_ms = 900,
          .retained = 2,
          .cluster_id = "simulated",
          .leader_epoch = epoch};
}

proto::JobGraph Graph() {
  proto::JobGraph graph;
  graph.set_uid("job");
  proto::Vertex& vertex = *graph.add_vertices();
  vertex.set_id("v");
  vertex.set_parallelism(kWorkers);
  return graph;
}

}  // namespace

bool World::Send(std::function<void()> deliver) {
  if (!healed && time.Chance(8)) return false;
  const auto late = [this] { return !healed && time.Chance(5) ? time.Random(3'000) : time.Random(20); };
  if (time.Chance(5)) time.After(late(), deliver);
  time.After(late(), std::move(deliver));
  return true;
}

Leader::Leader(World& world, uint64_t epoch)
    : world_(world),
      epoch_(epoch),
      coordinator_(ConfigOf(epoch), Graph(), world.time.clock(), *this),
      attempt_(static_cast<uint32_t>(epoch) * kAttemptsPerLeader) {}

void Leader::Start() {
  Read([this](jobmanager::StoredCheckpoints stored) {
    jobmanager::CheckpointStart start;
    start.goes_on = epoch_ > 1;
    start.taken_over = epoch_ > 1;
    if (!stored.checkpoints.empty()) start.restore = stored.checkpoints.back().point;
    start.stored = std::move(stored);
    coordinator_.Start(std::move(start));
    started_ = true;
    AfterCall();
  });
  Tick();
}

void Leader::Do(std::function<void(Leader&)> fn) {
  if (dead_) return;
  if (paused_) return asleep_.push_back(std::move(fn));
  fn(*this);
}

void Leader::Resume() {
  paused_ = false;
  for (auto& fn : std::exchange(asleep_, {})) Do(std::move(fn));
}

// What storage held some time ago.
void Leader::Read(std::function<void(jobmanager::StoredCheckpoints)> then) {
  world_.time.After(world_.time.Random(50), [self = shared_from_this(), then = std::move(then)] {
    auto stored = jobmanager::ReadCheckpoints(self->world_.storage, jobmanager::JobDirectoryOf("job"));
    self->world_.time.After(self->world_.time.Random(100), [self, then, stored = std::move(stored)] {
      self->Do([then, stored](Leader&) { then(*stored); });
    });
  });
}

void Leader::ReadStorage() {
  Read([this](jobmanager::StoredCheckpoints stored) {
    coordinator_.OnStorageRead(std::move(stored));
    AfterCall();
  });
}

// The write may land while the leader sleeps, or after it died.
void Leader::Decide(uint64_t id, std::string name, std::string bytes) {
  world_.time.After(world_.time.Random(60), [self = shared_from_this(), id, name, bytes] {
    World& world = self->world_;
    if (self->dead_ && world.time.Chance(50)) return;
    const bool there = world.storage.Has(name);
    bool won = *jobmanager::PutIfAbsent(world.storage, name, bytes);
    if (won && !there) {
      const bool tombstone = DecodeManifest(bytes, name)->kind() == proto::Manifest::TOMBSTONE;
      world.checker.OnDecided(id, self->epoch_, tombstone);
    }
    if (world.time.Chance(10)) won = *jobmanager::PutIfAbsent(world.storage, name, bytes);  // the answer was lost
    world.checker.CheckFiles(world.storage, jobmanager::JobDirectoryOf("job"));
    world.time.After(world.time.Random(60), [self, id, won] {
      self->Do([id, won](Leader& leader) {
        leader.coordinator_.OnDecided(id, won);
        leader.AfterCall();
      });
    });
  });
}

void Leader::Delete(std::vector<std::string> names) { DeleteNext(std::move(names), 0); }

// One by one: a leader may die or fall asleep in between.
void Leader::DeleteNext(std::vector<std::string> names, size_t next) {
  if (next >= names.size()) return;
  world_.time.After(world_.time.Random(30), [self = shared_from_this(), names = std::move(names), next]() mutable {
    self->Do([names = std::move(names), next](Leader& leader) mutable {
      (void)leader.world_.storage.Delete({names[next]});
      leader.world_.checker.CheckFiles(leader.world_.storage, jobmanager::JobDirectoryOf("job"));
      leader.DeleteNext(std::move(names), next + 1);
    });
  });
}

void Leader::Broadcast(proto::JobManagerToWorker message) {
  for (int slot = 0; slot < kWorkers; ++slot) SendTo(std::to_string(slot), message);
}

void Leader::SendTo(const std::string& worker, proto::JobManagerToWorker message) {
  message.set_leader_epoch(epoch_);
  message.set_attempt(attempt_);
  for (const auto& to : world_.workers) {
    if (to->attempt() != attempt_ || std::to_string(to->slot()) != worker) continue;
    if (world_.Send([to, message] { to->OnMessage(message); })) continue;
    // It was lost with its connection, and the worker connects again.
    world_.time.After(100 + world_.time.Random(500), [self = shared_from_this(), worker, attempt = attempt_] {
      self->Do([worker, attempt](Leader& leader) {
        if (leader.IsCurrent(attempt)) leader.coordinator_.OnWorkerBack(worker);
      });
    });
  }
}

void Leader::AfterCall() {
  if (std::exchange(failed_, false)) EndAttempt();
  BeginWhenSettled();
}

void Leader::BeginWhenSettled() {
  if (!started_ || in_attempt_ || !coordinator_.Settled() || world_.time.now_ms() < begin_at_ms_) return;
  in_attempt_ = true;
  running_.clear();
  coordinator_.BeginAttempt(++attempt_);
  world_.newest_attempt = std::max(world_.newest_attempt, attempt_);
  world_.checker.OnLeads(epoch_);
  for (int slot = 0; slot < kWorkers; ++slot) {
    auto worker = std::make_shared<Worker>(world_, weak_from_this(), slot, attempt_, epoch_, coordinator_.Plan());
    world_.workers.push_back(worker);
    // The host refuses a leader that it knows to be replaced. What is lost here is found by the start timeout.
    world_.time.After(world_.time.Random(150), [self = shared_from_this(), worker, slot] {
      World& world = self->world_;
      if (self->epoch_ < world.host_epochs[slot]) {
        ++world.refused;
        worker->Kill();
        return;
      }
      world.host_epochs[slot] = self->epoch_;
      worker->Start();
    });
  }
  const uint32_t attempt = attempt_;
  world_.time.After(5'000, [self = shared_from_this(), attempt] {
    self->Do([attempt](Leader& leader) {
      if (leader.running_.size() < kWorkers) leader.OnWorkerLost(attempt);
    });
  });
}

void Leader::OnWorkerRunning(uint32_t attempt, int slot) {
  if (attempt != attempt_ || !in_attempt_) return;
  running_.insert(slot);
  std::set<std::string> workers;
  for (const int running : running_) workers.insert(std::to_string(running));
  if (running_.size() == kWorkers) coordinator_.OnAllRunning(workers);
  AfterCall();
}

void Leader::OnWorkerLost(uint32_t attempt) {
  if (attempt != attempt_ || !in_attempt_) return;
  EndAttempt();
  AfterCall();
}

// Its workers are told to leave; whom the word does not reach goes on for a lease.
void Leader::EndAttempt() {
  in_attempt_ = false;
  coordinator_.EndAttempt("the attempt has ended");
  for (const auto& worker : world_.workers) {
    if (worker->attempt() != attempt_) continue;
    world_.time.After(world_.time.Chance(80) ? world_.time.Random(100) : kLeaseMs, [worker] { worker->Kill(); });
  }
  begin_at_ms_ = world_.time.now_ms() + 50 + world_.time.Random(100);
}

void Leader::Tick() {
  if (dead_) return;
  if (!paused_ && started_) {
    coordinator_.Tick();
    AfterCall();
  }
  world_.time.After(50, [self = shared_from_this()] { self->Tick(); });
}

}  // namespace penstock::simulation
