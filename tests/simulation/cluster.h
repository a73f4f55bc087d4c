// Leaders and workers of one simulated job, and what goes wrong with them.
//
// The leader's coordinator and its way of reading and deciding in storage are the real ones; workers, sinks and the
// broker are models. Faults come until Heal(); from then on the job must come to its end.
#ifndef PENSTOCK_TESTS_SIMULATION_CLUSTER_H_
#define PENSTOCK_TESTS_SIMULATION_CLUSTER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "jobmanager/checkpoint/coordinator.h"
#include "tests/simulation/model.h"

namespace penstock::simulation {

inline constexpr int kWorkers = 3;
inline constexpr int64_t kRecords = 1'500;  // of each worker's source
inline constexpr int64_t kLeaseMs = 2'000;

class Leader;
class Worker;

// What the parts share.
struct World {
  explicit World(unsigned seed) : time(seed) {}

  // A message that may be late, lost (false) or repeated.
  bool Send(std::function<void()> deliver);

  Scheduler time;
  Checker checker;
  Broker broker{checker};
  MemoryStorage storage;
  bool healed = false;
  std::map<int, uint64_t> host_epochs;  // the largest that each host has heard
  std::vector<std::shared_ptr<Leader>> leaders;
  std::vector<std::shared_ptr<Worker>> workers;  // those that have gone, too
  uint32_t newest_attempt = 0;
  int refused = 0;  // messages of older leaders
  int deposed = 0;  // leaders that found their id decided by others
};

// A worker process: one source, one exactly-once sink by docs/connectors.md, for one attempt.
class Worker : public std::enable_shared_from_this<Worker> {
 public:
  Worker(World& world, std::weak_ptr<Leader> leader, int slot, uint32_t attempt, uint64_t epoch,
         proto::CheckpointPlan plan);

  void Start();
  void Kill() { dead_ = true; }
  bool dead() const { return dead_; }
  uint32_t attempt() const { return attempt_; }
  uint64_t epoch() const { return epoch_; }
  int slot() const { return slot_; }
  void OnMessage(const proto::JobManagerToWorker& message);

 private:
  void Recover();
  void Run();
  void Emit();
  void OnTrigger(const proto::TriggerCheckpoint& trigger);
  void Upload(uint64_t id, int64_t position, const std::vector<int64_t>& log);
  void OnDecided(uint64_t id);
  void OnAborted(uint64_t id);
  void Join();
  bool Commit();
  void Ask();
  void Fail();
  void Tell(std::function<void(Leader&)> fn);
  proto::CheckpointId IdOf(uint64_t id) const;

  World& world_;
  const std::weak_ptr<Leader> leader_;
  const int slot_;
  const uint32_t attempt_;
  uint64_t epoch_;
  const proto::CheckpointPlan plan_;
  bool dead_ = false;
  bool running_ = false;
  bool sources_ = false;
  int handle_ = 0;
  int64_t position_ = 0;
  std::vector<int64_t> open_;     // produced in the transaction
  std::vector<int64_t> waiting_;  // after the barrier whose outcome is not known
  std::optional<uint64_t> prepared_;
  std::optional<uint64_t> last_barrier_;
  std::string base_;  // a file that several checkpoints name
  int since_base_ = 0;
};

// A JobManager as far as one job is concerned.
class Leader final : public std::enable_shared_from_this<Leader>, private jobmanager::CoordinatorEffects {
 public:
  Leader(World& world, uint64_t epoch);

  void Start();
  void Kill() { dead_ = true; }
  void Pause() { paused_ = true; }
  void Resume();
  bool dead() const { return dead_; }
  bool paused() const { return paused_; }
  uint64_t epoch() const { return epoch_; }

  // Later, when it sleeps; never, when it is dead.
  void Do(std::function<void(Leader&)> fn);
  void OnWorkerRunning(uint32_t attempt, int slot);
  void OnWorkerLost(uint32_t attempt);
  jobmanager::CheckpointCoordinator& coordinator() { return coordinator_; }
  bool IsCurrent(uint32_t attempt) const { return attempt == attempt_; }
  void AfterCall();

 private:
  void Broadcast(proto::JobManagerToWorker message) override;
  void SendTo(const std::string& worker, proto::JobManagerToWorker message) override;
  void Decide(uint64_t id, std::string name, std::string bytes) override;
  void Delete(std::vector<std::string> names) override;
  void FailAttempt(std::string) override { failed_ = true; }
  void ReadStorage() override;
  void DecisionLost() override { ++world_.deposed; }
  void StopDecided() override {}
  void AlreadyStopped() override {}
  void RecordCommits(uint64_t, std::string, std::string) override {}
  void CopySavepoint(uint64_t, jobmanager::RestorePoint, std::string) override {}

  void Read(std::function<void(jobmanager::StoredCheckpoints)> then);
  void DeleteNext(std::vector<std::string> names, size_t next);
  void BeginWhenSettled();
  void EndAttempt();
  void Tick();

  World& world_;
  const uint64_t epoch_;
  bool dead_ = false;
  bool paused_ = false;
  std::vector<std::function<void(Leader&)>> asleep_;
  jobmanager::CheckpointCoordinator coordinator_;
  uint32_t attempt_;
  bool started_ = false;
  bool in_attempt_ = false;
  bool failed_ = false;
  int64_t begin_at_ms_ = 0;
  std::set<int> running_;
};

}  // namespace penstock::simulation

#endif  // PENSTOCK_TESTS_SIMULATION_CLUSTER_H_
