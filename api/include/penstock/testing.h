// Tests of a job's parts, and of a whole job, in the test's own process (docs/testing_jobs.md).
//
//   testing::Harness<Event> harness;
//   auto counts = harness.output(harness.input().key_by(&Event::user).window(tumbling(1min)).aggregate("n", Count{}));
//   harness.push({"ann"}, 1'000);
//   harness.watermark(60'000);
//   REQUIRE(counts.values().size() == 1);
//
// The operators are those that a cluster runs, in the engine's own chain; only the exchange between tasks is left out.
// Link penstock::testing.
#ifndef PENSTOCK_TESTING_H_
#define PENSTOCK_TESTING_H_

#include <penstock/connectors/collect.h>
#include <penstock/connectors/collection.h>
#include <penstock/detail/harness_ends.h>
#include <penstock/job.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/operators/keyed_process.h"

namespace penstock::testing {

struct HarnessOptions {
  int subtask = 0;
  int parallelism = 1;  // what the functions' context says; 1 where a function keeps state by key
  uint32_t attempt = 1;
  int64_t now_ms = 0;  // processing time at the start
  // After each step everything is snapshotted, closed, and begun again from the snapshot, as after a failure; and the
  // outputs make who writes to them wait at every other record. What a function keeps outside of its state is lost,
  // its metrics begin anew. Also set by PENSTOCK_HARNESS_RESTORE=1.
  bool restore_after_each_step = false;
};

// What reached one output. A copy refers to the same elements. Bytes are kept as std::string.
template <class T>
class Output {
 public:
  using Kept = typename HarnessLog<T>::Kept;
  using Record = HarnessRecord<Kept>;  // {value, timestamp}
  explicit Output(std::shared_ptr<HarnessLog<T>> log) : log_(std::move(log)) {}

  std::vector<Kept> values() const {
    std::vector<Kept> values;
    for (const Record& record : log_->records) values.push_back(record.value);
    return values;
  }
  const std::vector<Record>& records() const { return log_->records; }
  TimestampMs watermark() const { return log_->watermark; }  // kNoTimestamp: none yet
  bool idle() const { return log_->idle; }
  void clear() { log_->records.clear(); }

 private:
  std::shared_ptr<HarnessLog<T>> log_;
};

// The chain of a harness, without its types; made in taskmanager/program. Owner: the test's thread.
class HarnessChain {
 public:
  explicit HarnessChain(HarnessOptions options);
  ~HarnessChain();
  HarnessChain(const HarnessChain&) = delete;
  HarnessChain& operator=(const HarnessChain&) = delete;

  Environment& environment();
  // Opens at the first call. False: it has failed, finished or is closed.
  bool Open();
  // Runs `step`, and then what it has set off. Opens before.
  void Run(const std::function<void()>& step);
  void OnRestored(std::function<void()> fn);  // adds one that is called after each restore
  bool outputs_are_slow() const;
  void Advance(int64_t by_ms);
  void Finish();
  void Close();

  int64_t now_ms() const;
  const absl::Status& failure() const;
  const std::string& failing_operator() const;
  Operator* Find(const std::string& uid) const;  // nullptr: no operator of that uid or name
  std::map<std::string, double> Metrics() const;
  int64_t late_records() const;
  int64_t malformed_records() const;

 private:
  struct Parts;
  const std::unique_ptr<Parts> parts_;
};

// An input of a harness besides its first one: for pieces that connect or unite streams. Like the harness's own, but
// that splits and `caught_up` are those of the first. A copy refers to the same input; the harness outlives it.
template <class T>
class AddedInput {
 public:
  AddedInput(HarnessChain& chain, const std::string& name) : chain_(&chain) {
    Environment& env = chain.environment();
    LogicalNode node =
        detail::MakeNode<T>(name, [state = state_] { return std::make_unique<HarnessEntryOperator<T>>(state->entry); });
    node_ = env.AddNode(std::move(node)).id;
    chain.OnRestored([state = state_] {
      if (state->watermark != kNoTimestamp) state->entry->OnWatermark(state->watermark);
      if (state->idle) state->entry->OnIdle(true);
    });
  }

  DataStream<T> stream() const { return DataStream<T>(chain_->environment(), {{node_}}); }
  void push(const T& value, TimestampMs timestamp = kNoTimestamp) {
    chain_->Run([&] { state_->entry->OnRecord(value, timestamp); });
  }
  void watermark(TimestampMs watermark) {
    state_->watermark = watermark;
    chain_->Run([&] { state_->entry->OnWatermark(watermark); });
  }
  void idle(bool idle = true) {
    state_->idle = idle;
    chain_->Run([&] { state_->entry->OnIdle(idle); });
  }

 private:
  struct State {
    Receiver<T>* entry = nullptr;
    TimestampMs watermark = kNoTimestamp;  // the last that was given
    bool idle = false;
  };
  const std::shared_ptr<State> state_ = std::make_shared<State>();
  HarnessChain* chain_;
  int node_ = 0;
};

// Drives a piece of a job, from one input (or several, see add_input) to any number of outputs, step by step on the
// test's thread. Everything is processed before a call returns. An exception of user code leaves the call that led to
// it; what else fails a task is in failure(). Either ends the harness as it ends a task: later calls do nothing.
template <class In>
class Harness {
 public:
  explicit Harness(HarnessOptions options = {}) : chain_(options) {
    Environment& env = chain_.environment();
    env.source("input", HarnessSource<In>{input_});
    LogicalNode node =
        detail::MakeNode<In>("time", [input = input_] { return std::make_unique<HarnessTimeOperator<In>>(input); });
    time_ = env.AddNode(std::move(node)).id;
    detail::Connect<In>(env, {{0}}, time_);
    // As a task does that goes on where its input's time stood.
    chain_.OnRestored([this] {
      if (watermark_ != kNoTimestamp) input_->time->OnWatermark(watermark_);
      if (idle_) input_->time->OnIdle(true);
    });
  }

