// The client against a transport that answers as it is told; the wire format.
#include "penstock/schema_registry/client.h"

#include <catch2/catch.hpp>
#include <functional>
#include <vector>

#include "connectors/schema_registry/compatibility.h"
#include "connectors/schema_registry/wire_format.h"
#include "penstock/schema_registry.h"
#include "penstock/testing/fake_context.h"
#include "runtime/core/clock.h"
#include "runtime/core/mutex.h"
#include "runtime/core/status.h"

namespace penstock::schema_registry {
namespace {

struct Script {
  std::vector<HttpRequest> requests;
  std::function<absl::Status(const HttpRequest&, HttpAnswer*)> answer;
  bool stopped = false;
};

class ScriptedTransport final : public HttpTransport {
 public:
  explicit ScriptedTransport(Script& script) : script_(script) {}
  absl::Status Send(const HttpRequest& request, HttpAnswer* answer) override {
    script_.requests.push_back(request);
    return script_.answer(request, answer);
  }
  void Stop() override { script_.stopped = true; }

 private:
  Script& script_;
};

struct Fixture {
  Script script;
  ManualClock clock{1'000'000};
  Client client{{.url = "http://a/api/, http://b", .tries_max = 4, .pause_min = std::chrono::milliseconds(1)},
                std::make_unique<ScriptedTransport>(script),
                clock};

  void Answer(int status, std::string body) {
    script.answer = [status, body](const HttpRequest&, HttpAnswer* answer) {
      *answer = {status, body};
      return absl::OkStatus();
    };
  }
};

TEST_CASE_METHOD(Fixture, "a schema is asked for once", "[registry]") {
  Answer(200, R"({"schema":"\"int\""})");
  CHECK(client.ById(7)->text == "\"int\"");
  CHECK(client.ById(7)->type == SchemaType::kAvro);
  REQUIRE(script.requests.size() == 1);
  CHECK(script.requests[0].method == "GET");
  CHECK(script.requests[0].url == "http://a/api/schemas/ids/7");
  Answer(200, R"({"schema":"x","schemaType":"PROTOBUF","references":[{"name":"n","subject":"s","version":2}]})");
  CHECK(*client.ById(8) == SchemaText{"x", SchemaType::kProtobuf, {{"n", "s", 2}}});
}

TEST_CASE_METHOD(Fixture, "registering is asked for once per subject and schema", "[registry]") {
  Answer(200, R"({"id":3})");
  CHECK(*client.Register("a b/c", {.text = "\"int\""}) == 3);
  CHECK(*client.Register("a b/c", {.text = "\"int\""}) == 3);
  CHECK(*client.Register("other", {.text = "\"int\""}) == 3);
  REQUIRE(script.requests.size() == 2);
  CHECK(script.requests[0].url == "http://a/api/subjects/a%20b%2Fc/versions");
  CHECK(script.requests[0].body == R"({"schema":"\"int\""})");
  CHECK(client.ById(3)->text == "\"int\"");
  CHECK(script.requests.size() == 2);
}

TEST_CASE_METHOD(Fixture, "trouble is tried again on each address in turn, and not for ever", "[registry]") {
  int calls = 0;
  script.answer = [&](const HttpRequest&, HttpAnswer* answer) {
    if (++calls == 1) return Unavailable("connection refused");
    *answer = calls == 2 ? HttpAnswer{503, "busy"} : HttpAnswer{200, "[1,2]"};
    return absl::OkStatus();
  };
  CHECK(*client.Versions("s") == std::vector<int>{1, 2});
  REQUIRE(script.requests.size() == 3);
  CHECK(script.requests[1].url == "http://b/subjects/s/versions");
  CHECK(script.requests[2].url == "http://a/api/subjects/s/versions");

  script.answer = [](const HttpRequest&, HttpAnswer*) { return Unavailable("connection refused"); };
  const absl::Status given_up = client.Versions("s").status();
  CHECK(given_up.code() == absl::StatusCode::kUnavailable);
  CHECK_THAT(MessageOf(given_up), Catch::Contains("http://a/api/") && Catch::Contains("subject s") &&
                                      Catch::Contains("connection refused (given up after 4 tries)"));
  CHECK(script.requests.size() == 7);
}

TEST_CASE_METHOD(Fixture, "what trying again cannot help is not tried again", "[registry]") {
  const auto code_of = [&](int status) {
    Answer(status, R"({"error_code":1,"message":"no"})");
    const absl::Status answered = client.Versions("s").status();
    CHECK_THAT(MessageOf(answered), Catch::Contains("no (HTTP " + std::to_string(status)));
    return answered.code();
  };
  CHECK(code_of(401) == absl::StatusCode::kUnauthenticated);
  CHECK(code_of(403) == absl::StatusCode::kPermissionDenied);
  CHECK(code_of(404) == absl::StatusCode::kNotFound);
  CHECK(code_of(409) == absl::StatusCode::kFailedPrecondition);
  CHECK(code_of(422) == absl::StatusCode::kInvalidArgument);
  CHECK(script.requests.size() == 5);
  script.answer = [](const HttpRequest&, HttpAnswer*) { return FailedPrecondition("certificate"); };
  CHECK(client.Versions("s").status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK(script.requests.size() == 6);
  Answer(200, "<html>");
  CHECK_THAT(MessageOf(client.Versions("s").status()), Catch::Contains("no JSON"));
  Answer(200, "{}");
  CHECK_THAT(MessageOf(client.Versions("s").status()), Catch::Contains("another form"));
}

TEST_CASE_METHOD(Fixture, "an unknown id is asked for a few times, then not again for a while", "[registry]") {
  Answer(404, R"({"error_code":40403,"message":"Schema not found"})");
  CHECK(client.ById(9).status().code() == absl::StatusCode::kNotFound);
  CHECK(script.requests.size() == Client::kUnknownTries);
  CHECK_THAT(MessageOf(client.ById(9).status()), Catch::Contains("schema 9"));
  CHECK(script.requests.size() == Client::kUnknownTries);
  // Bytes that are no ids at all: one try each.
  CHECK_FALSE(client.ById(10).ok());
  CHECK(script.requests.size() == Client::kUnknownTries + 1);
  clock.AdvanceMs(Client::kUnknownAgainMs);
  Answer(200, R"({"schema":"\"int\""})");
  CHECK(client.ById(9).ok());
}

