// The `penstock` program itself, against a REST server over a fake cluster.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "cli/child.h"
#include "cli/exit_codes.h"
#include "cli/state_commands.h"
#include "jobmanager/rest/testing/fake_cluster.h"
#include "runtime/checkpoint/manifest.h"
#include "runtime/core/bundle.h"
#include "runtime/core/digest.h"
#include "runtime/core/status.h"

namespace penstock::cli {
namespace {

namespace fs = std::filesystem;
using jobmanager::JobState;
using jobmanager::testing::FakeCluster;
using jobmanager::testing::kJobId;
using nlohmann::json;

// `penstock` with a cluster to talk to and a folder of its own.
class Cli {
 public:
  explicit Cli(const std::string& jobmanager = "") {
    const std::string address = jobmanager.empty() ? cluster.server().address() : jobmanager;
    environment_ = {{"PENSTOCK_RUN_DIR", cluster.folder() + "/run"},
                    {"PENSTOCK_REST_LOCAL_TOKEN_FILE", cluster.folder() + "/token"}};
    options_ = {"-m", address};
    cluster.ShowJob(JobState::kRunning);
  }

  ChildResult Run(std::vector<std::string> words) {
    std::vector<std::string> command = {PENSTOCK_CLI};
    command.insert(command.end(), options_.begin(), options_.end());
    command.insert(command.end(), words.begin(), words.end());
    const auto result = RunChild({.command = command, .environment = environment_});
    REQUIRE(result.ok());
    REQUIRE_FALSE(result->timed_out);
    return *result;
  }
  std::string File(const std::string& name, const std::string& bytes) {
    const std::string path = cluster.folder() + "/" + name;
    std::ofstream(path, std::ios::binary) << bytes;
    fs::permissions(path, fs::perms::owner_all);
    return path;
  }

  FakeCluster cluster;

