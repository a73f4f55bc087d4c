#include "taskmanager/worker/checkpoint_collector.h"

#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <future>
#include <thread>

#include "runtime/core/status.h"
#include "runtime/core/storage/storage.h"

namespace penstock::worker {
namespace {

// A folder whose objects with these letters in their name cannot be begun before the gate opens.
class GatedStorage final : public Storage {
 public:
  GatedStorage(const std::string& directory, std::string held)
      : storage_(OpenStorage(directory, {}).value()), held_(std::move(held)) {}
  void Open() { gate_.set_value(); }
  bool somebody_waits() const { return waits_; }

  std::string Describe() const override { return storage_->Describe(); }
  absl::StatusOr<std::unique_ptr<StorageWriter>> Create(const std::string& name) override {
    Hold(name);
    return storage_->Create(name);
  }
  absl::Status Write(const std::string& name, std::string_view bytes) override {
    Hold(name);
    return storage_->Write(name, bytes);
  }
  absl::StatusOr<bool> WriteIfAbsent(const std::string& name, std::string_view bytes) override {
    return storage_->WriteIfAbsent(name, bytes);
  }
  absl::StatusOr<std::string> Read(const std::string& name, int64_t offset, int64_t max_bytes) override {
    return storage_->Read(name, offset, max_bytes);
  }
  absl::StatusOr<std::vector<StoredObject>> List(const std::string& prefix) override { return storage_->List(prefix); }
  absl::Status Delete(const std::vector<std::string>& names) override { return storage_->Delete(names); }
  absl::Status UploadFile(const std::string& name, const std::string& path) override {
    return storage_->UploadFile(name, path);
  }
  absl::Status DownloadFile(const std::string& name, const std::string& path) override {
    return storage_->DownloadFile(name, path);
  }

 private:
  void Hold(const std::string& name) {
    if (name.find(held_) == std::string::npos) return;
    waits_ = true;
    opened_.wait();
  }

  const std::unique_ptr<Storage> storage_;
  const std::string held_;
  std::atomic<bool> waits_ = false;
  std::promise<void> gate_;
  std::shared_future<void> opened_ = gate_.get_future().share();
};

struct RecordingEvents final : TaskEvents {
  void OnTaskState(const proto::TaskStateReport&) override {}
  void OnCheckpointAck(proto::CheckpointAck ack) override {
    MutexLock lock(&mutex);
    acked.insert(ack.checkpoint().id());
    changed.NotifyAll();
  }
  void OnCheckpointDeclined(proto::CheckpointDeclined) override {}
  void OnDecisionAcked(proto::DecisionAcked) override {}
  void OnOutcomeAsked(proto::OutcomeAsked) override {}
  void OnBase(bool durable) {
    MutexLock lock(&mutex);
    base_durable = durable;
    changed.NotifyAll();
  }
  // Whether it comes true in time.
  template <class Condition>
  bool Await(const Condition& condition) {
    MutexLock lock(&mutex);
    const int64_t deadline_ms = Clock::System().MonotonicMs() + 30'000;
    while (!condition()) {
      const int64_t left_ms = deadline_ms - Clock::System().MonotonicMs();
      if (left_ms <= 0) return false;
      changed.WaitFor(&mutex, std::chrono::milliseconds(left_ms));
    }
    return true;
  }

  Mutex mutex;
  CondVar changed;
  std::set<uint64_t> acked;
  std::optional<bool> base_durable;
};

TaskSnapshot SnapshotOf(uint64_t id, const std::string& task = "") {
  TaskSnapshot snapshot;
  snapshot.barrier.id = id;
  snapshot.keyed.emplace();
  snapshot.keyed->checkpoint_id = id;
  ChainPart segment;
  segment.files.push_back({MakeMemoryStateFile("segment-" + task + std::to_string(id), "changes"), ""});
  snapshot.keyed->parts.push_back(segment);
  return snapshot;
}

TEST_CASE("a base that takes long to upload holds up no checkpoint", "[checkpoint]") {
  const std::string directory = std::filesystem::temp_directory_path() / ("collector-" + std::to_string(getpid()));
  std::filesystem::remove_all(directory);
  const auto storage = std::make_shared<GatedStorage>(directory, "base");
  RecordingEvents events;
  const TaskInfo info{.job_name = "job", .vertex_id = "v", .vertex_name = "v"};
  {
    CheckpointCollector collector(
        "g", {{"v", 0}}, storage, "job/data/g/w0", "",
        [&](const TaskInfo&, uint64_t, bool durable) { events.OnBase(durable); }, events, Clock::System());
    ChainPart base{.kind = PartKind::kBase, .id = 1};
    base.files.push_back({MakeMemoryStateFile("base-1", "everything"), ""});
    collector.OnNewBase(info, base);
    for (uint64_t id = 1; id <= 3; ++id) {
      collector.OnTrigger(id);
      collector.OnSnapshot(info, SnapshotOf(id), false);
      CHECK(events.Await([&] { return events.acked.contains(id); }));
    }
    CHECK_FALSE(events.base_durable.has_value());
    storage->Open();
    CHECK(events.Await([&] { return events.base_durable.has_value(); }));
    CHECK(events.base_durable == true);
    CHECK(storage->ReadAll("job/data/g/w0-base-1").value() == "everything");
  }
  std::filesystem::remove_all(directory);
}

// protocols.md B1 and C8.
TEST_CASE("all tasks of a worker write one object, and none is handed in before it is durable", "[checkpoint]") {
  const std::string directory = std::filesystem::temp_directory_path() / ("collector-" + std::to_string(getpid()));
  std::filesystem::remove_all(directory);
  const auto storage = std::make_shared<GatedStorage>(directory, "job/data");
  RecordingEvents events;
  const TaskInfo first{.job_name = "job", .vertex_id = "v", .vertex_name = "v", .subtask = 0};
  const TaskInfo second{.job_name = "job", .vertex_id = "v", .vertex_name = "v", .subtask = 1};
  {
    CheckpointCollector collector(
        "g", {{"v", 0}, {"v", 1}}, storage, "job/data/g/w0", "", [](const TaskInfo&, uint64_t, bool) {}, events,
        Clock::System());
    collector.OnTrigger(4);
    collector.OnSnapshot(first, SnapshotOf(4, "a"), false);
    collector.OnSnapshot(second, SnapshotOf(4, "b"), false);
    const int64_t deadline_ms = Clock::System().MonotonicMs() + 30'000;
    while (!storage->somebody_waits() && Clock::System().MonotonicMs() < deadline_ms) std::this_thread::yield();
    REQUIRE(storage->somebody_waits());
    CHECK(events.acked.empty());
    storage->Open();
    CHECK(events.Await([&] { return events.acked.contains(4); }));
    CHECK(storage->List("job/data/").value().size() == 1);
  }
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace penstock::worker
