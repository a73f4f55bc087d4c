// What the simulated job stands on: virtual time, storage in memory, a broker of transactions, and the checker.
#ifndef PENSTOCK_TESTS_SIMULATION_MODEL_H_
#define PENSTOCK_TESTS_SIMULATION_MODEL_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "runtime/core/clock.h"
#include "runtime/core/storage/storage.h"

namespace penstock::simulation {

// Runs what is due in order of time; time stands still in between.
class Scheduler {
 public:
  explicit Scheduler(unsigned seed) : random_(seed) {}
  void After(int64_t ms, std::function<void()> fn) { events_.push({clock_.NowMs() + ms, next_++, std::move(fn)}); }
  // False when nothing is left.
  bool Step();
  int64_t now_ms() const { return clock_.NowMs(); }
  const Clock& clock() const { return clock_; }
  // From 0 to max, both included.
  int64_t Random(int64_t max) { return static_cast<int64_t>(random_() % static_cast<uint64_t>(max + 1)); }
  bool Chance(int percent) { return Random(99) < percent; }

 private:
  struct Event {
    int64_t at_ms;
    uint64_t number;
    std::function<void()> fn;
    bool operator<(const Event& other) const {
      return at_ms != other.at_ms ? at_ms > other.at_ms : number > other.number;
    }
  };
  std::mt19937_64 random_;
  ManualClock clock_{1'000'000};
  std::priority_queue<Event> events_;
  uint64_t next_ = 0;
};

// What must never happen is noted here; the first of it fails the seed.
class Checker {
 public:
  void Fail(const std::string& what) {
    if (failure_.empty()) failure_ = what;
  }
  const std::string& failure() const { return failure_; }

  // This leader begins an attempt: it has sealed all smaller epochs out.
  void OnLeads(uint64_t epoch);
  // A manifest or tombstone has come into storage.
  void OnDecided(uint64_t id, uint64_t epoch, bool tombstone);
  // The output of a slot has grown by these.
  void OnCommitted(int slot, const std::vector<int64_t>& records);
  // Everything that a checkpoint in storage names is there.
  void CheckFiles(Storage& storage, const std::string& directory);
  int64_t committed(int slot) { return next_[slot]; }

 private:
  std::string failure_;
  uint64_t leads_ = 0;
  uint64_t newest_ = 0;  // id that was decided
  std::set<uint64_t> checkpoints_;
  std::map<int, int64_t> next_;
};

// Transactions as Kafka has them: one per slot, fenced by whoever inits it last.
class Broker {
 public:
  explicit Broker(Checker& checker) : checker_(checker) {}
  struct Slot {
    int epoch = 0;
    std::vector<int64_t> open;
    bool has_marker = false;
    uint64_t marker = 0;
  };
  // Aborts what is open; the handle of the caller.
  int Init(int slot);
  // False: fenced.
  bool Produce(int slot, int handle, int64_t record);
  bool Commit(int slot, int handle, uint64_t marker);
  // The transaction has been open for too long.
  void TimeOut(int slot) { Init(slot); }
  const Slot& slot(int slot) { return slots_[slot]; }

 private:
  Checker& checker_;
  std::map<int, Slot> slots_;
};

class MemoryStorage final : public Storage {
 public:
  std::string Describe() const override { return "memory"; }
  absl::StatusOr<std::unique_ptr<StorageWriter>> Create(const std::string& name) override;
  absl::Status Write(const std::string& name, std::string_view bytes) override;
  absl::StatusOr<bool> WriteIfAbsent(const std::string& name, std::string_view bytes) override;
  absl::StatusOr<std::string> Read(const std::string& name, int64_t offset, int64_t max_bytes) override;
  absl::StatusOr<std::vector<StoredObject>> List(const std::string& prefix) override;
  absl::Status Delete(const std::vector<std::string>& names) override;
  absl::Status UploadFile(const std::string& name, const std::string& local_path) override;
  absl::Status DownloadFile(const std::string& name, const std::string& local_path) override;
  bool Has(const std::string& name) const { return objects_.contains(name); }

 private:
  std::map<std::string, std::string> objects_;
};

}  // namespace penstock::simulation

#endif  // PENSTOCK_TESTS_SIMULATION_MODEL_H_
