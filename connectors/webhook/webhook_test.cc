// The webhook sink against an HTTP server in this process.
#include "penstock/connectors/webhook.h"

#include <cstdlib>
#include <deque>
#include <nlohmann/json.hpp>
#include <set>

#include "connectors/webhook/answers.h"
#include "penstock/testing/connector_conformance.h"
#include "runtime/core/http/server.h"
#include "tests/support/require_ok.h"
#include "tests/support/temp_dir.h"

namespace penstock::webhook {
namespace {

using testing::FakeContext;
using Values = std::vector<std::string>;

// Takes posts at /in; answers as told, then 200. Its handlers run on the server's threads.
class Receiver {
 public:
  Receiver() : server_({.what = "receiver", .threads = 8}, MakeRouter()) { REQUIRE_OK(server_.Start()); }
  ~Receiver() { SetStalled(false); }

  std::string url() const { return "http://" + server_.address() + "/in"; }
  void AnswerNext(std::vector<http::Response> answers) {
    MutexLock lock(&mutex_);
    answers_.assign(answers.begin(), answers.end());
  }
  void SetStalled(bool stalled) {
    MutexLock lock(&mutex_);
    stalled_ = stalled;
    changed_.NotifyAll();
  }
  // All that came, also what was not answered with 200.
  std::vector<http::Request> requests() {
    MutexLock lock(&mutex_);
    return requests_;
  }
  Values taken() {
    MutexLock lock(&mutex_);
    return taken_;
  }
  int most_at_once() {
    MutexLock lock(&mutex_);
    return most_at_once_;
  }

 private:
  http::Router MakeRouter() {
    http::Router router;
    for (const char* method : {"POST", "PUT"}) {
      router.Handle(method, "/in", [this](const http::Request& request) { return Take(request); });
    }
    return router;
  }
  http::Response Take(const http::Request& request) {
    MutexLock lock(&mutex_);
    most_at_once_ = std::max(most_at_once_, ++at_once_);
    while (stalled_) changed_.Wait(&mutex_);
    --at_once_;
    requests_.push_back(request);
    http::Response answer{.body = "{}"};
    if (!answers_.empty()) {
      answer = answers_.front();
      answers_.pop_front();
    }
    if (answer.status != 200) return answer;
    const auto records = nlohmann::json::parse(request.body, nullptr, false);
    if (records.is_array()) {
      for (const auto& record : records)
        taken_.push_back(record.is_string() ? record.get<std::string>() : record.dump());
    }
    return answer;
  }