 private:
  std::map<std::string, std::string> environment_;
  std::vector<std::string> options_;
};

bool Has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

const std::string kSubmitted = std::string("Job has been submitted with JobID ") + kJobId + "\n";

}  // namespace

TEST_CASE("run -d plans, uploads by digest and submits", "[cli]") {
  Cli cli;
  const auto result = cli.Run(
      {"run", "-d", "-p", "3", "-Dtask.cancellation.timeout=5 s", PENSTOCK_PLAN_JOB, "--", "ok", "--brokers", "x"});
  CHECK(result.err == "");
  CHECK(result.exit_code == kExitOk);
  CHECK(result.out == kSubmitted);
  REQUIRE(cli.cluster.commands().submissions().size() == 1);
  const auto submission = cli.cluster.commands().submissions()[0];
  CHECK(submission.digest == *Sha256OfFile(PENSTOCK_PLAN_JOB));
  CHECK(submission.arguments == std::vector<std::string>{"ok", "--brokers", "x"});
  CHECK(submission.graph.parallelism() == 3);
  CHECK(submission.graph.vertices_size() == 2);
  CHECK(submission.config == std::map<std::string, std::string>{{"task.cancellation.timeout", "5 s"}});
  CHECK(cli.cluster.programs().Find(submission.digest).ok());
  CHECK(json::parse(cli.Run({"run", "-d", "--json", PENSTOCK_PLAN_JOB}).out) == json{{"jobid", kJobId}});
}

TEST_CASE("An upload that broke off goes on where it stopped", "[cli]") {
  Cli cli;
  const std::string program = ReadFile(PENSTOCK_PLAN_JOB);
  {
    auto upload = cli.cluster.programs().BeginUpload(Sha256Of(program), 0, static_cast<int64_t>(program.size()));
    REQUIRE(upload.ok());
    REQUIRE((*upload)->Write(program.substr(0, 1000)).ok());
  }
  CHECK(cli.Run({"run", "-d", PENSTOCK_PLAN_JOB}).exit_code == kExitOk);
  CHECK(ReadFile(cli.cluster.programs().Find(Sha256Of(program))->path) == program);
}

TEST_CASE("A foreground run follows the job to its end and exits by it", "[cli]") {
  struct Case {
    JobState end;
    int exit_code;
  };
  for (const Case& one : {Case{JobState::kFinished, kExitOk}, Case{JobState::kCanceled, kExitJobCanceled},
                          Case{JobState::kFailed, kExitJobFailed}}) {
    Cli cli;
    cli.cluster.commands().OnSubmit([&] { cli.cluster.ShowJob(one.end); });
    const auto result = cli.Run({"run", PENSTOCK_PLAN_JOB});
    INFO(result.out << result.err);
    CHECK(result.exit_code == one.exit_code);
    CHECK(result.out.starts_with(kSubmitted));
    CHECK(Has(result.out, std::string(JobStateName(one.end)) + "  in 0/s  out 0/s  lag 84"));
    if (one.end == JobState::kFailed) {
      CHECK(Has(result.err, "has failed in sessions -> out (1/2): std::runtime_error: bad session"));
    }
  }
}

TEST_CASE("A plan that crashes, hangs, refuses or is none is refused with the program's words", "[cli]") {
  Cli cli;
  const auto refused = [&](std::vector<std::string> words) {
    const auto result = cli.Run(std::move(words));
    CHECK(result.exit_code == kExitRefused);
    CHECK(result.out.empty());
    return result.err;
  };
  CHECK(Has(refused({"run", PENSTOCK_PLAN_JOB, "--", "crash"}), "crashed with signal 11"));
  CHECK(
      Has(refused({"run", "--plan-timeout-ms", "300", PENSTOCK_PLAN_JOB, "--", "hang"}), "did not end within 300 ms"));
  CHECK(Has(refused({"run", PENSTOCK_PLAN_JOB, "--", "refuse"}), "argument --brokers is missing"));
  CHECK(Has(refused({"run", PENSTOCK_PLAN_JOB, "--", "chatter"}), "is no job program"));
  CHECK(Has(refused({"run", cli.File("text", "#!/bin/sh\n")}), "not ELF"));
  CHECK(Has(refused({"run", "/no/such/job"}), "does not exist"));
  std::string foreign = ReadFile(PENSTOCK_PLAN_JOB);
  foreign[18] = '\xb7';  // e_machine: aarch64
  CHECK(Has(refused({"run", cli.File("foreign", foreign)}), "is a program for aarch64, this machine is x86_64"));
  CHECK(cli.cluster.commands().submissions().empty());
}

TEST_CASE("A missing library is named", "[cli]") {
  Cli cli;
  // libprotobuf.so -> libpr0tobuf.so in the program's own table of names.
  std::string broken = ReadFile(PENSTOCK_NEEDY_JOB);
  const size_t at = broken.find("libpenstock_needy.so");
  REQUIRE(at != std::string::npos);
  broken[at + 3] = 'X';
  const auto result = cli.Run({"run", cli.File("needy", broken)});
  CHECK(result.exit_code == kExitRefused);
  CHECK(Has(result.err, "libXenstock_needy.so"));
}

TEST_CASE("What the cluster refuses is one line and exit code 4", "[cli]") {
  Cli cli;
  cli.cluster.commands().SetSubmitResult(AlreadyExists("job 'fake-v1' runs already"));
  const auto result = cli.Run({"run", "-d", PENSTOCK_PLAN_JOB});
  CHECK(result.exit_code == kExitRefused);
  CHECK(result.err == "penstock: job 'fake-v1' runs already\n");
}

TEST_CASE("An unreachable JobManager is one line and exit code 3", "[cli]") {
  Cli cli("127.0.0.1:1");
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"list"}, {"status", kJobId}, {"cancel", kJobId}}) {
    const auto result = cli.Run(words);
    CHECK(result.exit_code == kExitUnreachable);
    CHECK(Has(result.err, "the JobManager at 127.0.0.1:1 can't be reached"));
    CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
  }
}

