#include "runtime/task/task.h"

#include <cxxabi.h>

#include <cstring>
#include <exception>
#include <typeinfo>
#include <utility>

#include "runtime/core/crash_handler.h"
#include "runtime/core/log.h"
#include "runtime/core/status.h"
#include "runtime/core/thread_name.h"
#include "runtime/time/time_merge.h"

namespace penstock {
namespace {

std::string Demangle(const char* name) {
  int status = 0;
  char* demangled = abi::__cxa_demangle(name, nullptr, nullptr, &status);
  std::string result = status == 0 ? demangled : name;
  std::free(demangled);
  return result;
}

}  // namespace

Task::Task(const CompiledGraph& graph, const CompiledVertex& vertex, TaskInfo info, Environment environment,
           std::shared_ptr<Mailbox> mailbox, std::vector<std::unique_ptr<ResultPartition>> partitions,
           std::unique_ptr<const TaskRestore> restore, KeyedBackendOptions keyed)
    : graph_(graph),
      vertex_(vertex),
      info_(std::move(info)),
      environment_(environment),
      mailbox_(std::move(mailbox)),
      partitions_(std::move(partitions)),
      restore_(std::move(restore)),
      gate_([mailbox = mailbox_] { mailbox->Wake(); }),
      chain_(graph_, vertex_, info_, environment_.clock, mailbox_, environment_.registry, partitions_, restore_.get(),
             std::move(keyed), environment_.origin),
      sources_started_(environment.checkpointing == Checkpointing::kOff) {}

Task::~Task() {
  Cancel();
  Join();
}

void Task::AddInput(std::shared_ptr<InputChannel> channel, int edge, int producer_subtask) {
  const LogicalEdge& logical = graph_.logical->edges[graph_.edges[edge].logical];
  InputState input;
  input.edge = edge;
  input.producer_subtask = producer_subtask;
  input.reader = graph_.logical->nodes[logical.from].outputs[logical.from_output]->create_reader();
  input.receiver = chain_.head().Input(logical.to_input);
  inputs_.push_back(std::move(input));
  tracker_.AddInput();
  aligner_.AddChannel();
  gate_.AddChannel(std::move(channel));
}

void Task::Start() {
  thread_ = std::thread([this] {
    const ThreadCrashStack crash_stack;  // so that even a stack overflow in user code is reported
    SetThreadName(info_.vertex_name);
    const std::string label = info_.Label();
    crash_place = {.task = label.c_str(), .name_of = [](const void* context) {
                     return static_cast<const OperatorContext*>(context)->operator_name().c_str();
                   }};
    Run();
    crash_place = {};
  });
}

void Task::Join() {
  if (thread_.joinable()) thread_.join();
}

void Task::FailFromOutside(absl::Status status, TaskFailure::Domain domain) {
  mailbox_->PostAnytime([this, status = std::move(status), domain] {
    FailWith(status, domain);
    mailbox_->Cancel();  // ends whatever wait this mail ran in
  });
}

void Task::Run() {
  Report(TaskState::kInitializing);
  try {
    if (absl::Status status = chain_.Open(); !status.ok()) {
      FailWith(status, TaskFailure::Domain::kUser);
      failure_.refused = IsRefusal(status);
      failure_.checkpoint_damaged = restore_ != nullptr && absl::IsDataLoss(status);
    } else {
      Report(TaskState::kRunning);
      BeginDebloating();
      gate_.Start();
      RunLoop();
    }
  } catch (...) {
    FailWithException();
  }
  const bool cancelled = mailbox_->cancelled();
  try {
    chain_.Close();
  } catch (...) {
    FailWithException();
  }
  ended_ = true;
  if (failed_) {
    Report(TaskState::kFailed, &failure_);
  } else {
    Report(cancelled ? TaskState::kCanceled : TaskState::kFinished);
  }
}

// Records that were late before the failure must be late again, though the watermarks of the sources begin anew.
void Task::BeginTime() {
  if (restore_ == nullptr || inputs_.empty()) return;
  const TimestampMs watermark = restore_->watermark;
  if (watermark == kNoTimestamp || watermark == kMaxWatermark) return;  // a drained job begins a time of its own
  tracker_.Begin(watermark);
  input_watermark_.store(watermark, std::memory_order_relaxed);
  chain_.head().Input(0)->OnWatermark(watermark);
}

void Task::RunLoop() {
  last_flush_ns_ = last_tick_ns_ = environment_.clock.MonotonicNs();
  BeginTime();
  while (!Stopping()) {
    mailbox_->RunBetweenRecords();
    if (InputOver() && !chain_.HasPending()) {
      FinishAll();
      return;
    }
    if (!Step()) {
      Flush();
      WaitForInput();
    }
    if (absl::Status status = chain_.TakeFailure(); !status.ok()) FailWith(status, TaskFailure::Domain::kUser);
  }
}

bool Task::InputOver() const { return chain_.source() != nullptr ? source_finished_ : ended_inputs_ == gate_.size(); }

bool Task::Step() {
  if (chain_.HasPending()) {
    chain_.ContinuePending();
    return true;
  }
  return chain_.source() != nullptr ? StepSource() : StepInput();
}

bool Task::StepSource() {
  mailbox_->ClearNudge();
  if (!source_prepared_) return PrepareSource();  // a checkpoint may have waited for it
  if (!sources_started_) return false;
  const absl::StatusOr<SourceStep> step = chain_.source()->Poll();
  if (!step.ok()) {
    FailWith(step.status(), TaskFailure::Domain::kExternal);
    return true;
  }
  AfterBatch();
  if (*step == SourceStep::kFinished) source_finished_ = true;
  return *step != SourceStep::kDry;
}

bool Task::StepInput() {
  if (!current_.buffer) {
    if (!gate_.Next(current_)) return false;
    reader_ = FrameReader(current_.buffer.data(), current_.buffer.size());
    bytes_in_.store(bytes_in_.load(std::memory_order_relaxed) + current_.buffer.size(), std::memory_order_relaxed);
  }
  InputState& input = inputs_[current_.channel];
  Frame frame;
  FrameResult result = FrameResult::kFrame;
  while ((result = reader_.Next(frame)) == FrameResult::kFrame) {
    HandleFrame(input, current_.channel, frame);
    // A fire goes first, in slices; the rest of the buffer waits.
    if (chain_.HasPending() || chain_.failed() || Stopping()) return true;
  }
  if (result == FrameResult::kCorrupt) {
    FailWith(DataLoss("a buffer from subtask {} holds bytes that are no frame", input.producer_subtask),
             TaskFailure::Domain::kInternal);
  }
  consumed_bytes_ += current_.buffer.size();
  current_.buffer.Release();
  AfterBatch();
  return true;
}

void Task::HandleFrame(InputState& input, int channel, const Frame& frame) {
  switch (frame.kind) {
    case FrameKind::kRecord:
    case FrameKind::kBareRecord:
      HandleRecord(input, frame);
      return;
    case FrameKind::kWatermark: {
      TimestampMs watermark = kNoTimestamp;
      if (frame.payload.size() == sizeof watermark) std::memcpy(&watermark, frame.payload.data(), sizeof watermark);
      tracker_.OnWatermark(channel, watermark);
      break;
    }
    case FrameKind::kStatus:
      tracker_.OnStatus(channel,
                        !frame.payload.empty() && frame.payload[0] == 1 ? InputStatus::kIdle : InputStatus::kActive);
      break;
    case FrameKind::kEnd:
      ++ended_inputs_;
      Act(aligner_.OnEnd(channel), channel);
      if (frame.payload.empty() || frame.payload[0] == 0) {
        // The input goes on elsewhere. Time stands still: were it to leave the minimum, windows would fire here too,
        // behind the barrier of the checkpoint they go on from.
        suspended_ = true;
        return;
      }
      tracker_.OnStatus(channel, InputStatus::kFinished);
      break;
    case FrameKind::kBarrier:
      return OnBarrierFrame(channel, frame.payload);
  }
  OnTimeChange();
}

void Task::HandleRecord(InputState& input, const Frame& frame) {
  std::string_view payload = frame.payload;
  if (frame.more || !input.partial.empty()) {
    input.partial += payload;
    if (frame.more) return;
    payload = input.partial;
  }
  TimestampMs timestamp = kNoTimestamp;
  bool good = true;
  if (frame.kind == FrameKind::kRecord) {
    good = payload.size() >= sizeof timestamp;
    if (good) {
      std::memcpy(&timestamp, payload.data(), sizeof timestamp);
      payload.remove_prefix(sizeof timestamp);
    }
  }
  chain_.CountRecordIn();
  if (!good || !input.reader->Read(payload, timestamp, input.receiver)) {
    FailWith(DataLoss("a record from subtask {} does not decode as its type", input.producer_subtask),
             TaskFailure::Domain::kInternal);
  }
  input.partial.clear();
}

void Task::OnTimeChange() {
  const WatermarkTracker::Change change = tracker_.Update();
  watermark_holder_.store(tracker_.holder(), std::memory_order_relaxed);
  if (change.advanced) input_watermark_.store(change.watermark, std::memory_order_relaxed);
  // Of all inputs together, also where the head has several of different types.
  TellTime(change, *chain_.head().Input(0));
}

void Task::AfterBatch() {
  TrickleState();
  const int64_t now_ns = environment_.clock.MonotonicNs();
  // Source chains make their watermarks here; others only look for idleness now and then. Behind the barrier that ends
  // the job nothing may be made to fire.
  const bool due = now_ns - last_tick_ns_ >= environment_.options.auto_watermark_interval_ms * 1'000'000;
  if (!ends_with_ && (chain_.source() != nullptr || due)) {
    last_tick_ns_ = now_ns;
    chain_.OnTick(now_ns / 1'000'000);
    ReportCommitted();
  }
  if (now_ns - last_flush_ns_ >= environment_.options.buffer_timeout_ms * 1'000'000) Flush();
  Debloat(now_ns);
}

void Task::BeginDebloating() {
  if (gate_.size() == 0) return;
  debloated_buffer_bytes_ = environment_.segment_bytes;
  const DebloatOptions& options = environment_.options.debloat;
  if (!options.enabled) return;
  debloater_.emplace(options, gate_.size(), environment_.segment_bytes,
                     BufferDebloater::Facts{environment_.clock.MonotonicNs(), 0, mailbox_->idle_ns()});
  TellLimit(debloater_->limit());
}

void Task::Debloat(int64_t now_ns) {
  if (!debloater_ || !debloater_->Due(now_ns)) return;
  const auto limit = debloater_->Observe({now_ns, consumed_bytes_, mailbox_->idle_ns()});
  consumed_per_second_.store(debloater_->bytes_per_second(), std::memory_order_relaxed);
  if (limit) TellLimit(*limit);
}

void Task::TellLimit(const ChannelLimit& limit) {
  gate_.SetLimit(limit);
  debloated_buffer_bytes_.store(limit.buffer_bytes, std::memory_order_relaxed);
}

int64_t Task::ConsumeBuffersMs() const {
  return BufferDebloater::TimeToConsumeMs(gate_.QueuedBytes(), consumed_per_second_.load(std::memory_order_relaxed));
}

void Task::WaitForInput() {
  const int64_t deadline_ns =
      environment_.clock.MonotonicNs() + environment_.options.auto_watermark_interval_ms * 1'000'000;
  const bool is_source = chain_.source() != nullptr;
  mailbox_->WaitUntilDeadline(
      WaitKind::kInput, "input",
      [&] { return (is_source ? mailbox_->nudged() : gate_.HasInput()) || chain_.HasPending(); }, deadline_ns);
  if (environment_.clock.MonotonicNs() >= deadline_ns) AfterBatch();
}

void Task::Flush() {
  last_flush_ns_ = environment_.clock.MonotonicNs();
  chain_.Flush();
  for (const auto& partition : partitions_) partition->Flush();
}

void Task::FinishAll() {
  absl::Status status;
  // A suspended job goes on elsewhere: its windows must not fire here.
  while (!suspended_ && !Stopping() && !chain_.FinishNext(status)) {
    if (status.ok()) status = chain_.TakeFailure();
    if (!status.ok()) return FailWith(status, TaskFailure::Domain::kUser);
    while (!Stopping() && chain_.HasPending()) {
      mailbox_->RunBetweenRecords();
      chain_.ContinuePending();
    }
  }
  if (absl::Status late = chain_.TakeFailure(); !late.ok()) return FailWith(late, TaskFailure::Domain::kUser);
  if (Stopping()) return;
  for (const auto& partition : partitions_) partition->AppendEndToAll(!suspended_);
  Flush();
  if (environment_.checkpointing == Checkpointing::kOn) {
    AwaitFinalCheckpoint();
    if (!Stopping()) HandInLast();
  }
}

void Task::FailWith(const absl::Status& status, TaskFailure::Domain domain) {
  // What a task meets on its way out after a cancel (an interrupted wait) is no failure.
  if (failed_ || mailbox_->cancelled()) return;
  failed_ = true;
  failure_.message = MessageOf(status);
  failure_.exception_type = absl::StatusCodeToString(status.code());
  failure_.operator_name = chain_.failing_operator();
  failure_.domain = domain;
}

void Task::FailWithException() {
  if (failed_ || mailbox_->cancelled()) return;
  failed_ = true;
  failure_.operator_name = chain_.failing_operator();
  failure_.domain = TaskFailure::Domain::kUser;
  if (const std::type_info* type = abi::__cxa_current_exception_type())
    failure_.exception_type = Demangle(type->name());
  try {
    throw;
  } catch (const std::exception& e) {
    failure_.message = e.what();
  } catch (...) {
    failure_.message = "an exception that is no std::exception";
  }
  if (environment_.throw_stack != nullptr) failure_.stack = environment_.throw_stack();
}

void Task::Report(TaskState state, const TaskFailure* failure) {
  environment_.listener.OnTaskState(info_, state, failure);
}

std::string Task::ProducerOf(const InputState& input) const {
  const CompiledVertex& from = graph_.vertices[graph_.edges[input.edge].from];
  return fmt::format("subtask {} of {}", input.producer_subtask, graph_.logical->nodes[from.nodes.front()].name);
}

TaskStats Task::ReadStats() const {
  TaskStats stats;
  chain_.ReadStats(stats);
  const Mailbox::Times times = mailbox_->ReadTimes();
  stats.busy_ms = times.busy_ms;
  stats.idle_ms = times.idle_ms;
  stats.backpressured_ms = times.backpressured_ms;
  stats.bytes_in = bytes_in_;
  stats.debloated_buffer_bytes = debloated_buffer_bytes_;
  stats.consume_buffers_ms = ConsumeBuffersMs();
  for (const auto& partition : partitions_) {
    stats.records_out += partition->records_out().value();
    stats.bytes_out += partition->bytes_out().value();
  }
  stats.input_watermark = input_watermark_;
  if (const int holder = watermark_holder_; holder >= 0 && holder < static_cast<int>(inputs_.size())) {
    stats.watermark_holder = ProducerOf(inputs_[holder]);
  }
  if (stats.status_note.empty()) {
    const std::string waiting = mailbox_->WaitingFor();
    if (waiting != "input") stats.status_note = waiting.empty() ? "" : "waits for " + waiting;
  }
  return stats;
}

}  // namespace penstock