  // ---- before the first element ----
  DataStream<In> input() { return DataStream<In>(chain_.environment(), {{time_}}); }
  // Another input. Time behind an operator of several inputs is the minimum of theirs, as in a cluster.
  template <class T>
  AddedInput<T> add_input() {
    return AddedInput<T>(chain_, "input " + std::to_string(++inputs_));
  }
  template <class T>
  Output<T> output(const DataStream<T>& stream) {
    auto log = std::make_shared<HarnessLog<T>>();
    LogicalNode node;
    node.name = node.kind = "output";
    node.is_sink = true;
    node.factory = std::make_shared<OperatorFactory>(OperatorFactory{
        [log, slow = chain_.outputs_are_slow()] { return std::make_unique<HarnessOutputOperator<T>>(log, slow); }});
    Environment& env = chain_.environment();
    const int id = env.AddNode(std::move(node)).id;
    detail::Connect(env, stream.upstreams(), id);
    return Output<T>(std::move(log));
  }
  // Checks the graph and opens the functions; the first element does it too.
  absl::Status open() {
    chain_.Open();
    return failure();
  }

  // ---- elements and time ----
  // Each record is a batch of its own: .watermarks(...) makes its watermark after it.
  void push(const In& value, TimestampMs timestamp = kNoTimestamp) {
    chain_.Run([&] { input_->source->Emit(input_->split, value, timestamp); });
  }
  void watermark(TimestampMs watermark) {
    watermark_ = watermark;
    chain_.Run([&] { input_->time->OnWatermark(watermark); });
  }
  void idle(bool idle = true) {
    idle_ = idle;
    chain_.Run([&] { input_->time->OnIdle(idle); });
  }
  // The input has been read to its present end: from now on .idle_after(...) counts.
  void caught_up() {
    chain_.Run([&] { input_->source->SetCaughtUp(input_->split); });
  }
  // Moves processing time.
  void advance(std::chrono::milliseconds by) { chain_.Advance(by.count()); }
  int64_t now_ms() const { return chain_.now_ms(); }
  // The end of the input: all windows fire, sinks flush.
  void finish() { chain_.Finish(); }
  // Closes the functions; the destructor does it too, and drops what they throw then.
  void close() { chain_.Close(); }

  // ---- what can be seen ----
  absl::Status failure() const { return chain_.failure(); }
  const std::string& failing_operator() const { return chain_.failing_operator(); }
  // The value of `name` that the keyed function `uid` has for a key. NotFound: none; InvalidArgument: there is no such
  // function or state, or it is of another type.
  template <class V, class Key>
  absl::StatusOr<V> state(const std::string& uid, const Key& key, const std::string& name) {
    using K = std::conditional_t<std::is_convertible_v<const Key&, std::string>, std::string, Key>;
    auto* rows = dynamic_cast<KeyedRows<K>*>(chain_.Find(uid));
    if (rows == nullptr) {
      return absl::InvalidArgumentError("no keyed function '" + uid + "' with keys of type " + Serde<K>::TypeName());
    }
    return ReadState<V>(*rows, K(key), name);
  }
  // How many timers of the keyed function `uid` wait; 0 when there is no such function.
  int64_t event_time_timers(const std::string& uid) const {
    const auto* timers = dynamic_cast<const TimerCounts*>(chain_.Find(uid));
    return timers == nullptr ? 0 : timers->event_time_timers();
  }
  int64_t processing_time_timers(const std::string& uid) const {
    const auto* timers = dynamic_cast<const TimerCounts*>(chain_.Find(uid));
    return timers == nullptr ? 0 : timers->processing_time_timers();
  }
  // A user metric, "<operator>.<name>"; 0 when there is none.
  double metric(const std::string& name) const {
    const std::map<std::string, double> metrics = chain_.Metrics();
    const auto found = metrics.find(name);
    return found == metrics.end() ? 0 : found->second;
  }
  int64_t late_records() const { return chain_.late_records(); }
  int64_t malformed_records() const { return chain_.malformed_records(); }

 private:
  const std::shared_ptr<HarnessInput<In>> input_ = std::make_shared<HarnessInput<In>>();
  TimestampMs watermark_ = kNoTimestamp;  // the last that was given
  bool idle_ = false;
  int inputs_ = 1;
  HarnessChain chain_;
  int time_ = 0;
};

struct RunOptions {
  int parallelism = 1;
  int taskmanagers = 1;
  std::vector<std::string> arguments;         // the job's own: {"--brokers", "..."}
  std::map<std::string, std::string> config;  // as -Dkey=value
  std::chrono::milliseconds timeout = std::chrono::seconds(60);
  // The job is cancelled once this holds: for jobs that do not end by themselves. Called every few milliseconds.
  std::function<bool()> until;
};

// Runs a whole job on a LocalCluster of this process. OK: it finished, or `until` held. Else the graph's errors,
// Aborted with the root cause, or DeadlineExceeded; it has been cancelled then.
absl::Status RunJob(std::function<void(Environment&, const Args&)> build, const RunOptions& options = {});

}  // namespace penstock::testing

#endif  // PENSTOCK_TESTING_H_