TEST_CASE("Bad usage is exit code 2 and names what is wrong", "[cli]") {
  Cli cli;
  const auto usage = [&](std::vector<std::string> words) {
    const auto result = cli.Run(std::move(words));
    CHECK(result.exit_code == kExitUsage);
    return result.err;
  };
  CHECK(Has(usage({}), "subcommand"));
  CHECK(Has(usage({"run"}), "job is required"));
  CHECK(Has(usage({"run", "-p", "0", PENSTOCK_PLAN_JOB}), "parallelism"));
  CHECK(Has(usage({"run", "-Drest.prot=1", PENSTOCK_PLAN_JOB}), "the nearest is 'rest.port'"));
  CHECK(Has(usage({"status", "abc"}), "'abc' is no job id"));
  CHECK(Has(usage({"config", "explain", "rest.prot"}), "the nearest is 'rest.port'"));
  CHECK(Has(usage({"--config", "/no/such.yaml", "list"}), "/no/such.yaml"));
}

TEST_CASE("list, status, logs and cancel", "[cli]") {
  Cli cli;
  CHECK(Has(cli.Run({"list"}).out, std::string(kJobId) + "  RUNNING"));
  CHECK(json::parse(cli.Run({"list", "--json"}).out)[0]["jid"] == kJobId);
  const std::string status = cli.Run({"status", kJobId}).out;
  CHECK(Has(status, "state RUNNING, attempt 1, parallelism 2"));
  CHECK(Has(status, "split events-raw-0: at 100 of 142, lag 42"));
  CHECK(Has(status, "note from events -> filter (1): topic events-raw: broker 127.0.0.1:9092 down, retrying"));
  CHECK(json::parse(cli.Run({"status", kJobId, "--json"}).out)["lag"] == 84);
  CHECK(Has(cli.Run({"logs", kJobId}).out, "-1.err <==\nfirst line\nsecond line\n"));
  CHECK(cli.Run({"cancel", kJobId}).exit_code == kExitOk);
  CHECK(cli.cluster.commands().cancelled() == std::vector<std::string>{kJobId});
  cli.cluster.ShowJob(JobState::kCreated);
  CHECK(Has(cli.Run({"status", kJobId}).out, "waiting for 4 slots: have 2"));
  cli.cluster.ShowJob(JobState::kFinished);
  CHECK(Has(cli.Run({"list"}).out, "No jobs are running"));
  CHECK(Has(cli.Run({"list", "-a"}).out, "FINISHED"));
  const auto unknown = cli.Run({"status", std::string(32, '0')});
  CHECK(unknown.exit_code == kExitFailed);
  CHECK(Has(unknown.err, "not found"));
}

// The fake JobManager answers each request at once: as completed, or as failed for this reason.
void AnswerRequests(FakeCluster* cluster, const std::string& failure, JobState then, int parallelism = 2) {
  cluster->commands().OnRequest([=](const jobmanager::CheckpointRequest& request) {
    jobmanager::JobSnapshot job = jobmanager::testing::SampleJob(then);
    jobmanager::CheckpointsView view = jobmanager::testing::SampleCheckpoints();
    jobmanager::RequestRecord record{.request = request, .triggered = true, .decided = true, .checkpoint_id = 12};
    record.outcome =
        failure.empty() ? jobmanager::CheckpointOutcome::kCompleted : jobmanager::CheckpointOutcome::kAborted;
    record.failure = failure;
    record.location = request.directory.empty() ? "file:///checkpoints/jobs/sample-v1/manifests/12"
                                                : request.directory + "/savepoint-12";
    view.requests.push_back(record);
    job.checkpoints = std::make_shared<const jobmanager::CheckpointsView>(std::move(view));
    job.parallelism = parallelism;
    job.attempt = 2;
    cluster->Show({.jobs = {std::make_shared<const jobmanager::JobSnapshot>(std::move(job))}});
  });
}

