// A task: one subtask of one chain, run by one thread of its own.
//
// Threads: Start, Cancel, ReadStats from any; everything else is the task's. Listener calls come from the task's
// thread. Lifetime: Join before destruction (the destructor does). User exceptions are caught once, in Run.
#ifndef PENSTOCK_RUNTIME_TASK_TASK_H_
#define PENSTOCK_RUNTIME_TASK_TASK_H_

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "runtime/checkpoint/barrier_aligner.h"
#include "runtime/exchange/buffer_debloater.h"
#include "runtime/exchange/input_gate.h"
#include "runtime/exchange/result_partition.h"
#include "runtime/task/mailbox.h"
#include "runtime/task/operator_chain.h"
#include "runtime/task/task_info.h"
#include "runtime/task/task_snapshot.h"
#include "runtime/time/watermark_tracker.h"

namespace penstock {

enum class TaskState { kCreated, kInitializing, kRunning, kFinished, kCanceling, kCanceled, kFailed };

struct TaskOptions {
  int64_t buffer_timeout_ms = 100;           // a bound on how long a buffer may wait; flushing is otherwise by need
  int64_t auto_watermark_interval_ms = 200;  // idle splits are noticed at this pace
  DebloatOptions debloat;
};

inline constexpr uint32_t kSegmentBytesDefault = 32 << 10;

// With checkpoints a source emits nothing before StartSources, and a task that needs it waits for a last checkpoint.
enum class Checkpointing { kOff, kOn };

class TaskListener {
 public:
  virtual ~TaskListener() = default;
  // failure is set with kFailed only.
  virtual void OnTaskState(const TaskInfo& info, TaskState state, const TaskFailure* failure) = 0;
  // What the task hands in for a checkpoint. last: the task has come to its end, and this stands for all checkpoints
  // to come (its barrier is meaningless).
  virtual void OnSnapshot(const TaskInfo& info, TaskSnapshot snapshot, bool last) = 0;
  // A new base of the task's keyed state, to be made durable; then Task::OnBaseDurable.
  virtual void OnNewBase(const TaskInfo& info, ChainPart base) = 0;
  // Everything that this decided checkpoint covers is committed by the task's sinks.
  virtual void OnCommitted(const TaskInfo& info, uint64_t checkpoint_id) = 0;
};

// Captures the raw stack of the newest throw of this thread; set by the program's main.
using ThrowStackFn = std::vector<void*> (*)();

class Task {
 public:
  struct Environment {
    const Clock& clock;
    MetricRegistry& registry;
    TaskListener& listener;
    TaskOptions options;
    ThrowStackFn throw_stack = nullptr;
    Checkpointing checkpointing = Checkpointing::kOff;
    std::shared_ptr<const AttemptOrigin> origin = std::make_shared<AttemptOrigin>();
    uint32_t segment_bytes = kSegmentBytesDefault;
  };
  // partitions: by position in vertex.out_edges. restore: null when the attempt begins without state. Channels are
  // added to the gate before Start.
  Task(const CompiledGraph& graph, const CompiledVertex& vertex, TaskInfo info, Environment environment,
       std::shared_ptr<Mailbox> mailbox, std::vector<std::unique_ptr<ResultPartition>> partitions,
       std::unique_ptr<const TaskRestore> restore, KeyedBackendOptions keyed);
  ~Task();

  // A channel of the gate, fed by one producer subtask over compiled edge `edge`. Before Start.
  void AddInput(std::shared_ptr<InputChannel> channel, int edge, int producer_subtask);
  void Start();
  void Cancel() { mailbox_->Cancel(); }
  // Fails the task from outside (a lost connection). Any thread.
  void FailFromOutside(absl::Status status, TaskFailure::Domain domain);
  // From the control plane; any thread. Each may come twice, late or never.
  void StartSources();
  void TriggerCheckpoint(const Barrier& barrier);
  void OnDecided(uint64_t checkpoint_id);
  void OnAborted(uint64_t checkpoint_id);
  // durable: false gives the base up; another is made later.
  void OnBaseDurable(uint64_t base_id, bool durable);
  bool ended() const { return ended_.load(); }
  void Join();

  const TaskInfo& info() const { return info_; }
  TaskStats ReadStats() const;  // any thread
  const std::vector<std::unique_ptr<ResultPartition>>& partitions() const { return partitions_; }

