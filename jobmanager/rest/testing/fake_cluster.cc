#include "jobmanager/rest/testing/fake_cluster.h"

#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string_view>
#include <utility>

#include "runtime/core/local_token.h"
#include "runtime/core/status.h"

namespace penstock::jobmanager::testing {
namespace {

constexpr int64_t kProgramBytesMax = 256 << 20;
constexpr char kSourceId[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
constexpr char kSinkId[] = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
constexpr int64_t kStartMs = 1'700'000'000'000;

std::string NewFolder() {
  static std::atomic<int> next{0};
  return (std::filesystem::temp_directory_path() / fmt::format("penstock-fake-{}-{}", getpid(), next++)).string();
}

proto::JobGraph SampleGraph() {
  proto::JobGraph graph;
  graph.set_graph_version(1);
  graph.set_name("sample");
  graph.set_uid("sample-v1");
  graph.set_parallelism(2);
  graph.set_key_groups(720);
  proto::Vertex* source = graph.add_vertices();
  source->set_id(kSourceId);
  source->set_name("events -> filter");
  source->set_parallelism(2);
  source->set_max_parallelism(720);
  source->set_is_source(true);
  source->add_operators()->set_name("events");
  proto::Vertex* sink = graph.add_vertices();
  sink->set_id(kSinkId);
  sink->set_name("sessions -> out");
  sink->set_parallelism(2);
  sink->set_max_parallelism(720);
  sink->set_is_sink(true);
  proto::Edge* edge = graph.add_edges();
  edge->set_from(kSourceId);
  edge->set_to(kSinkId);
  edge->set_partitioning("hash");
  return graph;
}

proto::TaskState TaskStateIn(JobState state) {
  switch (state) {
    case JobState::kRunning:
      return proto::RUNNING;
    case JobState::kFinished:
      return proto::FINISHED;
    case JobState::kFailed:
      return proto::FAILED;
    case JobState::kCanceled:
      return proto::CANCELED;
    case JobState::kCancelling:
    case JobState::kFailing:
      return proto::CANCELING;
    default:
      return proto::CREATED;
  }
}

SubtaskSnapshot SampleSubtask(const proto::Vertex& vertex, int index, JobState state) {
  SubtaskSnapshot subtask;
  subtask.subtask = index;
  subtask.attempt = 1;
  subtask.state = TaskStateIn(state);
  if (subtask.state == proto::CREATED) return subtask;
  subtask.taskmanager_id = "tm-1";
  subtask.endpoint = "127.0.0.1:4242";
  subtask.state_entered_ms = {
      {proto::CREATED, kStartMs}, {proto::DEPLOYING, kStartMs + 10}, {proto::RUNNING, kStartMs + 50}};
  if (IsTerminal(state)) subtask.end_ms = kStartMs + 5000;
  proto::TaskMetrics& metrics = subtask.metrics;
  metrics.set_vertex_id(vertex.id());
  metrics.set_records_in(1000 + index);
  metrics.set_records_out(500);
  metrics.set_bytes_in(100'000);
  metrics.set_busy_ms(70);
  metrics.set_input_watermark_ms(kStartMs + index);
  metrics.set_output_watermark_ms(std::numeric_limits<int64_t>::min());
  metrics.set_watermark_holder(fmt::format("input {}", index));
  (*metrics.mutable_user())["filter.dropped"] = 3;
  if (vertex.is_source()) {
    proto::SplitStatus* split = metrics.add_splits();
    split->set_name(fmt::format("events-raw-{}", index));
    split->set_position(100);
    split->set_end(142);
    split->set_watermark_ms(kStartMs);
    metrics.set_status_note(index == 1 ? "topic events-raw: broker 127.0.0.1:9092 down, retrying" : "");
  }
  return subtask;
}

}  // namespace

JobSnapshot SampleJob(JobState state) {
  JobSnapshot job;
  job.id = kJobId;
  job.name = "sample";
  job.uid = "sample-v1";
  job.state = state;
  job.start_ms = kStartMs;
  job.last_modified_ms = kStartMs + 100;
  job.state_entered_ms = {{static_cast<int>(JobState::kInitializing), kStartMs},
                          {static_cast<int>(state), kStartMs + 100}};
  if (IsTerminal(state)) job.end_ms = kStartMs + 5000;
  job.attempt = 1;
  job.parallelism = 2;
  job.arguments = {"--brokers", "127.0.0.1:9092"};
  job.graph = SampleGraph();
  if (state == JobState::kCreated) job.waits_for = "waiting for 4 slots: have 2";
  for (const proto::Vertex& vertex : job.graph.vertices()) {
    VertexSnapshot shown{.vertex = vertex};
    for (int i = 0; i < vertex.parallelism(); ++i) shown.subtasks.push_back(SampleSubtask(vertex, i, state));
    job.vertices.push_back(std::move(shown));
  }
  job.checkpoints = std::make_shared<const CheckpointsView>(SampleCheckpoints());
  proto::MemoryUse use;
  use.set_holder("hot state");
  use.set_budget_bytes(300 << 20);
  use.set_used_bytes(100 << 20);
  job.worker_memory = {
      {.taskmanager_id = "tm-1", .pid = 4711, .grant_bytes = 512 << 20, .rss_bytes = 200 << 20, .uses = {use}}};
  if (state == JobState::kFailed) {
    FailureSnapshot failure{.time_ms = kStartMs + 4000,
                            .task_name = "sessions -> out (1/2)",
                            .operator_name = "sessions",
                            .endpoint = "127.0.0.1:4242",
                            .taskmanager_id = "tm-1"};
    failure.failure.set_exception_type("std::runtime_error");
    failure.failure.set_message("bad session");
    failure.failure.set_stack("frame 0\nframe 1");
    job.failures = {failure, failure};
    job.failures[1].task_name.clear();
  }
  return job;
}

CheckpointsView SampleCheckpoints() {
  CheckpointsView view;
  view.config = {.storage = "file:///checkpoints", .interval_ms = 1000};
  view.counts = {.completed = 2, .failed = 1, .in_progress = 1, .restored = 1};
  view.restored = RestorePoint{.id = 3, .generation = "0a", .manifest_name = "jobs/sample-v1/manifests/3"};
  view.restored_ms = kStartMs;
  for (const uint64_t id : {10, 9, 8, 7}) {
    CheckpointRecord record{.id = id, .trigger_ms = kStartMs + 100 * static_cast<int64_t>(id), .subtasks = 4};
    record.outcome = id == 10  ? CheckpointOutcome::kInProgress
                     : id == 8 ? CheckpointOutcome::kExpired
                               : CheckpointOutcome::kCompleted;
    if (id == 7) record.kind = proto::Manifest::SAVEPOINT;
    if (id == 8) record.failure = "not complete after 600000 ms";
    if (id != 10) record.end_ms = record.trigger_ms + 50;
    const int acks = record.outcome == CheckpointOutcome::kCompleted ? 2 : 1;
    for (const char* vertex : {kSourceId, kSinkId}) {
      for (int i = 0; i < acks; ++i) {
        SubtaskRecord& subtask = record.acked[{vertex, i}];
        subtask.ack_ms = record.trigger_ms + 20 + i;
        subtask.figures.set_sync_us(2'000);
        subtask.figures.set_async_us(15'000);
        subtask.figures.set_alignment_us(3'000);
        subtask.figures.set_start_delay_us(1'000 * (7 + 10 * i));
        if (std::string_view(vertex) == kSinkId) {
          subtask.figures.set_waited_for("subtask 1 of events");
          subtask.figures.set_waited_us(3'000);
        }
        subtask.figures.set_written_bytes(100);
        subtask.figures.set_state_bytes(1'000);
      }
    }
    if (record.outcome == CheckpointOutcome::kCompleted) {
      record.written_bytes = 400;
      record.state_bytes = 4'000;
      record.manifest_name = fmt::format("jobs/sample-v1/manifests/{}", id);
    }
    view.history.push_back(std::move(record));
  }
  return view;
}

TaskManagerSnapshot SampleTaskManager() {
  TaskManagerSnapshot taskmanager;
  taskmanager.id = "tm-1";
  taskmanager.address = "127.0.0.1";
  taskmanager.last_heartbeat_ms = kStartMs;
  taskmanager.slots = 4;
  taskmanager.free_slots = 2;
  taskmanager.hello.set_cpu_cores(2);
  taskmanager.hello.set_physical_memory_bytes(int64_t{8} << 30);
  taskmanager.hello.set_free_memory_bytes(int64_t{4} << 30);
  taskmanager.hello.set_memory_limit_bytes(int64_t{2} << 30);
  taskmanager.hello.set_pid(4711);
  taskmanager.allocations = {{.job_id = kJobId, .slots = 2}};
  return taskmanager;
}

absl::StatusOr<std::string> FakeCommands::Submit(const JobSubmission& submission) {
  std::function<void()> then;
  absl::StatusOr<std::string> result;
  {
    MutexLock lock(&mutex_);
    submissions_.push_back(submission);
    then = on_submit_;
    result = submit_result_;
  }
  if (then && result.ok()) then();
  return result;
}

absl::StatusOr<uint64_t> FakeCommands::RequestCheckpoint(const std::string& job_id, const CheckpointRequest& request) {
  if (job_id != kJobId) return NotFound("no job {}", job_id);
  std::function<void(CheckpointRequest)> then;
  CheckpointRequest numbered = request;
  {
    MutexLock lock(&mutex_);
    if (!refusal_.ok()) return refusal_;
    numbered.number = requests_.size() + 1;
    requests_.push_back(numbered);
    then = on_request_;
  }
  if (then) then(numbered);
  return numbered.number;
}

absl::StatusOr<uint64_t> FakeCommands::Rescale(const std::string& job_id, const proto::JobGraph& graph) {
  {
    MutexLock lock(&mutex_);
    if (!refusal_.ok()) return refusal_;
    rescales_.push_back(graph);
  }
  return RequestCheckpoint(job_id, {.ending = proto::TriggerCheckpoint::SUSPEND});
}

absl::Status FakeCommands::Cancel(const std::string& job_id) {
  if (job_id != kJobId) return NotFound("no job {}", job_id);
  std::function<void()> then;
  {
    MutexLock lock(&mutex_);
    cancelled_.push_back(job_id);
    then = on_cancel_;
  }
  if (then) then();
  return absl::OkStatus();
}

void FakeCommands::ReadTaskManagerLog(const std::string& taskmanager_id, const proto::ReadLog& request,
                                      std::function<void(absl::StatusOr<proto::LogChunk>)> done) {
  const std::string log_name = std::string(kJobId) + "-1.err";
  if (taskmanager_id != "tm-1") return done(NotFound("TaskManager {} not found", taskmanager_id));
  proto::LogChunk chunk;
  if (request.list()) {
    for (const std::string& name : {log_name, std::string("taskmanager.log")}) {
      proto::LogFile* file = chunk.add_files();
      file->set_name(name);
      file->set_size_bytes(22);
      file->set_mtime_ms(kStartMs);
    }
  } else if (request.name() == log_name) {
    const std::string text = "first line\nsecond line\n";
    const auto offset = std::min<size_t>(static_cast<size_t>(request.offset()), text.size());
    chunk.set_data(text.substr(offset, static_cast<size_t>(request.max_bytes())));
  } else {
    chunk.set_error("File not found.");
  }
  done(std::move(chunk));
}

std::vector<JobSubmission> FakeCommands::submissions() const {
  MutexLock lock(&mutex_);
  return submissions_;
}

std::vector<std::string> FakeCommands::cancelled() const {
  MutexLock lock(&mutex_);
  return cancelled_;
}

std::vector<CheckpointRequest> FakeCommands::requests() const {
  MutexLock lock(&mutex_);
  return requests_;
}

std::vector<proto::JobGraph> FakeCommands::rescales() const {
  MutexLock lock(&mutex_);
  return rescales_;
}

void FakeCommands::RefuseCheckpoints(absl::Status refusal) {
  MutexLock lock(&mutex_);
  refusal_ = std::move(refusal);
}

void FakeCommands::OnRequest(std::function<void(CheckpointRequest)> then) {
  MutexLock lock(&mutex_);
  on_request_ = std::move(then);
}

void FakeCommands::SetSubmitResult(absl::StatusOr<std::string> result) {
  MutexLock lock(&mutex_);
  submit_result_ = std::move(result);
}

void FakeCommands::OnSubmit(std::function<void()> then) {
  MutexLock lock(&mutex_);
  on_submit_ = std::move(then);
}

void FakeCommands::OnCancel(std::function<void()> then) {
  MutexLock lock(&mutex_);
  on_cancel_ = std::move(then);
}

FakeCluster::FakeCluster(RestOptions options) : folder_(NewFolder()) {
  std::filesystem::create_directories(folder_);
  programs_ = *ProgramStore::Open(folder_ + "/programs", kProgramBytesMax);
  options.token_file = folder_ + "/token";
  server_ = std::make_unique<RestServer>(std::move(options), snapshots_, commands_, *programs_, Clock::System());
  const absl::Status started = server_->Start();
  if (!started.ok()) {
    std::fprintf(stderr, "fake cluster: %s\n", MessageOf(started).c_str());
    std::abort();
  }
}

FakeCluster::~FakeCluster() {
  server_->Stop();
  std::filesystem::remove_all(folder_);
}

void FakeCluster::ShowJob(JobState state) {
  Show({.time_ms = kStartMs,
        .jobs = {std::make_shared<const JobSnapshot>(SampleJob(state))},
        .taskmanagers = {SampleTaskManager()}});
}

void FakeCluster::Show(ClusterSnapshot snapshot) {
  snapshots_.Set(std::make_shared<const ClusterSnapshot>(std::move(snapshot)));
}

std::string FakeCluster::token() const { return *ReadLocalToken(folder_ + "/token"); }

}  // namespace penstock::jobmanager::testing