TEST_CASE("run says what the job begins from", "[cli]") {
  Cli cli;
  const auto restore_of = [&](std::vector<std::string> words) {
    words.insert(words.begin(), {"run", "-d"});
    words.push_back(PENSTOCK_PLAN_JOB);
    const auto result = cli.Run(words);
    INFO(result.err);
    CHECK(result.exit_code == kExitOk);
    return cli.cluster.commands().submissions().back().restore;
  };
  CHECK(restore_of({"-s", "s3://b/x"}).path == "s3://b/x");
  CHECK(restore_of({"-s", cli.cluster.folder()}).path == fs::absolute(cli.cluster.folder()).string());
  CHECK(restore_of({"--resume", "--allow-duplicates"}).resume);
  CHECK(restore_of({"--resume", "--allow-duplicates"}).allow_duplicates);
  CHECK(restore_of({"--allow-empty"}).allow_empty);
  CHECK(restore_of({"-s", "x", "--allow-non-restored-state"}).allow_non_restored);
  CHECK(cli.Run({"run", "-d", "-s", "x", "--resume", PENSTOCK_PLAN_JOB}).exit_code == kExitUsage);
  CHECK(cli.Run({"run", "-d", "--allow-empty", "--resume", PENSTOCK_PLAN_JOB}).exit_code == kExitUsage);
}

TEST_CASE("savepoint, checkpoint and stop wait for the outcome", "[cli]") {
  Cli cli;
  AnswerRequests(&cli.cluster, "", JobState::kRunning);
  CHECK(cli.Run({"savepoint", kJobId, "file:///there"}).out ==
        "Savepoint completed. Path: file:///there/savepoint-12\n");
  CHECK(json::parse(cli.Run({"savepoint", kJobId, "--json"}).out) ==
        json{{"jobid", kJobId},
             {"id", 12},
             {"kind", "savepoint"},
             {"location", "file:///checkpoints/jobs/sample-v1/manifests/12"}});
  CHECK(Has(cli.Run({"checkpoint", kJobId}).out, "Checkpoint 12 of job"));
  AnswerRequests(&cli.cluster, "", JobState::kFinished);
  CHECK(Has(cli.Run({"stop", kJobId, "--drain", "--savepoint", "/there"}).out, "Path: /there/savepoint-12"));
  const auto requests = cli.cluster.commands().requests();
  REQUIRE(requests.size() == 4);
  CHECK(requests[0].kind == proto::Manifest::SAVEPOINT);
  CHECK(requests[2].kind == proto::Manifest::CHECKPOINT);
  CHECK(requests[3].ending == proto::TriggerCheckpoint::DRAIN);
}

TEST_CASE("a savepoint that fails or is refused says why", "[cli]") {
  Cli cli;
  AnswerRequests(&cli.cluster, "no space left on w1", JobState::kRunning);
  const auto failed = cli.Run({"savepoint", kJobId});
  CHECK(failed.exit_code == kExitFailed);
  CHECK(failed.err == "penstock: no space left on w1\n");
  AnswerRequests(&cli.cluster, "", JobState::kFailed);
  const auto stopped = cli.Run({"stop", kJobId});
  CHECK(stopped.exit_code == kExitFailed);
  CHECK(Has(stopped.err, "the savepoint was taken (file:///checkpoints/jobs/sample-v1/manifests/12), but the job is"));
  cli.cluster.commands().RefuseCheckpoints(FailedPrecondition("the job takes no checkpoints"));
  CHECK(cli.Run({"checkpoint", kJobId}).exit_code == kExitRefused);
  CHECK(cli.Run({"savepoint", "abc"}).exit_code == kExitUsage);
  CHECK(cli.Run({"savepoint", std::string(32, '0')}).exit_code == kExitFailed);
}