 private:
  struct InputState {
    int edge = 0;
    int producer_subtask = 0;
    std::unique_ptr<RecordReader> reader;
    ReceiverBase* receiver = nullptr;
    std::string partial;  // parts of a record longer than a buffer
  };

  void Run();
  void RunLoop();
  void BeginTime();
  bool InputOver() const;
  // One step of the loop: a pending fire, a source poll or a buffer. False when there is nothing to do now.
  bool Step();
  bool StepSource();
  bool StepInput();
  void HandleFrame(InputState& input, int channel, const Frame& frame);
  void HandleRecord(InputState& input, const Frame& frame);
  void OnTimeChange();
  void AfterBatch();
  void BeginDebloating();
  void Debloat(int64_t now_ns);
  void TellLimit(const ChannelLimit& limit);
  int64_t ConsumeBuffersMs() const;  // any thread
  void WaitForInput();
  void FinishAll();
  // task_checkpoint.cc
  bool PrepareSource();
  void OnTriggerMail(const Barrier& barrier, int64_t posted_ns);
  void OnBarrierFrame(int channel, std::string_view payload);
  void Act(const BarrierAligner::Decision& decision, int channel);
  // channel: whose barrier or end completed it; -1: a trigger.
  void TakeSnapshot(const Barrier& barrier, int channel);
  int64_t StartDelayUs(const Barrier& barrier) const;
  void NoteWaits(TaskSnapshot& snapshot, int channel, int64_t began_ns);
  std::string ProducerOf(const InputState& input) const;
  void DrainSource();
  bool MayEnd() const;
  void ReportCommitted();
  void AwaitFinalCheckpoint();
  void HandInLast();
  void TrickleState();
  void Flush();
  bool Stopping() const { return mailbox_->cancelled() || failed_; }
  void FailWith(const absl::Status& status, TaskFailure::Domain domain);
  void FailWithException();
  void Report(TaskState state, const TaskFailure* failure = nullptr);

  const CompiledGraph& graph_;
  const CompiledVertex& vertex_;
  const TaskInfo info_;
  const Environment environment_;
  const std::shared_ptr<Mailbox> mailbox_;
  const std::vector<std::unique_ptr<ResultPartition>> partitions_;
  const std::unique_ptr<const TaskRestore> restore_;

  // The task's thread only, once started.
  InputGate gate_;
  std::vector<InputState> inputs_;  // by channel of the gate
  WatermarkTracker tracker_{0};
  OperatorChain chain_;
  InputGate::Input current_;
  FrameReader reader_;
  int ended_inputs_ = 0;
  bool source_finished_ = false;
  BarrierAligner aligner_;
  int64_t first_barrier_ns_ = 0;  // of the checkpoint being aligned; 0: none has come
  int64_t start_delay_us_ = 0;    // of it
  Mailbox::OutputWait held_up_;   // what the trigger waited for
  bool sources_started_;          // StartSources has come
  bool source_prepared_ = false;
  std::optional<Barrier> deferred_trigger_;  // came before the source was prepared
  bool suspended_ = false;                   // the input ended without its maximum watermark (protocols.md D6)
  bool drained_ = false;                     // DrainSource has run
  std::optional<uint64_t> decided_;          // the largest id known to be decided
  std::optional<uint64_t> reported_;         // up to which the listener knows that everything is committed
  std::optional<uint64_t> ends_with_;        // the checkpoint that is to end the job: its decision is waited for
  bool failed_ = false;
  TaskFailure failure_;
  int64_t last_flush_ns_ = 0;
  int64_t last_tick_ns_ = 0;
  std::optional<BufferDebloater> debloater_;
  int64_t consumed_bytes_ = 0;  // of buffers that have been read to their end

  std::atomic<TimestampMs> input_watermark_{kNoTimestamp};
  std::atomic<int> watermark_holder_{-1};
  std::atomic<int64_t> bytes_in_{0};
  std::atomic<int64_t> debloated_buffer_bytes_{0};
  std::atomic<double> consumed_per_second_{-1};
  std::atomic<bool> ended_{false};
  std::thread thread_;
  std::unique_ptr<MetricGroup> metrics_;  // last: its gauges look at the above
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_TASK_TASK_H_
