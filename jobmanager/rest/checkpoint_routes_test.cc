// Savepoints, checkpoints, stop and rescale over REST, against a cluster that isn't there.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "jobmanager/rest/operations.h"
#include "jobmanager/rest/testing/fake_cluster.h"
#include "runtime/core/status.h"
#include "tests/support/raw_http.h"

namespace penstock::jobmanager {
namespace {

using nlohmann::json;
using penstock::testing::RawHttp;
using testing::FakeCluster;
using testing::kJobId;

const std::string kJob = std::string("/jobs/") + kJobId;

class Client {
 public:
  explicit Client(FakeCluster* cluster) : http_(cluster->server().port()), token_(cluster->token()) {}
  penstock::testing::RawResponse Call(std::string_view method, const std::string& target, const json& body = {}) {
    return http_.Call(method, target, body.is_null() ? "" : body.dump(), {{"Authorization", "Bearer " + token_}});
  }
  json Get(const std::string& target) { return json::parse(Call("GET", target).body); }
  std::string Trigger(const std::string& target, const json& body = {}) {
    const auto answer = Call("POST", target, body);
    INFO(answer.body);
    REQUIRE(answer.status == 202);
    return json::parse(answer.body)["request-id"].get<std::string>();
  }

 private:
  RawHttp http_;
  const std::string token_;
};

// The job with one request in this state.
void ShowRequest(FakeCluster* cluster, RequestRecord record) {
  JobSnapshot job = testing::SampleJob(JobState::kRunning);
  CheckpointsView view = testing::SampleCheckpoints();
  view.requests.push_back(std::move(record));
  job.checkpoints = std::make_shared<const CheckpointsView>(std::move(view));
  cluster->Show({.jobs = {std::make_shared<const JobSnapshot>(std::move(job))}});
}

RequestRecord Request(uint64_t number, CheckpointOutcome outcome) {
  RequestRecord record{.request = {.number = number}, .outcome = outcome};
  record.triggered = record.decided = true;
  record.checkpoint_id = 12;
  record.location = "file:///savepoints/savepoint-x";
  return record;
}

}  // namespace

TEST_CASE("A savepoint is asked for, is in progress, and has a location", "[rest]") {
  FakeCluster cluster;
  cluster.ShowJob(JobState::kRunning);
  Client client(&cluster);
  const std::string id = client.Trigger(kJob + "/savepoints", {{"target-directory", "file:///s"}});
  CHECK(id.size() == 32);
  REQUIRE(cluster.commands().requests().size() == 1);
  CHECK(cluster.commands().requests()[0].kind == proto::Manifest::SAVEPOINT);
  CHECK(cluster.commands().requests()[0].ending == proto::TriggerCheckpoint::GOES_ON);
  CHECK(cluster.commands().requests()[0].directory == "file:///s");
  const std::string path = kJob + "/savepoints/" + id;
  // The snapshot does not know of it yet.
  CHECK(client.Get(path) == json{{"status", {{"id", "IN_PROGRESS"}}}, {"operation", nullptr}});
  ShowRequest(&cluster, Request(1, CheckpointOutcome::kInProgress));
  CHECK(client.Get(path)["status"]["id"] == "IN_PROGRESS");
  ShowRequest(&cluster, Request(1, CheckpointOutcome::kCompleted));
  CHECK(client.Get("/v1" + path) ==
        json{{"status", {{"id", "COMPLETED"}}}, {"operation", {{"location", "file:///savepoints/savepoint-x"}}}});
  // Of another kind, or of nobody.
  CHECK(client.Call("GET", kJob + "/checkpoints/" + id).status == 404);
  CHECK(client.Call("GET", kJob + "/savepoints/" + std::string(32, '0')).status == 404);
}

TEST_CASE("A client's own trigger id makes a retry harmless", "[rest]") {
  FakeCluster cluster;
  cluster.ShowJob(JobState::kRunning);
  Client client(&cluster);
  const std::string own(32, 'a');
  CHECK(client.Trigger(kJob + "/checkpoints", {{"triggerId", own}}) == own);
  CHECK(client.Trigger(kJob + "/checkpoints", {{"triggerId", own}}) == own);
  CHECK(cluster.commands().requests().size() == 1);
  CHECK(client.Call("POST", kJob + "/checkpoints", {{"triggerId", "../x"}}).status == 400);
}

TEST_CASE("Checkpoint and stop operations, and how each tells of a failure", "[rest]") {
  FakeCluster cluster;
  cluster.ShowJob(JobState::kRunning);
  Client client(&cluster);
  const std::string checkpoint = client.Trigger(kJob + "/checkpoints");
  ShowRequest(&cluster, Request(1, CheckpointOutcome::kCompleted));
  CHECK(client.Get(kJob + "/checkpoints/" + checkpoint)["operation"] == json{{"checkpointId", 12}});

  const std::string stop = client.Trigger(kJob + "/stop", {{"drain", true}, {"targetDirectory", "/d"}});
  CHECK(cluster.commands().requests()[1].ending == proto::TriggerCheckpoint::DRAIN);
  CHECK(cluster.commands().requests()[1].directory == "/d");
  RequestRecord failed = Request(2, CheckpointOutcome::kAborted);
  failed.failure = "no space left";
  ShowRequest(&cluster, failed);
  const json answer = client.Get(kJob + "/savepoints/" + stop);
  CHECK(answer["status"]["id"] == "COMPLETED");
  CHECK(answer["operation"]["failure-cause"]["stack-trace"] == "CheckpointException: no space left");

  client.Trigger(kJob + "/stop");
  CHECK(cluster.commands().requests()[2].ending == proto::TriggerCheckpoint::SUSPEND);
  client.Trigger(kJob + "/savepoints", {{"cancel-job", true}});
  CHECK(cluster.commands().requests()[3].ending == proto::TriggerCheckpoint::SUSPEND);
}

TEST_CASE("What can't be taken is refused with the reason", "[rest]") {
  FakeCluster cluster;
  cluster.ShowJob(JobState::kRunning);
  Client client(&cluster);
  CHECK(client.Call("POST", "/jobs/" + std::string(32, '0') + "/savepoints").status == 404);
  CHECK(client.Call("POST", kJob + "/savepoints", {{"formatType", "XML"}}).status == 400);
  CHECK(client.Call("POST", kJob + "/stop", {{"drain", "yes"}}).status == 400);
  CHECK(client.Call("POST", "/v2" + kJob + "/checkpoints", {{"kind", "dump"}}).status == 400);
  CHECK(client.Call("POST", "/v2" + kJob + "/checkpoints", {{"directory", "/d"}}).status == 400);
  cluster.commands().RefuseCheckpoints(FailedPrecondition("the job is being stopped already"));
  const auto refused = client.Call("POST", kJob + "/savepoints");
  CHECK(refused.status == 409);
  CHECK(json::parse(refused.body)["errors"][0] == "the job is being stopped already");
}

TEST_CASE("Statistics: 404 in Flink's words, figures per subtask", "[rest]") {
  FakeCluster cluster;
  JobSnapshot job = testing::SampleJob(JobState::kRunning);
  job.checkpoints = nullptr;
  cluster.Show({.jobs = {std::make_shared<const JobSnapshot>(job)}});
  Client client(&cluster);
  const auto off = client.Call("GET", kJob + "/checkpoints");
  CHECK(off.status == 404);
  CHECK(json::parse(off.body)["errors"][0] == "Checkpointing has not been enabled.");
  CHECK(client.Get("/v2" + kJob)["checkpoints"].is_null());

  cluster.ShowJob(JobState::kRunning);
  CHECK(client.Call("GET", kJob + "/checkpoints/details/99").status == 404);
  CHECK(client.Call("GET", kJob + "/checkpoints/details/x").status == 404);
  CHECK(client.Call("GET", kJob + "/checkpoints/details/9/subtasks/none").status == 404);
  const json all = client.Get(kJob + "/checkpoints");
  CHECK(all["counts"]["total"] == 4);
  CHECK(all["latest"]["completed"]["id"] == 9);
  CHECK(all["latest"]["savepoint"]["external_path"] == "file:///checkpoints/jobs/sample-v1/manifests/7");
  CHECK(all["latest"]["failed"]["failure_message"] == "not complete after 600000 ms");
  CHECK(all["latest"]["restored"]["id"] == 3);
  CHECK(all["summary"]["end_to_end_duration"]["p99"] == 50.0);
  CHECK(all["history"].size() == 4);
  const json details = client.Get(kJob + "/checkpoints/details/9");
  CHECK(details["tasks"].size() == 2);  // every vertex: the dashboard reads them unguarded
  const json subtasks = client.Get(kJob + "/checkpoints/details/10/subtasks/" + std::string(32, 'a'));
  CHECK(subtasks["subtasks"][0]["checkpoint"] == json{{"sync", 2}, {"async", 15}});
  CHECK(subtasks["subtasks"][0]["alignment"]["duration"] == 3);
  CHECK(subtasks["subtasks"][1]["status"] == "pending_or_failed");
  CHECK(client.Get(kJob)["isStoppable"] == true);
  const json complete = client.Get(kJob + "/checkpoints/details/9/subtasks/" + std::string(32, 'a'));
  CHECK(complete["subtasks"][1]["start_delay"] == 17);
  const json& summary = complete["summary"];
  CHECK(summary["start_delay"]["min"] == 7);
  CHECK(summary["start_delay"]["max"] == 17);
  CHECK(summary["start_delay"]["avg"] == 12);
  CHECK(summary["start_delay"]["p50"] == 12.0);
  CHECK(summary["checkpoint_duration"]["async"]["p999"] == 15.0);
  CHECK(summary["alignment"]["duration"]["avg"] == 3);
}

TEST_CASE("Our own statistics tell what each subtask waited for", "[rest]") {
  FakeCluster cluster;
  cluster.ShowJob(JobState::kRunning);
  Client client(&cluster);
  const json history = client.Get("/v2" + kJob + "/checkpoints")["checkpoints"];
  REQUIRE(history.size() == 4);
  CHECK(history[0]["id"] == 10);
  CHECK(history[0]["status"] == "IN_PROGRESS");
  CHECK(history[2]["failure"] == "not complete after 600000 ms");
  CHECK(history[3]["kind"] == "savepoint");
  const json details = client.Get("/v2" + kJob + "/checkpoints/9");
  CHECK(details["duration_ms"] == 50);
  REQUIRE(details["vertices"].size() == 2);
  const json& sink = details["vertices"][1]["subtasks"][1];
  CHECK(sink["waited_for"] == "subtask 1 of events");
  CHECK(sink["waited_us"] == 3000);
  CHECK(sink["start_delay_us"] == 17'000);
  CHECK(sink["duration_ms"] == 21);
  CHECK(details["vertices"][0]["subtasks"][0]["waited_for"] == "");
  const json open = client.Get("/v2" + kJob + "/checkpoints/10");
  CHECK(open["vertices"][0]["subtasks"][1] == json{{"subtask", 1}, {"acknowledged", false}});
  CHECK(client.Call("GET", "/v2" + kJob + "/checkpoints/99").status == 404);
  CHECK(client.Call("GET", "/v2/jobs/" + std::string(32, '0') + "/checkpoints").status == 404);
}

TEST_CASE("A rescale brings the program's new plan; Flink's own verbs say so", "[rest]") {
  FakeCluster cluster;
  cluster.ShowJob(JobState::kRunning);
  Client client(&cluster);
  CHECK(client.Call("POST", "/v2" + kJob + "/rescale", json::object()).status == 400);
  const auto asked =
      client.Call("POST", "/v2" + kJob + "/rescale", {{"plan", {{"name", "sample"}, {"parallelism", 5}}}});
  CHECK(asked.status == 202);
  CHECK(json::parse(asked.body)["request"] == 1);
  REQUIRE(cluster.commands().rescales().size() == 1);
  CHECK(cluster.commands().rescales()[0].parallelism() == 5);
  CHECK(client.Call("PATCH", kJob + "/rescaling?parallelism=3").status == 503);
  CHECK(client.Call("PUT", kJob + "/resource-requirements", json::object()).status == 503);
  CHECK(client.Get(kJob + "/resource-requirements")[std::string(32, 'a')]["parallelism"]["upperBound"] == 2);
}

TEST_CASE("Operations are forgotten some time after they ended, and the oldest when there are too many", "[rest]") {
  ManualClock clock{0};
  Operations operations(clock);
  const std::string ended = operations.Add({.trigger_id = "", .job_id = "j", .kind = "savepoints", .request = 1});
  operations.SetEnded(ended);
  const std::string open = operations.Add({.trigger_id = "", .job_id = "j", .kind = "savepoints", .request = 2});
  clock.AdvanceMs(kOperationKeptMs);
  CHECK(operations.Find("j", ended)->request == 1);
  CHECK_FALSE(operations.Find("other", ended));
  clock.AdvanceMs(1);
  CHECK_FALSE(operations.Find("j", ended));
  CHECK(operations.Find("j", open));
  for (size_t i = 0; i < kOperationsMax; ++i)
    operations.Add({.trigger_id = "", .job_id = "j", .kind = "", .request = i});
  CHECK_FALSE(operations.Find("j", open));
}

}  // namespace penstock::jobmanager
