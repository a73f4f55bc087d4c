#include <sstream>
#include <utility>

#include "runtime/checkpoint/manifest.h"
#include "runtime/core/status.h"
#include "tests/simulation/cluster.h"

namespace penstock::simulation {
namespace {

constexpr int64_t kEmitMs = 10;
constexpr int64_t kAskMs = 1'000;
constexpr int kCheckpointsPerBase = 4;

std::string EncodeSnapshot(int64_t position, const std::vector<int64_t>& log) {
  std::string text = std::to_string(position);
  for (const int64_t record : log) text += " " + std::to_string(record);
  return text;
}

}  // namespace

Worker::Worker(World& world, std::weak_ptr<Leader> leader, int slot, uint32_t attempt, uint64_t epoch,
               proto::CheckpointPlan plan)
    : world_(world),
      leader_(std::move(leader)),
      slot_(slot),
      attempt_(attempt),
      epoch_(epoch),
      plan_(std::move(plan)) {}

void Worker::Tell(std::function<void(Leader&)> fn) {
  world_.Send([leader = leader_, fn = std::move(fn)] {
    if (const auto to = leader.lock()) to->Do(fn);
  });
}

proto::CheckpointId Worker::IdOf(uint64_t id) const {
  proto::CheckpointId result;
  result.set_id(id);
  result.set_generation(plan_.generation());
  return result;
}

void Worker::Start() {
  if (dead_) return;
  // A slow machine: the attempt may be over by now, and another one may own the slot.
  world_.time.After(world_.time.Chance(10) ? world_.time.Random(2'000) : 5, [self = shared_from_this()] {
    if (!self->dead_) self->Recover();
  });
}

// reference: the protocol's recovery from checkpoint n, for the slot's transactional id.
void Worker::Recover() {
  handle_ = world_.broker.Init(slot_);
  const Broker::Slot& slot = world_.broker.slot(slot_);
  if (plan_.restore_manifest().empty()) {
    if (!slot.has_marker) return Run();
    if (attempt_ == world_.newest_attempt) world_.checker.Fail("a start without state, but output was committed");
    return Fail();
  }
  const auto bytes = world_.storage.ReadAll(plan_.restore_manifest());
  if (!bytes.ok()) return Fail();  // retired meanwhile: the attempt is an old one
  const auto manifest = DecodeManifest(*bytes, "simulated");
  const auto file = world_.storage.ReadAll(manifest->subtasks(slot_).files(0).name());
  if (!file.ok()) return Fail();
  base_ = manifest->subtasks(slot_).files(1).name();
  std::istringstream in(*file);
  in >> position_;
  for (int64_t record = 0; in >> record;) open_.push_back(record);
  const uint64_t id = plan_.restore_id();
  if (slot.has_marker && slot.marker > id) {
    // Only a worker of an attempt that is over may find this; it must not write.
    if (attempt_ == world_.newest_attempt) {
      world_.checker.Fail(fmt::format("slot {}: restored from {}, but {} was committed", slot_, id, slot.marker));
    }
    return Fail();
  }
  if (slot.has_marker && slot.marker == id) {
    open_.clear();
    return Run();
  }
  for (const int64_t record : open_) world_.broker.Produce(slot_, handle_, record);
  if (!world_.broker.Commit(slot_, handle_, id)) return Fail();
  open_.clear();
  Run();
}

void Worker::Run() {
  running_ = true;
  const uint32_t attempt = attempt_;
  const int slot = slot_;
  // State reports are repeated until they arrive, so this one may only be late.
  world_.time.After(world_.time.Random(50), [leader = leader_, attempt, slot] {
    if (const auto to = leader.lock()) to->Do([=](Leader& l) { l.OnWorkerRunning(attempt, slot); });
  });
  Emit();
  Ask();
}

void Worker::Emit() {
  if (dead_) return;
  if (sources_ && position_ < kRecords) {
    const int64_t record = position_++;
    if (prepared_) {
      waiting_.push_back(record);
    } else {
      open_.push_back(record);
      if (!world_.broker.Produce(slot_, handle_, record)) return Fail();
    }
  }
  world_.time.After(kEmitMs, [self = shared_from_this()] { self->Emit(); });
}

void Worker::OnMessage(const proto::JobManagerToWorker& message) {
  if (dead_ || !running_) return;
  if (message.leader_epoch() < epoch_) {
    ++world_.refused;
    return;
  }
  epoch_ = message.leader_epoch();
  if (message.has_start_sources()) sources_ = true;
  if (message.has_trigger_checkpoint()) OnTrigger(message.trigger_checkpoint());
  if (message.has_checkpoint_decided()) OnDecided(message.checkpoint_decided().checkpoint().id());
  if (message.has_checkpoint_aborted()) OnAborted(message.checkpoint_aborted().checkpoint().id());
}

void Worker::OnTrigger(const proto::TriggerCheckpoint& trigger) {
  const uint64_t id = trigger.checkpoint().id();
  if (last_barrier_ && id <= *last_barrier_) return;  // it came twice, or late
  if (prepared_ && trigger.has_last_decided() && trigger.last_decided_id() >= *prepared_ && !Commit()) return;
  if (prepared_) Join();
  if (dead_) return;
  prepared_ = id;
  last_barrier_ = id;
  world_.time.After(world_.time.Random(80), [self = shared_from_this(), id, position = position_, log = open_] {
    if (!self->dead_) self->Upload(id, position, log);
  });
}

void Worker::Upload(uint64_t id, int64_t position, const std::vector<int64_t>& log) {
  const std::string prefix = fmt::format("{}/data/{}/w{}", plan_.job_directory(), plan_.generation(), slot_);
  if (base_.empty() || ++since_base_ >= kCheckpointsPerBase) {
    base_ = fmt::format("{}-base-{}", prefix, id);
    since_base_ = 0;
    (void)world_.storage.Write(base_, "base");
  }
  const std::string name = fmt::format("{}-{}", prefix, id);
  (void)world_.storage.Write(name, EncodeSnapshot(position, log));
  proto::CheckpointAck ack;
  *ack.mutable_checkpoint() = IdOf(id);
  proto::SubtaskSnapshot& subtask = *ack.add_subtasks();
  subtask.set_vertex_id("v");
  subtask.set_subtask(slot_);
  subtask.add_files()->set_name(name);
  subtask.add_files()->set_name(base_);
  Tell([ack, attempt = attempt_](Leader& leader) {
    if (leader.IsCurrent(attempt)) leader.coordinator().OnAck(ack);
    leader.AfterCall();
  });
}

// The waiting records join the transaction that stays open.
void Worker::Join() {
  prepared_.reset();
  for (const int64_t record : std::exchange(waiting_, {})) {
    open_.push_back(record);
    if (!world_.broker.Produce(slot_, handle_, record)) return Fail();
  }
}

bool Worker::Commit() {
  if (!world_.broker.Commit(slot_, handle_, *prepared_)) {
    Fail();
    return false;
  }
  open_.clear();
  Join();
  return !dead_;
}

void Worker::OnDecided(uint64_t id) {
  if (prepared_ && *prepared_ == id && !Commit()) return;
  proto::DecisionAcked acked;
  *acked.mutable_checkpoint() = IdOf(id);
  Tell([acked, attempt = attempt_, worker = std::to_string(slot_)](Leader& leader) {
    if (leader.IsCurrent(attempt)) leader.coordinator().OnDecisionAcked(worker, acked);
  });
}

void Worker::OnAborted(uint64_t id) {
  if (prepared_ && *prepared_ == id) Join();
}

void Worker::Ask() {
  if (dead_) return;
  if (prepared_) {
    proto::OutcomeAsked asked;
    *asked.mutable_checkpoint() = IdOf(*prepared_);
    Tell([asked, attempt = attempt_, worker = std::to_string(slot_)](Leader& leader) {
      if (leader.IsCurrent(attempt)) leader.coordinator().OnOutcomeAsked(worker, asked);
    });
  }
  world_.time.After(kAskMs, [self = shared_from_this()] { self->Ask(); });
}

// Its host sees the end and says so, again and again until it is heard.
void Worker::Fail() {
  if (std::exchange(dead_, true)) return;
  world_.time.After(world_.time.Random(300), [leader = leader_, attempt = attempt_] {
    if (const auto to = leader.lock()) to->Do([attempt](Leader& l) { l.OnWorkerLost(attempt); });
  });
}

}  // namespace penstock::simulation