TEST_CASE_METHOD(Fixture, "a stopped client ends its calls", "[registry]") {
  script.answer = [&](const HttpRequest&, HttpAnswer*) {
    client.Stop();
    return Unavailable("aborted");
  };
  CHECK(client.Versions("s").status().code() == absl::StatusCode::kCancelled);
  CHECK(script.requests.size() == 1);
  CHECK(script.stopped);
}

TEST_CASE_METHOD(Fixture, "references are fetched, each behind those it uses", "[registry]") {
  script.answer = [](const HttpRequest& request, HttpAnswer* answer) {
    const bool inner = request.url.find("inner") != std::string::npos;
    *answer = {
        200,
        inner ? R"({"id":1,"version":1,"schema":"inner"})"
              : R"({"id":2,"version":4,"schema":"outer","references":[{"name":"i","subject":"inner","version":1}]})"};
    return absl::OkStatus();
  };
  const SchemaText schema{.text = "x", .references = {{"o", "outer", 4}, {"i", "inner", 1}}};
  CHECK(*client.ReferencesOf(schema) == std::vector<std::string>{"inner", "outer"});
}

TEST_CASE("a registry's description is checked", "[registry]") {
  CHECK(Registry{.url = "http://a,https://b:1/x"}.Validate().ok());
  CHECK_FALSE(Registry{}.Validate().ok());
  CHECK_FALSE(Registry{.url = "ftp://a"}.Validate().ok());
  CHECK_THAT(MessageOf(Registry{.url = "http://me:secret@a"}.Validate()), !Catch::Contains("secret"));
  CHECK_FALSE(Registry{.url = "http://a", .tries_max = 0}.Validate().ok());
  CHECK_FALSE(Registry{.url = "http://a", .password = "${file:}"}.Validate().ok());
}

// As a server that takes the request and never answers.
class SilentTransport final : public HttpTransport {
 public:
  absl::Status Send(const HttpRequest&, HttpAnswer*) override {
    MutexLock lock(&mutex_);
    while (!stopped_) stop_requested_.Wait(&mutex_);
    return Unavailable("stopped");
  }
  void Stop() override {
    MutexLock lock(&mutex_);
    stopped_ = true;
    stop_requested_.NotifyAll();
  }

 private:
  Mutex mutex_;
  CondVar stop_requested_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

TEST_CASE("a task that is cancelled does not wait for the registry", "[registry]") {
  auto parser = parse_avro<avro::Value>({.registry = {.url = "http://a", .transport = [](const Registry&) {
                                                        return std::make_unique<SilentTransport>();
                                                      }}});
  testing::FakeContext context;
  context.on_wait = [] { return false; };
  parser.open(context);
  CHECK(parser(std::string("\0\0\0\0\7", 5)).status().code() == absl::StatusCode::kCancelled);
  CHECK(context.waited_for == std::set<std::string>{"the schema registry: schema 7"});
}

TEST_CASE("the wire format", "[registry]") {
  std::string record;
  AppendHeader(0x01020304, record);
  CHECK(record == std::string("\0\1\2\3\4", 5));
  record += "payload";
  CHECK(ReadHeader(record)->id == 0x01020304);
  CHECK(ReadHeader(record)->payload == "payload");
  CHECK_THAT(MessageOf(ReadHeader("").status()), Catch::Contains("empty"));
  CHECK_THAT(MessageOf(ReadHeader("{}").status()), Catch::Contains("0x7b") && Catch::Contains("(byte 0)"));
  CHECK_THAT(MessageOf(ReadHeader(std::string("\0\1\2", 3)).status()), Catch::Contains("(byte 3)"));
  for (const std::vector<int>& way : {std::vector<int>{0}, {1}, {0, 0}, {2, 300, 0}}) {
    std::string bytes;
    AppendMessageIndexes(way, bytes);
    Header header{.id = 1, .payload = bytes};
    CHECK(*ReadMessageIndexes(&header) == way);
    CHECK(header.payload.empty());
    CHECK(header.payload_at == kHeaderBytes + bytes.size());
    Header cut{.id = 1, .payload = std::string_view(bytes).substr(0, bytes.size() - 1)};
    CHECK_FALSE(ReadMessageIndexes(&cut).ok());
  }
  Header bad{.id = 1, .payload = "\x01"};
  CHECK_FALSE(ReadMessageIndexes(&bad).ok());
}

}  // namespace
}  // namespace penstock::schema_registry