TEST_CASE("rescale plans the job's own program again and waits until it runs", "[cli]") {
  Cli cli;
  AnswerRequests(&cli.cluster, "", JobState::kRunning, 5);
  const auto result = cli.Run({"rescale", kJobId, "-p", "5", "--program", PENSTOCK_PLAN_JOB});
  INFO(result.err);
  CHECK(result.out == std::string("Job ") + kJobId + " runs at parallelism 5 (it was 2), attempt 2\n");
  REQUIRE(cli.cluster.commands().rescales().size() == 1);
  CHECK(cli.cluster.commands().rescales()[0].parallelism() == 5);

  // Without --program it takes the JobManager's copy.
  const std::string bytes = ReadFile(PENSTOCK_PLAN_JOB);
  auto upload = cli.cluster.programs().BeginUpload(Sha256Of(bytes), 0, static_cast<int64_t>(bytes.size()));
  REQUIRE(upload.ok());
  REQUIRE((*upload)->Write(bytes).ok());
  REQUIRE((*upload)->Finish().ok());
  jobmanager::JobSnapshot job = jobmanager::testing::SampleJob(JobState::kRunning);
  job.digest = Sha256Of(bytes);
  job.arguments = {"ok"};
  cli.cluster.Show({.jobs = {std::make_shared<const jobmanager::JobSnapshot>(job)}});
  const auto again = cli.Run({"rescale", kJobId, "-p", "5", "--json"});
  INFO(again.err);
  CHECK(json::parse(again.out)["to"] == 5);
  cli.cluster.ShowJob(JobState::kFinished);
  CHECK(cli.Run({"rescale", kJobId, "-p", "5"}).exit_code == kExitRefused);
  CHECK(cli.Run({"rescale", kJobId, "-p", "0"}).exit_code == kExitUsage);
}

TEST_CASE("state inspect counts elements of state without keys, not their schemas", "[cli]") {
  proto::Manifest manifest;
  proto::Vertex& vertex = *manifest.mutable_graph()->add_vertices();
  vertex.set_id("v");
  proto::Operator& op = *vertex.add_operators();
  op.set_uid("keeper");
  proto::TaskHandle handle;
  proto::OperatorHandle& kept = *handle.add_operators();
  kept.set_uid("keeper");
  for (const std::string kind : {"split list", "broadcast"}) {
    proto::StateDeclaration& declared = *op.add_states();
    declared.set_kind(kind);
    declared.set_name(kind + "!");
    proto::OperatorStateHandle& state = *kept.add_states();
    state.set_name(declared.name());
    state.set_kind(kind == "broadcast" ? proto::OperatorStateHandle::BROADCAST : proto::OperatorStateHandle::SPLIT);
    for (const char* item : {"123", "4"}) state.add_items(item);
    proto::OperatorStateHandle& schema = *kept.add_states();
    schema.set_name("schema of " + declared.name());
    schema.set_kind(proto::OperatorStateHandle::BROADCAST);
    schema.add_items("some bytes");
  }
  for (int i = 0; i < 3; ++i) {
    proto::SubtaskSnapshot& subtask = *manifest.add_subtasks();
    subtask.set_vertex_id("v");
    subtask.set_subtask(i);
    subtask.set_handle(handle.SerializeAsString());
  }
  const json described = DescribeManifest(manifest)["vertices"][0]["operators"][0];
  INFO(described);
  CHECK(described["items"] == 8);
  CHECK(described["item_bytes"] == 16);
  CHECK(described["states"][0]["items"] == 6);
  CHECK(described["states"][1]["items"] == 2);  // of each subtask
  CHECK(described["states"][1]["item_bytes"] == 4);
}

