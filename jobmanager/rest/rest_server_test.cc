#include "jobmanager/rest/rest_server.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <nlohmann/json.hpp>

#include "jobmanager/rest/testing/fake_cluster.h"
#include "runtime/core/digest.h"
#include "runtime/core/status.h"
#include "tests/support/raw_http.h"

namespace penstock::jobmanager {
namespace {

using nlohmann::json;
using penstock::testing::RawHttp;
using testing::FakeCluster;
using testing::kJobId;

using Headers = std::map<std::string, std::string>;

// A client that sends the token with every call.
class Client {
 public:
  explicit Client(FakeCluster* cluster) : http_(cluster->server().port()), token_(cluster->token()) {}
  penstock::testing::RawResponse Call(std::string_view method, const std::string& target, std::string_view body = {},
                                      Headers headers = {}) {
    headers["Authorization"] = "Bearer " + token_;
    return http_.Call(method, target, body, headers);
  }
  json GetJson(const std::string& target) { return json::parse(Call("GET", target).body); }

 private:
  RawHttp http_;
  const std::string token_;
};

std::string ErrorOf(const penstock::testing::RawResponse& response) {
  const json body = json::parse(response.body);
  REQUIRE(body.size() == 1);
  return body["errors"][0].get<std::string>();
}

json Submission(const std::string& digest) {
  return {{"plan", {{"name", "sample"}, {"vertices", json::array()}}},
          {"digest", digest},
          {"arguments", {"--brokers", "x"}},
          {"config", {{"parallelism.default", "3"}}}};
}

}  // namespace

TEST_CASE("Unknown things are 404 in Flink's words", "[rest]") {
  FakeCluster cluster;
  cluster.ShowJob(JobState::kRunning);
  Client client(&cluster);
  CHECK(ErrorOf(client.Call("GET", "/x")) == "Not found: /x");
  CHECK(ErrorOf(client.Call("GET", "/jobs/abc")) == "Job abc not found");
  CHECK(ErrorOf(client.Call("GET", std::string("/jobs/") + kJobId + "/vertices/v")) == "No vertex with ID 'v' exists.");
  CHECK(client.Call("GET", "/taskmanagers/none").status == 404);
  CHECK(client.Call("PATCH", "/jobs/abc?mode=cancel").status == 404);
  CHECK(client.Call("GET", "/v2/jobs/abc").status == 404);
}

TEST_CASE("Changing calls need the token, in a file only the user can read", "[rest]") {
  FakeCluster cluster;
  cluster.ShowJob(JobState::kRunning);
  RawHttp client(cluster.server().port());
  const std::string cancel = std::string("/jobs/") + kJobId + "?mode=cancel";
  CHECK(client.Call("PATCH", cancel).status == 401);
  CHECK(client.Call("PATCH", cancel, "", {{"Authorization", "Bearer wrong"}}).status == 401);
  CHECK(client.Call("POST", "/v2/jobs", "{}").status == 401);
  CHECK(client.Call("PUT", "/v2/programs/" + Sha256Of("x"), "x").status == 401);
  CHECK(cluster.commands().cancelled().empty());
  CHECK(client.Call("PATCH", cancel, "", {{"X-Penstock-Token", cluster.token()}}).status == 202);
  CHECK(cluster.commands().cancelled() == std::vector<std::string>{kJobId});
  struct stat info;
  REQUIRE(stat(cluster.server().token_file().c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
}

TEST_CASE("Foreign hosts and origins are refused, and no CORS header is sent", "[rest]") {
  FakeCluster cluster;
  RawHttp client(cluster.server().port());
  CHECK(client.Call("GET", "/overview", "", {{"Host", "evil.example"}}).status == 403);
  const auto foreign = client.Call("GET", "/overview", "", {{"Origin", "http://evil.example"}});
  CHECK(foreign.status == 403);
  CHECK(foreign.headers.count("access-control-allow-origin") == 0);
  CHECK(client.Call("GET", "/overview").headers.count("access-control-allow-origin") == 0);
}

TEST_CASE("A program is uploaded, broken off, resumed and submitted", "[rest]") {
  FakeCluster cluster;
  Client client(&cluster);
  const std::string program(300'000, 'p');
  const std::string path = "/v2/programs/" + Sha256Of(program);
  CHECK(client.Call("HEAD", path).status == 404);
  {
    RawHttp broken(cluster.server().port());
    broken.Send("PUT " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Length: 300000\r\nAuthorization: Bearer " +
                cluster.token() + "\r\n\r\n" + program.substr(0, 100'000));
  }
  // What was sent has arrived once the server has noticed the break; ask until then.
  int64_t offset = 0;
  for (int i = 0; i < 1000 && offset < 100'000; ++i) {
    const auto head = client.Call("HEAD", path);
    if (head.status == 200) offset = std::stoll(head.headers.at("upload-offset"));
  }
  REQUIRE(offset == 100'000);
  const Headers wrong = {{"Upload-Offset", "5"}, {"Upload-Length", "300000"}};
  const auto refused = client.Call("PATCH", path, program.substr(5), wrong);
  CHECK(refused.status == 409);
  CHECK(refused.headers.at("upload-offset") == "100000");
  const Headers middle = {{"Upload-Offset", "100000"}, {"Upload-Length", "300000"}};
  CHECK(client.Call("PATCH", path, program.substr(100'000, 50'000), middle).status == 202);
  CHECK(client.Call("POST", "/v2/jobs", Submission(Sha256Of(program)).dump()).status == 409);
  const Headers last = {{"Upload-Offset", "150000"}, {"Upload-Length", "300000"}};
  CHECK(client.Call("PATCH", path, program.substr(150'000), last).status == 201);
  CHECK(client.Call("HEAD", path).headers.at("upload-complete") == "true");
  CHECK(client.Call("PUT", path, program).status == 200);

  const auto submitted = client.Call("POST", "/v2/jobs", Submission(Sha256Of(program)).dump());
  CHECK(submitted.status == 200);
  CHECK(json::parse(submitted.body) == json{{"jobid", kJobId}});
  REQUIRE(cluster.commands().submissions().size() == 1);
  const JobSubmission submission = cluster.commands().submissions()[0];
  CHECK(submission.graph.name() == "sample");
  CHECK(submission.arguments == std::vector<std::string>{"--brokers", "x"});
  CHECK(submission.config == std::map<std::string, std::string>{{"parallelism.default", "3"}});
  CHECK_FALSE(submission.is_bundle);
}

TEST_CASE("A submission says what it begins from; a program can be read back", "[rest]") {
  FakeCluster cluster;
  Client client(&cluster);
  const std::string program = "program bytes";
  const std::string path = "/v2/programs/" + Sha256Of(program);
  REQUIRE(client.Call("PUT", path, program).status == 201);
  CHECK(client.Call("GET", path + "/content?offset=8&max=3").body == "byt");
  CHECK(client.Call("GET", path + "/content?offset=13").body.empty());
  CHECK(client.Call("GET", path + "/content?offset=-1").status == 400);
  json submission = Submission(Sha256Of(program));
  submission["restore"] = {{"path", "file:///s"}, {"allow_non_restored", true}};
  CHECK(client.Call("POST", "/v2/jobs", submission.dump()).status == 200);
  CHECK(cluster.commands().submissions()[0].restore.path == "file:///s");
  CHECK(cluster.commands().submissions()[0].restore.allow_non_restored);
  CHECK_FALSE(cluster.commands().submissions()[0].restore.resume);
  submission["restore"]["resume"] = true;
  CHECK(ErrorOf(client.Call("POST", "/v2/jobs", submission.dump())).find("exclude each other") != std::string::npos);
  submission["restore"] = {{"from", "x"}};
  CHECK(ErrorOf(client.Call("POST", "/v2/jobs", submission.dump())).find("'from'") != std::string::npos);
}

TEST_CASE("An upload with a wrong digest is 422 and removed", "[rest]") {
  FakeCluster cluster;
  Client client(&cluster);
  const std::string path = "/v2/programs/" + Sha256Of("right");
  const auto refused = client.Call("PUT", path, "wrong");
  CHECK(refused.status == 422);
  CHECK(ErrorOf(refused).find(Sha256Of("wrong")) != std::string::npos);
  CHECK(client.Call("HEAD", path).status == 404);
  CHECK(client.Call("PUT", "/v2/programs/..%2F..%2Fx", "x").status == 404);
}

TEST_CASE("A bad submission is refused with what is wrong", "[rest]") {
  FakeCluster cluster;
  Client client(&cluster);
  const std::string digest = Sha256Of("program");
  REQUIRE(client.Call("PUT", "/v2/programs/" + digest, "program").status == 201);
  const auto refused = [&](json change, int status = 400) {
    json body = Submission(digest);
    body.update(change);
    const auto response = client.Call("POST", "/v2/jobs", body.dump());
    CHECK(response.status == status);
    return ErrorOf(response);
  };
  CHECK(ErrorOf(client.Call("POST", "/v2/jobs", "not json")).find("no JSON object") != std::string::npos);
  CHECK(refused({{"plan", 7}}).find("'plan' is missing") != std::string::npos);
  CHECK(refused({{"plan", {{"vertices", 7}}}}).find("no job graph") != std::string::npos);
  CHECK(refused({{"digest", 7}}).find("'digest'") != std::string::npos);
  CHECK(refused({{"arguments", {1}}}).find("list of strings") != std::string::npos);
  CHECK(refused({{"is_bundle", true}}).find("is not a bundle") != std::string::npos);
  CHECK(refused({{"config", {{"rest.prot", "1"}}}}).find("'rest.port'") != std::string::npos);
  CHECK(refused({{"digest", Sha256Of("other")}}, 409).find("not uploaded") != std::string::npos);
  cluster.commands().SetSubmitResult(AlreadyExists("job 'sample-v1' runs already"));
  CHECK(refused(json::object(), 409) == "job 'sample-v1' runs already");
}

TEST_CASE("/v2/jobs/:id/memory says who holds what", "[rest]") {
  FakeCluster cluster;
  cluster.ShowJob(JobState::kRunning);
  Client client(&cluster);
  CHECK(client.GetJson(std::string("/v2/jobs/") + kJobId + "/memory") ==
        json{{"id", kJobId},
             {"state", "RUNNING"},
             {"workers",
              {{{"taskmanager_id", "tm-1"},
                {"pid", 4711},
                {"grant_bytes", 512 << 20},
                {"rss_bytes", 200 << 20},
                {"pressure", false},
                {"holders", {{{"holder", "hot state"}, {"budget_bytes", 300 << 20}, {"used_bytes", 100 << 20}}}}}}}});
  CHECK(client.Call("GET", "/v2/jobs/abc/memory").status == 404);
}

TEST_CASE("/v2/jobs/:id says what waits, flows, lags and complains", "[rest]") {
  FakeCluster cluster;
  Client client(&cluster);
  const std::string path = std::string("/v2/jobs/") + kJobId;
  cluster.ShowJob(JobState::kCreated);
  CHECK(client.GetJson(path)["waits_for"] == "waiting for 4 slots: have 2");

  cluster.ShowJob(JobState::kRunning);
  const json running = client.GetJson(path);
  CHECK(running["state"] == "RUNNING");
  CHECK(running["records_in"] == 2001);
  CHECK(running["records_out"] == 1000);
  CHECK(running["lag"] == 84);
  CHECK(running["splits"].size() == 2);
  CHECK(running["splits"][0]["name"] == "events-raw-0");
  CHECK(running["splits"][0]["lag"] == 42);
  CHECK(running["notes"].size() == 1);
  CHECK(running["notes"][0]["note"].get<std::string>().find("broker 127.0.0.1:9092 down") != std::string::npos);
  const json& vertex = running["vertices"][0];
  CHECK(vertex["user"]["filter.dropped"] == 6);
  CHECK(vertex["watermark_holder"] == "input 0");
  CHECK(vertex["input_watermark_ms"] == 1'700'000'000'000);
  CHECK(vertex["output_watermark_ms"].is_null());

  cluster.ShowJob(JobState::kFailed);
  CHECK(client.GetJson(path)["failure"]["message"] == "bad session");
  CHECK(client.Call("POST", path + "/cancel").status == 202);
}

TEST_CASE("Record rates come from successive snapshots", "[rest]") {
  FakeCluster cluster(RestOptions{.rate_interval_ms = 5});
  Client client(&cluster);
  double rate = 0;
  for (int i = 0; i < 2000 && rate <= 0; ++i) {
    JobSnapshot job = testing::SampleJob(JobState::kRunning);
    for (auto& vertex : job.vertices) vertex.subtasks[0].metrics.set_records_in(1000 * i);
    cluster.Show({.jobs = {std::make_shared<const JobSnapshot>(job)}});
    rate = client.GetJson(std::string("/v2/jobs/") + kJobId)["records_in_per_second"].get<double>();
  }
  CHECK(rate > 0);
}

TEST_CASE("maxExceptions bounds the exceptions, and says so", "[rest]") {
  FakeCluster cluster;
  cluster.ShowJob(JobState::kFailed);
  Client client(&cluster);
  const std::string path = std::string("/jobs/") + kJobId + "/exceptions";
  CHECK(client.GetJson(path)["exceptionHistory"]["entries"].size() == 2);
  const json one = client.GetJson(path + "?maxExceptions=1")["exceptionHistory"];
  CHECK(one["entries"].size() == 1);
  CHECK(one["truncated"] == true);
  CHECK(one["entries"][0]["exceptionName"] == "std::runtime_error");
  CHECK(one["entries"][0]["stacktrace"].get<std::string>().find("bad session\n\tin operator sessions\nframe 0") !=
        std::string::npos);
}

TEST_CASE("Logs of the JobManager and of TaskManagers are listed and read in pieces", "[rest]") {
  FakeCluster logs_elsewhere;
  const std::string folder = logs_elsewhere.folder();
  std::ofstream(folder + "/jobmanager.log") << "0123456789";
  FakeCluster cluster(RestOptions{.log_dir = folder});
  cluster.ShowJob(JobState::kRunning);
  Client client(&cluster);
  CHECK(client.GetJson("/v2/processes")["processes"].size() == 2);
  const json own = client.GetJson("/v2/processes/jobmanager/logs");
  bool listed = false;
  for (const json& log : own["logs"]) listed = listed || (log["name"] == "jobmanager.log" && log["size"] == 10);
  CHECK(listed);
  CHECK(client.Call("GET", "/v2/processes/jobmanager/logs/jobmanager.log?offset=2&max=3").body == "234");
  CHECK(client.Call("GET", "/v2/processes/jobmanager/logs/jobmanager.log?offset=-4").body == "6789");
  CHECK(client.Call("GET", "/v2/processes/jobmanager/logs/..%2Ftoken").status == 404);
  CHECK(client.Call("GET", "/v2/processes/jobmanager/logs/jobmanager.log?offset=x").status == 400);
  CHECK(client.GetJson("/v2/processes/tm-1/logs")["logs"].size() == 2);
  const std::string log = std::string("/v2/processes/tm-1/logs/") + kJobId + "-1.err";
  CHECK(client.Call("GET", log + "?offset=6&max=4").body == "line");
  CHECK(client.Call("GET", "/v2/processes/tm-9/logs").status == 404);
}

TEST_CASE("/ is a page, or the folder of web.ui.dir beside the API", "[rest]") {
  FakeCluster plain;
  CHECK(RawHttp(plain.server().port()).Call("GET", "/").headers.at("content-type") == "text/html; charset=UTF-8");
  const std::string folder = plain.folder();
  std::ofstream(folder + "/index.html") << "mine";
  FakeCluster cluster(RestOptions{.ui_dir = folder});
  RawHttp client(cluster.server().port());
  CHECK(client.Call("GET", "/").body == "mine");
  CHECK(client.Call("GET", "/overview").headers.at("content-type").find("json") != std::string::npos);
  CHECK(client.Call("GET", "/%2e%2e/token").status == 404);
}

TEST_CASE("A server off loopback without insecure does not start", "[rest]") {
  FakeCluster cluster;
  SnapshotHolder snapshots;
  RestServer open({.address = "0.0.0.0"}, snapshots, cluster.commands(), cluster.programs(), Clock::System());
  CHECK(open.Start().code() == absl::StatusCode::kPermissionDenied);
  RestServer taken({.port = cluster.server().port()}, snapshots, cluster.commands(), cluster.programs(),
                   Clock::System());
  const absl::Status status = taken.Start();
  CHECK(status.code() == absl::StatusCode::kUnavailable);
  CHECK(MessageOf(status).find("rest.port") != std::string::npos);
}

}  // namespace penstock::jobmanager