  Mutex mutex_;
  CondVar changed_;
  std::deque<http::Response> answers_ ABSL_GUARDED_BY(mutex_);
  std::vector<http::Request> requests_ ABSL_GUARDED_BY(mutex_);
  Values taken_ ABSL_GUARDED_BY(mutex_);
  bool stalled_ ABSL_GUARDED_BY(mutex_) = false;
  int at_once_ ABSL_GUARDED_BY(mutex_) = 0;
  int most_at_once_ ABSL_GUARDED_BY(mutex_) = 0;
  http::Server server_;  // last: its threads use the rest
};

Sink To(const std::string& url) {
  return {.url = url, .retrying = {.first = std::chrono::milliseconds(1), .longest = std::chrono::milliseconds(5)}};
}

absl::Status Send(const Sink& sink, const Values& records, FakeContext* context = nullptr) {
  FakeContext own;
  if (context == nullptr) context = &own;
  const auto writer = sink.CreateWriter<std::string>();
  PENSTOCK_RETURN_IF_ERROR(sink.Validate());
  PENSTOCK_RETURN_IF_ERROR(writer->Open(*context));
  for (const std::string& record : records) PENSTOCK_RETURN_IF_ERROR(writer->Write(record, kNoTimestamp));
  return writer->Flush();
}

TEST_CASE("the webhook sink conforms", "[webhook]") {
  Receiver receiver;
  Sink sink = To(receiver.url());
  sink.batching.records_max = 10;
  sink.in_flight_max = 3;
  REQUIRE_OK(testing::CheckSink({
      .make = [&] { return sink.CreateWriter<std::string>(); },
      .read = [&] { return receiver.taken(); },
      .record = [](int i) { return "\"record " + std::to_string(i) + "\""; },
      .stall = [&](bool stalled) { receiver.SetStalled(stalled); },
      .stalled_records_max = 10 * 4 + 1,
  }));
  CHECK(receiver.most_at_once() <= 2 * 3);  // of two subtasks
}

TEST_CASE("bodies", "[webhook]") {
  Receiver receiver;
  Sink sink = To(receiver.url());
  sink.in_flight_max = 1;
  SECTION("a JSON array") {
    REQUIRE_OK(Send(sink, {"1", "{\"a\":2}"}));
    CHECK(receiver.requests().at(0).body == "[1,{\"a\":2}]");
    CHECK(receiver.requests().at(0).header("content-type") == "application/json");
  }
  SECTION("lines") {
    sink.body = Body::kLines;
    REQUIRE_OK(Send(sink, {"1", "2"}));
    CHECK(receiver.requests().at(0).body == "1\n2\n");
    CHECK(receiver.requests().at(0).header("content-type") == "application/x-ndjson");
    CHECK(absl::IsInvalidArgument(Send(sink, {"1\n2"})));
  }
  SECTION("single") {
    sink.body = Body::kSingle;
    sink.method = "PUT";
    sink.content_type = "text/csv";
    REQUIRE_OK(Send(sink, {"1", "2\n"}));
    REQUIRE(receiver.requests().size() == 2);
    CHECK(receiver.requests()[1].method == "PUT");
    CHECK(receiver.requests()[1].body == "2\n");
    CHECK(receiver.requests()[1].header("content-type") == "text/csv");
  }
  SECTION("batches by records and by bytes") {
    sink.batching = {.records_max = 2, .bytes_max = 100};
    REQUIRE_OK(Send(sink, {"1", "2", "3", "\"" + std::string(100, 'x') + "\"", "5"}));
    REQUIRE(receiver.requests().size() == 3);
    CHECK(receiver.requests()[0].body == "[1,2]");
    CHECK(receiver.requests()[2].body == "[5]");
  }
  SECTION("a type of one's own") {
    const SinkOf<int> of{.sink = sink, .body = [](const int& value) { return std::to_string(value * 2); }};
    FakeContext context;
    const auto writer = of.CreateWriter<int>();
    REQUIRE_OK(writer->Open(context));
    REQUIRE_OK(writer->Write(21, kNoTimestamp));
    REQUIRE_OK(writer->Flush());
    CHECK(receiver.requests().at(0).body == "[42]");
  }
}

TEST_CASE("headers and authentication, by reference", "[webhook]") {
  const testing::TempDir dir;
  setenv("PENSTOCK_WEBHOOK_TEST", "s3cret", 1);
  Receiver receiver;
  Sink sink = To(receiver.url());
  sink.headers = {{"X-Tenant", "a-${env:PENSTOCK_WEBHOOK_TEST}"}};
  SECTION("bearer") {
    sink.bearer_token = "${file:" + dir.Write("token", "tok\n") + "}";
    REQUIRE_OK(Send(sink, {"1"}));
    CHECK(receiver.requests().at(0).header("authorization") == "Bearer tok");
    CHECK(receiver.requests().at(0).header("x-tenant") == "a-s3cret");
    CHECK(sink.Describe().find("s3cret") == std::string::npos);
  }
  SECTION("basic") {
    sink.username = "ann";
    sink.password = "${env:PENSTOCK_WEBHOOK_TEST}";
    REQUIRE_OK(Send(sink, {"1"}));
    CHECK(receiver.requests().at(0).header("authorization") == "Basic YW5uOnMzY3JldA==");
  }
  SECTION("a reference that leads nowhere") {
    sink.bearer_token = "${file:/nowhere}";
    const absl::Status status = Send(sink, {"1"});
    CHECK(absl::IsFailedPrecondition(status));
    CHECK_THAT(std::string(status.message()), Catch::Contains("/nowhere"));
  }
  SECTION("a value that would begin another header") {
    sink.headers = {{"X", "a\r\nY: b"}};
    CHECK(absl::IsInvalidArgument(Send(sink, {"1"})));
  }
}

TEST_CASE("what may pass is tried again with the same key, and shown", "[webhook]") {
  Receiver receiver;
  const int status = GENERATE(408, 425, 429, 500, 503);
  receiver.AnswerNext({{.status = status}, {.status = status, .headers = {{"Retry-After", "1"}}}});
  FakeContext context;
  const int64_t start = Clock::System().MonotonicMs();
  REQUIRE_OK(Send(To(receiver.url()), {"\"a\"", "\"b\""}, &context));
  CHECK(Clock::System().MonotonicMs() - start >= 1'000);  // as the server asked
  const auto requests = receiver.requests();
  REQUIRE(requests.size() == 3);
  CHECK_FALSE(requests[0].header("idempotency-key").empty());
  CHECK(requests[2].header("idempotency-key") == requests[0].header("idempotency-key"));
  CHECK(receiver.taken() == Values{"a", "b"});
  REQUIRE_OK(Send(To(receiver.url()), {"\"c\""}));
  CHECK(receiver.requests().back().header("idempotency-key") != requests[0].header("idempotency-key"));
  CHECK(std::any_of(context.notes.begin(), context.notes.end(), [&](const std::string& note) {
    return note.find(fmt::format("answered {}; retrying", status)) != std::string::npos;
  }));
}

TEST_CASE("a refusal fails, or is skipped and counted", "[webhook]") {
  Receiver receiver;
  Sink sink = To(receiver.url());
  sink.in_flight_max = 1;
  sink.batching.records_max = 2;
  const int status = GENERATE(302, 400, 401, 404, 422);
  receiver.AnswerNext({{.status = 200}, {.status = status, .body = "no\nsuch\tthing"}});
  const Values records = {"\"a\"", "\"b\"", "\"c\"", "\"d\"", "\"e\""};
  FakeContext context;
  SECTION("fails") {
    const absl::Status refused = Send(sink, records, &context);
    CHECK(absl::IsInvalidArgument(refused));
    CHECK_THAT(std::string(refused.message()),
               Catch::Contains(fmt::format("2 records were refused with {}: no such thing", status)));
  }
  SECTION("is skipped") {
    sink.when_refused = WhenRefused::kSkip;
    REQUIRE_OK(Send(sink, records, &context));
    CHECK(receiver.taken() == Values{"a", "b", "e"});
    CHECK(context.gauge_value("recordsSkipped") == 2);
  }
}

TEST_CASE("nobody there: tried again until it gives up", "[webhook]") {
  Sink sink = To("http://127.0.0.1:1/in");
  sink.retrying.give_up = std::chrono::milliseconds(50);
  const absl::Status status = Send(sink, {"1"});
  CHECK(absl::IsUnavailable(status));
  CHECK_THAT(std::string(status.message()), Catch::Contains("127.0.0.1:1") && Catch::Contains("given up after"));
}

TEST_CASE("a request without an answer ends after its time", "[webhook]") {
  Receiver receiver;
  receiver.SetStalled(true);
  Sink sink = To(receiver.url());
  sink.request_timeout = std::chrono::milliseconds(50);
  sink.retrying.give_up = std::chrono::milliseconds(200);
  const absl::Status status = Send(sink, {"1"});
  CHECK_THAT(std::string(status.message()), Catch::Contains("timed out", Catch::CaseSensitive::No));
}

TEST_CASE("what answers mean", "[webhook]") {
  CHECK(VerdictOf(204) == Verdict::kDelivered);
  CHECK(VerdictOf(301) == Verdict::kRefused);
  CHECK(VerdictOf(599) == Verdict::kMayPass);
  CHECK(RetryAfterMs("", 0) == -1);
  CHECK(RetryAfterMs("soon", 0) == -1);
  CHECK(RetryAfterMs("-3", 0) == -1);
  CHECK(RetryAfterMs("120", 0) == 120'000);
  CHECK(RetryAfterMs("999999999999", 0) == kRetryAfterMaxMs);
  CHECK(RetryAfterMs("Wed, 21 Oct 2015 07:28:00 GMT", 1'445'412'470'000) == 10'000);
  CHECK(RetryAfterMs("Wed, 21 Oct 2015 07:28:00 GMT", 1'545'412'470'000) == 0);
}

TEST_CASE("malformed webhook descriptions are refused by name", "[webhook]") {
  REQUIRE_OK(testing::CheckSinkRefused<std::string>(
      Sink{.url = "ftp://x",
           .method = "GET",
           .headers = {{"a b", "${x}"}},
           .username = "u",
           .bearer_token = "t",
           .idempotency_header = ":",
           .in_flight_max = 0,
           .batching = {.records_max = 0},
           .retrying = {.first = std::chrono::milliseconds(0)},
           .request_timeout = std::chrono::milliseconds(0)},
      {".url", ".method", ".headers", ".bearer_token", ".idempotency_header", ".in_flight_max", ".batching.records_max",
       ".retrying.first", ".request_timeout"}));
}

}  // namespace
}  // namespace penstock::webhook