TEST_CASE("state inspect and savepoint diff read a savepoint by themselves", "[cli]") {
  Cli cli;
  proto::Manifest manifest;
  manifest.set_version(1);
  manifest.set_kind(proto::Manifest::SAVEPOINT);
  manifest.set_job_uid("fake-v1");
  manifest.set_checkpoint_id(7);
  manifest.set_generation("0a0b");
  proto::JobGraph& graph = *manifest.mutable_graph();
  graph.set_name("fake");
  graph.set_key_groups(720);
  graph.set_parallelism(3);
  proto::Vertex& vertex = *graph.add_vertices();
  vertex.set_id("v");
  vertex.set_name("old");
  proto::Operator& op = *vertex.add_operators();
  op.set_uid("old");
  op.set_kind("window");
  proto::StateDeclaration& state = *op.add_states();
  state.set_name("windows");
  state.set_kind("window");
  state.set_key_type("string");
  state.set_value_type("int64");
  proto::TaskHandle handle;
  handle.set_version(1);
  proto::OperatorHandle& kept = *handle.add_operators();
  kept.set_uid("old");
  kept.add_states()->add_items("12345");
  proto::SubtaskSnapshot& subtask = *manifest.add_subtasks();
  subtask.set_vertex_id("v");
  subtask.set_handle(handle.SerializeAsString());
  subtask.mutable_figures()->set_state_bytes(3'000'000);
  const std::string folder = cli.cluster.folder() + "/saved/jobs/fake-v1/manifests";
  fs::create_directories(folder);
  const std::string path = folder + "/00000000000000000007";
  std::ofstream(path, std::ios::binary) << EncodeManifest(manifest);

  for (const std::string& given : {path, cli.cluster.folder() + "/saved", "file://" + path}) {
    const auto shown = cli.Run({"state", "inspect", given});
    INFO(shown.err);
    CHECK(Has(shown.out, "savepoint 7 of job 'fake' (uid fake-v1), generation 0a0b"));
    CHECK(Has(shown.out, "2.9 MB of state"));
    CHECK(Has(shown.out, "window (uid old): 1 items of its own, 5 B\n      window windows: string -> int64"));
  }
  CHECK(json::parse(cli.Run({"state", "inspect", path, "--json"}).out)["id"] == 7);
  const auto diff = cli.Run({"savepoint", "diff", path, PENSTOCK_PLAN_JOB});
  CHECK(diff.exit_code == kExitRefused);
  CHECK(Has(diff.out, "missing      old / windows: the program has no such state"));
  CHECK(Has(diff.out, "--allow-non-restored-state"));
  CHECK(Has(diff.out, "new          sum / sum: begins empty"));
  CHECK(Has(diff.err, "cannot begin from"));

  const auto none = cli.Run({"state", "inspect", cli.cluster.folder() + "/nowhere"});
  CHECK(none.exit_code == kExitFailed);
  CHECK(Has(none.err, "there is no savepoint at"));
  std::ofstream(path, std::ios::binary) << EncodeManifest(manifest).substr(0, 40);
  CHECK(cli.Run({"state", "inspect", path}).exit_code == kExitFailed);
  CHECK(cli.Run({"savepoint", "diff", path}).exit_code == kExitUsage);
}

TEST_CASE("status tells of checkpoints", "[cli]") {
  Cli cli;
  const std::string status = cli.Run({"status", kJobId}).out;
  CHECK(Has(status, "checkpoints: 2 completed, 1 failed"));
  CHECK(Has(status, "last: checkpoint 9, 3.9 KB (400 B written) in 50 ms"));
  CHECK(Has(status, "failed: checkpoint 8: not complete after 600000 ms"));
  CHECK(Has(status, "restored from checkpoint 3 at file:///checkpoints/jobs/sample-v1/manifests/3"));
}

TEST_CASE("checkpoints lists them, and shows where the time of one went", "[cli]") {
  Cli cli;
  const std::string all = cli.Run({"checkpoints", kJobId}).out;
  CHECK(Has(all, "      10  checkpoint  IN_PROGRESS"));
  CHECK(Has(all, "       9  checkpoint  COMPLETED        50 ms      400 B     3.9 KB  4/4\n"));
  CHECK(Has(all, "not complete after 600000 ms"));
  const std::string one = cli.Run({"checkpoints", kJobId, "9"}).out;
  CHECK(Has(one, "checkpoint 9: COMPLETED, 4 of 4 subtasks, 50 ms, 3.9 KB (400 B written)\n"));
  CHECK(Has(one,
            "          1     21 ms     17 ms    3.0 ms    2.0 ms     15 ms     100 B    1000 B  "
            "subtask 1 of events (3.0 ms)\n"));
  CHECK(Has(cli.Run({"checkpoints", kJobId, "10"}).out, "          1  has not acknowledged\n"));
  CHECK(json::parse(cli.Run({"checkpoints", kJobId, "9", "--json"}).out)["vertices"].size() == 2);
  CHECK(json::parse(cli.Run({"checkpoints", kJobId, "--json"}).out)["checkpoints"].size() == 4);
  CHECK(cli.Run({"checkpoints", kJobId, "99"}).exit_code == kExitFailed);
  CHECK(Has(cli.Run({"checkpoints", kJobId, "x"}).err, "'x' is no checkpoint id"));
}

