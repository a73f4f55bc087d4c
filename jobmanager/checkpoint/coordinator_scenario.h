// A coordinator between storage and workers that answer when told, on a clock that moves when told.
#ifndef PENSTOCK_JOBMANAGER_CHECKPOINT_COORDINATOR_SCENARIO_H_
#define PENSTOCK_JOBMANAGER_CHECKPOINT_COORDINATOR_SCENARIO_H_

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "jobmanager/checkpoint/coordinator.h"
#include "runtime/checkpoint/manifest.h"

namespace penstock::jobmanager {

inline constexpr std::string_view kData = "jobs/job/data/";

struct RecordingEffects final : CoordinatorEffects {
  void Broadcast(proto::JobManagerToWorker message) override { sent.push_back(std::move(message)); }
  void SendTo(const std::string& worker, proto::JobManagerToWorker message) override {
    sent_to[worker].push_back(std::move(message));
  }
  void Decide(uint64_t id, std::string, std::string bytes) override {
    const auto manifest = DecodeManifest(bytes, "test");
    REQUIRE(manifest.ok());
    REQUIRE(manifest->checkpoint_id() == id);
    decisions.push_back(*manifest);
  }
  void Delete(std::vector<std::string> names) override {
    for (const std::string& name : names) deleted.insert(name.substr(name.starts_with(kData) ? kData.size() : 0));
  }
  void FailAttempt(std::string reason) override { failures.push_back(std::move(reason)); }
  void ReadStorage() override { ++reads; }
  void DecisionLost() override { ++lost; }
  void StopDecided() override { ++stops; }
  void AlreadyStopped() override { ++already_stopped; }
  void RecordCommits(uint64_t request, std::string name, std::string bytes) override {
    records.push_back({request, std::move(name), std::move(bytes)});
  }
  void CopySavepoint(uint64_t request, RestorePoint point, std::string directory) override {
    copies.push_back({request, std::move(point), std::move(directory)});
  }

  int Count(proto::JobManagerToWorker::KindCase kind) const {
    return static_cast<int>(
        std::count_if(sent.begin(), sent.end(), [&](const auto& m) { return m.kind_case() == kind; }));
  }
  std::vector<proto::JobManagerToWorker> sent;
  std::map<std::string, std::vector<proto::JobManagerToWorker>> sent_to;
  std::vector<proto::Manifest> decisions;
  std::set<std::string> deleted;
  std::vector<std::string> failures;
  int stops = 0;
  struct Copy {
    uint64_t request;
    RestorePoint point;
    std::string directory;
  };
  std::vector<Copy> copies;
  struct Record {
    uint64_t request;
    std::string name;
    std::string bytes;
  };
  std::vector<Record> records;
  int already_stopped = 0;
  int reads = 0;
  int lost = 0;
};

struct Scenario {
  explicit Scenario(CheckpointConfig config = {.storage = "s", .interval_ms = 1000, .timeout_ms = 5000}) {
    proto::JobGraph graph;
    graph.set_uid("job");
    proto::Vertex& vertex = *graph.add_vertices();
    vertex.set_id("v");
    vertex.set_parallelism(2);
    coordinator.emplace(config, graph, clock, effects);
  }
  void Start(StoredCheckpoints stored = {}, std::optional<RestorePoint> restore = {}) {
    coordinator->Start({stored, std::move(restore)});
    Answer(true);
    ++stored.next_id;
    if (effects.reads > 0) coordinator->OnStorageRead(std::move(stored));
    coordinator->BeginAttempt(++attempt);
    coordinator->OnAllRunning({"a", "b"});
  }
  // Storage answers what is open.
  void Answer(bool won) {
    if (answered == effects.decisions.size()) return;
    const uint64_t id = effects.decisions[answered++].checkpoint_id();
    coordinator->OnDecided(id, won);
  }
  void Pass(int64_t ms) {
    clock.AdvanceMs(ms);
    coordinator->Tick();
  }
  std::optional<uint64_t> Triggered() const {
    for (auto at = effects.sent.rbegin(); at != effects.sent.rend(); ++at) {
      if (at->has_trigger_checkpoint()) return at->trigger_checkpoint().checkpoint().id();
    }
    return std::nullopt;
  }
  void Ack(uint64_t id, int subtask, const std::vector<std::string>& files = {}, const std::string& generation = "") {
    proto::CheckpointAck ack;
    ack.mutable_checkpoint()->set_id(id);
    ack.mutable_checkpoint()->set_generation(generation.empty() ? coordinator->generation() : generation);
    proto::SubtaskSnapshot& snapshot = *ack.add_subtasks();
    snapshot.set_vertex_id("v");
    snapshot.set_subtask(subtask);
    for (const std::string& file : files) {
      snapshot.add_files()->set_name(file.find('/') == std::string::npos ? std::string(kData) + file : file);
    }
    coordinator->OnAck(ack);
  }
  // What the worker says when its sinks have committed.
  void Commit(const std::string& worker, uint64_t id) {
    proto::DecisionAcked acked;
    acked.mutable_checkpoint()->set_id(id);
    acked.mutable_checkpoint()->set_generation(coordinator->generation());
    coordinator->OnDecisionAcked(worker, acked);
  }
  void Complete(uint64_t id, const std::vector<std::string>& files = {}) {
    Ack(id, 0, files);
    Ack(id, 1);
    Answer(true);
  }

  ManualClock clock{1'000'000};
  RecordingEffects effects;
  std::optional<CheckpointCoordinator> coordinator;
  size_t answered = 0;
  uint32_t attempt = 0;
};

using Kind = proto::JobManagerToWorker;

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_CHECKPOINT_COORDINATOR_SCENARIO_H_