TEST_CASE("info prints the graph as text or JSON", "[cli]") {
  Cli cli;
  const auto text = cli.Run({"info", "-p", "4", PENSTOCK_PLAN_JOB});
  CHECK(text.out ==
        "Job fake (uid fake-v1), parallelism 4, 720 key groups, needs 4 slots\n"
        "\n"
        "  1. numbers  x4\n"
        "      numbers [source]  -> int64\n"
        "      => 2. by hash, int64\n"
        "\n"
        "  2. sum -> out  x1\n"
        "      sum [window]  tumbling(5min)\n"
        "          state sum (value): int64 -> int64\n"
        "      out [sink]  delivery=at_least_once\n");
  CHECK(json::parse(cli.Run({"info", "--json", PENSTOCK_PLAN_JOB}).out)["uid"] == "fake-v1");
}

TEST_CASE("bundle packs program, libraries and files, and a bundle can be run", "[cli]") {
  Cli cli;
  const std::string bundle = cli.cluster.folder() + "/job.tar.zst";
  const auto result =
      cli.Run({"bundle", PENSTOCK_NEEDY_JOB, "-o", bundle, "--file", cli.File("table.csv", "1,2") + "=tables/t.csv"});
  INFO(result.err);
  REQUIRE(result.exit_code == kExitOk);
  const auto names = ExtractBundle(bundle, cli.cluster.folder() + "/out");
  REQUIRE(names.ok());
  CHECK(names->front() == "program");
  CHECK(std::count(names->begin(), names->end(), "lib/libpenstock_needy.so") == 1);
  CHECK(names->back() == "data/tables/t.csv");
  for (const std::string& name : *names) CHECK_FALSE(Has(name, "libc.so"));
  const auto run = cli.Run({"run", "-d", bundle});
  INFO(run.err);
  CHECK(run.exit_code == kExitOk);
  CHECK(cli.Run({"run", "-d", "--bundle", PENSTOCK_NEEDY_JOB}).exit_code == kExitOk);
  for (const auto& submission : cli.cluster.commands().submissions()) CHECK(submission.is_bundle);
  CHECK(cli.cluster.commands().submissions().size() == 2);
}

TEST_CASE("config explain says where a value came from; the reference page is current", "[cli]") {
  Cli cli;
  CHECK(Has(cli.Run({"config", "explain", "rest.port", "-Drest.port=1234"}).out, "rest.port = 1234  (-D)"));
  CHECK(Has(cli.Run({"config", "explain", "rest.port"}).out, "rest.port = 8081  (default)"));
  CHECK(json::parse(cli.Run({"--json", "config", "explain", "rest.port"}).out)[0]["origin"] == "default");
  // If this fails: penstock config reference > docs/config_reference.md
  CHECK(cli.Run({"config", "reference"}).out == ReadFile(PENSTOCK_SOURCE_DIR "/docs/config_reference.md"));
}

TEST_CASE("--version and --help exit 0", "[cli]") {
  Cli cli;
  CHECK(cli.Run({"--version"}).out.starts_with("penstock "));
  const auto help = cli.Run({"--help"});
  CHECK(help.exit_code == kExitOk);
  CHECK(Has(help.out, "Exit codes: 0 ok"));
}

TEST_CASE("cluster start says which program is missing; stop without a cluster is fine", "[cli]") {
  Cli cli;
  const auto result = cli.Run({"cluster", "start"});
  CHECK(result.exit_code == kExitRefused);
  CHECK(Has(result.err, "penstock-jobmanager is not in"));
  CHECK(Has(cli.Run({"cluster", "stop"}).out, "No local cluster runs."));
  CHECK(Has(cli.Run({"cluster", "status"}).out, "No local cluster runs."));
}

}  // namespace penstock::cli
