// Against a real registry.
#include <penstock/schema_registry.h>
#include <penstock/schema_registry/protobuf.h>
#include <penstock/testing.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "connectors/schema_registry/compatibility.h"
#include "proto/graph.pb.h"
#include "runtime/core/status.h"
#include "tests/support/registry_fixture.h"

namespace penstock::schema_registry {
namespace {

using testing::RegistryFixture;

Registry At(const std::string& url) { return {.url = url, .tries_max = 3, .pause_min = std::chrono::milliseconds(20)}; }
Registry Real() { return At(RegistryFixture::Shared().url()); }
std::string NewSubject() { return RegistryFixture::Shared().NewSubject("orders-value"); }

std::string RecordOf(const std::string& fields) {
  return R"({"type":"record","name":"Order","fields":[)" + fields + "]}";
}
const std::string kId = R"({"name":"id","type":"string"})";
const std::string kV1 = RecordOf(kId + R"(,{"name":"cents","type":"int"})");
const std::string kV2 =
    RecordOf(kId + R"(,{"name":"cents","type":"long"},{"name":"note","type":["null","string"],"default":null})");
const std::string kBad = RecordOf(kId + R"(,{"name":"cents","type":"string"})");

struct Order {
  std::string id;
  int64_t cents = 0;
  std::optional<std::string> note;
  bool operator==(const Order&) const = default;
};
struct OldOrder {
  std::string id;
  int32_t cents = 0;
};

// A request that the client has no method for.
int Delete(const std::string& path) {
  HttpAnswer answer;
  REQUIRE(MakeCurlTransport(Real())->Send({"DELETE", RegistryFixture::Shared().url() + path, ""}, &answer).ok());
  return answer.status;
}

template <class T>
std::string Written(const std::string& subject, const std::string& schema, const T& value) {
  const auto bytes = write_avro<T>({.registry = Real(), .subject = subject, .schema = schema})(value);
  INFO(bytes.status().ToString());
  REQUIRE(bytes.ok());
  return *bytes;
}

TEST_CASE("register, look up, list", "[registry]") {
  Client client(Real());
  const std::string subject = NewSubject();
  CHECK(client.Latest(subject).status().code() == absl::StatusCode::kNotFound);
  CHECK(client.IdOf(subject, {.text = kV1}).status().code() == absl::StatusCode::kNotFound);
  const absl::StatusOr<int> first = client.Register(subject, {.text = kV1});
  INFO(first.status().ToString());
  REQUIRE(first.ok());
  CHECK(*Client(Real()).Register(subject, {.text = kV1}) == *first);
  CHECK(*Client(Real()).IdOf(subject, {.text = kV1}) == *first);
  const absl::StatusOr<int> second = client.Register(subject, {.text = kV2});
  CHECK(*second != *first);
  CHECK(nlohmann::json::parse(Client(Real()).ById(*first)->text) == nlohmann::json::parse(kV1));
  CHECK(client.Latest(subject)->id == *second);
  CHECK(client.Version(subject, 1)->id == *first);
  CHECK(*client.Versions(subject) == std::vector<int>{1, 2});
  CHECK(client.ById(99'999).status().code() == absl::StatusCode::kNotFound);
  CHECK(client.Register(subject, {.text = "{"}).status().code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("TLS with a named authority, and basic auth", "[registry]") {
  const RegistryFixture& fixture = RegistryFixture::Shared();
  Registry registry = At(fixture.tls_url());
  CHECK(Client(registry).Versions("x").status().code() == absl::StatusCode::kFailedPrecondition);
  registry.ca_file = fixture.ca_file();
  CHECK(Client(registry).Versions("x").status().code() == absl::StatusCode::kUnauthenticated);
  registry.user = fixture.user();
  registry.password = "wrong";
  const absl::Status refused = Client(registry).Versions("x").status();
  CHECK(refused.code() == absl::StatusCode::kUnauthenticated);
  CHECK_THAT(refused.ToString(), !Catch::Contains("wrong"));
  registry.password = fixture.password();
  CHECK(Client(registry).Register(NewSubject(), {.text = kV1}).ok());
  REQUIRE(setenv("PENSTOCK_TEST_REGISTRY_PASSWORD", fixture.password().c_str(), 1) == 0);
  registry.password = "${env:PENSTOCK_TEST_REGISTRY_PASSWORD}";
  CHECK(Client(registry).Register(NewSubject(), {.text = kV1}).ok());
  registry.password = "${file:/nowhere}";
  CHECK(Client(registry).Versions("x").status().code() == absl::StatusCode::kFailedPrecondition);
}

TEST_CASE("levels of compatibility mean to us what they mean to the registry", "[registry]") {
  const std::vector<std::string> schemas = {
      kV1,
      kV2,
      kBad,
      RecordOf(kId),
      RecordOf(kId + R"(,{"name":"cents","type":"int","default":0})"),
      RecordOf(kId + R"(,{"name":"cents","type":"int"},{"name":"more","type":"int"})"),
      RecordOf(kId + R"(,{"name":"cents","type":["null","int"],"default":null})"),
      RecordOf(R"({"name":"key","type":"string","aliases":["id"]},{"name":"cents","type":"int"})"),
      RecordOf(kId + R"(,{"name":"e","type":{"type":"enum","name":"E","symbols":["x","y"]},"default":"x"})"),
      RecordOf(kId + R"(,{"name":"e","type":{"type":"enum","name":"E","symbols":["x"],"default":"x"},"default":"x"})")};
  const auto parsed = [&](size_t i) { return *avro::Schema::Parse(schemas[i]); };
  const Compatibility levels[] = {
      Compatibility::kNone,          Compatibility::kBackward,          Compatibility::kBackwardTransitive,
      Compatibility::kForward,       Compatibility::kForwardTransitive, Compatibility::kFull,
      Compatibility::kFullTransitive};
  Client client(Real());
  int refused = 0;
  for (const Compatibility level : levels) {
    // The third pair makes the last version and the first differ.
    for (const auto& [first, second] : {std::pair<size_t, size_t>{0, 1}, {4, 3}, {5, 4}, {8, 9}}) {
      const std::string subject = NewSubject();
      REQUIRE(client.SetLevel("nobody", Compatibility::kNone).code() != absl::StatusCode::kUnavailable);
      REQUIRE(client.Register(subject, {.text = schemas[first]}).ok());
      REQUIRE(client.SetLevel(subject, Compatibility::kNone).ok());
      REQUIRE(client.Register(subject, {.text = schemas[second]}).ok());
      REQUIRE(client.SetLevel(subject, level).ok());
      CHECK(*client.LevelOf(subject) == level);
      for (size_t next = 0; next < schemas.size(); ++next) {
        const absl::StatusOr<Verdict> verdict = client.Check(subject, {.text = schemas[next]});
        const auto problems = CompatibilityProblems(level, parsed(next), {parsed(first), parsed(second)});
        INFO(CompatibilityName(level) << " " << schemas[first] << "\n"
                                      << schemas[second] << "\n"
                                      << schemas[next] << "\n"
                                      << verdict.status().ToString() << (verdict.ok() ? verdict->reason : "") << "\n"
                                      << (problems.empty() ? "" : problems[0]));
        REQUIRE(verdict.ok());
        CHECK(verdict->compatible == problems.empty());
        if (!verdict->compatible) CHECK_FALSE(verdict->reason.empty());
        refused += verdict->compatible ? 0 : 1;
      }
    }
  }
  CHECK(refused > 50);
}

TEST_CASE("a registry that does not answer: bounded tries, then an error that names it", "[registry]") {
  RegistryFixture own;
  const std::string subject = "orders-value";
  const Registry registry = At(own.url());
  const auto bytes = write_avro<OldOrder>({.registry = registry, .subject = subject, .schema = kV1})({"a", 1});
  REQUIRE(bytes.ok());
  auto running = parse_avro<Order>({.registry = registry, .subject = subject});
  REQUIRE(running(*bytes).ok());
  own.Stop();
  CHECK(running(*bytes)->cents == 1);  // what is known needs no registry
  auto fresh = parse_avro<Order>({.registry = registry, .subject = subject});
  const absl::Status failed = fresh(*bytes).status();
  CHECK(failed.code() == absl::StatusCode::kUnavailable);
  CHECK_THAT(MessageOf(failed), Catch::Contains("subject orders-value") && Catch::Contains(own.url()) &&
                                    Catch::Contains("schema 1") && Catch::Contains("given up after 3 tries"));
  CHECK(fresh.CheckAtSubmit().code() == absl::StatusCode::kUnavailable);
  own.Start();
  CHECK_THAT(MessageOf(fresh(*bytes).status()), Catch::Contains("is unknown"));  // it has forgotten everything
  REQUIRE(Client(registry).Register(subject, {.text = kV1}).ok());
  auto again = parse_avro<Order>({.registry = registry, .subject = subject});
  CHECK(again(*bytes)->id == "a");
}

// ---- jobs ----

struct Run {
  absl::Status status;
  std::vector<Order> orders;
  std::vector<Malformed> malformed;
};

Run RunReader(const std::vector<std::string>& records, const ReadOptions& options) {
  const collect::Results<Order> orders;
  const collect::Results<Malformed> malformed;
  Run run;
  run.status = testing::RunJob([&](Environment& env, const Args&) {
    auto parsed = env.source("in", collection::Source<std::string>{.records = records})
                      .flat_map(parse_avro<Order>(options))
                      .on_error(side_output)
                      .name("parse");
    parsed.malformed().sink("bad", collect::Sink<Malformed>{malformed});
    parsed.sink("out", collect::Sink<Order>{orders});
  });
  run.orders = orders.values();
  run.malformed = malformed.values();
  return run;
}

TEST_CASE("a job reads older and newer schemas, and puts aside what it cannot", "[registry]") {
  const std::string subject = NewSubject();
  const std::string newer = RecordOf(R"({"name":"extra","type":{"type":"array","items":"double"}},)" + kId +
                                     R"(,{"name":"cents","type":"long"})");
  struct Newer {
    std::vector<double> extra;
    std::string id;
    int64_t cents = 0;
  };
  struct Wrong {
    std::string id;
    std::string cents;
  };
  std::vector<std::string> records = {
      Written(subject, kV1, OldOrder{"a", 1}),       Written(subject, kV2, Order{"b", 2, "n"}),
      Written(subject, newer, Newer{{0.5}, "c", 3}), Written(NewSubject(), kBad, Wrong{"d", "4"}),
      std::string("\0\0\1\x86\x9f", 5) + "x",        "{}",
      Written(subject, kV1, OldOrder{"e", 5})};
  records.push_back(records[0].substr(0, 6));
  const Run run = RunReader(records, {.registry = Real(), .subject = subject});
  INFO(run.status.ToString());
  REQUIRE(run.status.ok());
  CHECK(run.orders == std::vector<Order>{{"a", 1, {}}, {"b", 2, "n"}, {"c", 3, {}}, {"e", 5, {}}});
  REQUIRE(run.malformed.size() == 4);
  CHECK_THAT(run.malformed[0].reason,
             Catch::Contains("record 3: schema") && Catch::Contains("cents: a string cannot be read as a long"));
  CHECK_THAT(run.malformed[1].reason, Catch::Contains("record 4: schema 99999 (subject " + subject + ") is unknown") &&
                                          Catch::Contains(Real().url));
  CHECK_THAT(run.malformed[2].reason, Catch::Contains("record 5: the record begins with the byte 0x7b"));
  CHECK(run.malformed[2].record == "{}");
  CHECK(run.malformed[2].origin == "record 5");
  CHECK_THAT(run.malformed[3].reason, Catch::Contains("record 7: Avro: id: no string of its length (byte 5)"));
}

TEST_CASE("a schema that is rolled back while the job runs", "[registry]") {
  const std::string subject = NewSubject();
  Client client(Real());
  const std::string first = Written(subject, kV1, OldOrder{"a", 1});
  // Of this test alone: a registry may keep equal texts under one id, for all subjects.
  const std::string newer = R"({"doc":")" + subject + "\"," + kV2.substr(1);
  const std::string second = Written(subject, newer, Order{"b", 2, {}});
  testing::Harness<std::string> harness;
  auto out = harness.output(harness.input().flat_map(parse_avro<Order>({.registry = Real(), .subject = subject})));
  harness.push(first);
  harness.push(second);
  // Back to the version before: its schema has its id again, and is what the job knows already.
  CHECK(*Client(Real()).Register(subject, {.text = kV1}) == *client.IdOf(subject, {.text = kV1}));
  harness.push(Written(subject, kV1, OldOrder{"c", 3}));
  // The newer version is deleted, for good: the job goes on with what it has read, also records under way.
  REQUIRE(Delete("/subjects/" + subject + "/versions/2") == 200);
  Delete("/subjects/" + subject + "/versions/2?permanent=true");
  REQUIRE(Client(Real()).Latest(subject)->version == 1);
  harness.push(second);
  REQUIRE(harness.failure().ok());
  REQUIRE(out.values() == std::vector<Order>{{"a", 1, {}}, {"b", 2, {}}, {"c", 3, {}}, {"b", 2, {}}});

  // One that begins anew no longer finds it: it puts those records aside, and names them.
  const Run later = RunReader({first, second, first}, {.registry = Real(), .subject = subject});
  REQUIRE(later.status.ok());
  CHECK(later.orders.size() == 2);
  REQUIRE(later.malformed.size() == 1);
  CHECK_THAT(later.malformed[0].reason, Catch::Contains("is unknown") && Catch::Contains(subject));

  // Registered again it may get another id; what is written from now on is read.
  harness.push(Written(subject, newer, Order{"d", 4, "again"}));
  CHECK(out.values().back() == Order{"d", 4, "again"});
}

TEST_CASE("a registry that goes away fails the job by name", "[registry]") {
  RegistryFixture own;
  const auto bytes = write_avro<OldOrder>({.registry = At(own.url()), .subject = "s", .schema = kV1})({"a", 1});
  own.Stop();
  testing::Harness<std::string> harness;
  harness.output(harness.input().flat_map(parse_avro<Order>({.registry = At(own.url()), .subject = "s"})));
  harness.push(*bytes);
  CHECK(harness.failure().code() == absl::StatusCode::kUnavailable);
  CHECK_THAT(MessageOf(harness.failure()), Catch::Contains(own.url()));
  CHECK(harness.malformed_records() == 0);
}

TEST_CASE("a job is refused where it is submitted", "[registry]") {
  Client client(Real());
  const std::string in = NewSubject(), out = NewSubject();
  REQUIRE(client.Register(in, {.text = kBad}).ok());
  REQUIRE(client.Register(out, {.text = kBad}).ok());
  REQUIRE(client.SetLevel(out, Compatibility::kFull).ok());
  const auto submit = [&](const ReadOptions& read, const WriteOptions& write) {
    return testing::RunJob([&](Environment& env, const Args&) {
      env.source("in", collection::Source<std::string>{})
          .flat_map(parse_avro<Order>(read))
          .name("read orders")
          .flat_map(write_avro<Order>(write))
          .name("write orders")
          .sink("out", collect::Sink<std::string>{});
    });
  };
  const ReadOptions read{.registry = Real(), .subject = in};
  const WriteOptions write{.registry = Real(), .subject = out};
  const absl::Status refused = submit(read, write);
  CHECK(refused.code() == absl::StatusCode::kFailedPrecondition);
  INFO(refused.ToString());
  CHECK_THAT(MessageOf(refused),
             Catch::Contains("operator 'read orders': subject " + in) &&
                 Catch::Contains("cents: a string cannot be read as a long") &&
                 Catch::Contains("operator 'write orders': subject " + out) &&
                 Catch::Contains("refuses the schema by its level FULL") && Catch::Contains("Incompatible artifact") &&
                 Catch::Contains("registered: version 1") && Catch::Contains(R"("type":"string")") &&
                 Catch::Contains("this job's: {\"type\":\"record\",\"name\":\"Order\""));

  // Asked for by the job, whatever the level at the registry is.
  REQUIRE(client.SetLevel(out, Compatibility::kNone).ok());
  const ReadOptions any{.registry = Real()};
  CHECK(submit(any, write).ok());
  WriteOptions strict = write;
  strict.compatibility = Compatibility::kForward;
  CHECK_THAT(MessageOf(submit(any, strict)), Catch::Contains("is not FORWARD: old reads new (version 1 of 1): cents"));

  // Subjects that are not there.
  const ReadOptions missing{.registry = Real(), .subject = NewSubject()};
  CHECK_THAT(MessageOf(submit(missing, write)), Catch::Contains(".subject_may_be_missing"));
  WriteOptions fixed = write;
  fixed.register_schema = false;
  CHECK_THAT(MessageOf(submit(any, fixed)), Catch::Contains(".register_schema is false"));

  // All versions, not the latest alone.
  const std::string both = NewSubject();
  REQUIRE(client.Register(both, {.text = kBad}).ok());
  REQUIRE(client.SetLevel(both, Compatibility::kNone).ok());
  REQUIRE(client.Register(both, {.text = kV2}).ok());
  CHECK(submit({.registry = Real(), .subject = both}, write).ok());
  CHECK_THAT(MessageOf(submit({.registry = Real(), .subject = both, .check = Versions::kAll}, write)),
             Catch::Contains("version 1"));
  CHECK_THAT(
      MessageOf(submit({.registry = At("http://127.0.0.1:1")}, {.registry = At("http://127.0.0.1:1"), .subject = "s"})),
      Catch::Contains("http://127.0.0.1:1") && Catch::Contains("given up after 3 tries"));
}

TEST_CASE("values of any schema, and JSON", "[registry]") {
  const std::string subject = NewSubject();
  auto generic = parse_avro<avro::Value>({.registry = Real(), .subject = subject});
  CHECK(avro::to_json(*generic(Written(subject, kV1, OldOrder{"a", 1}))) == R"({"id":"a","cents":1})");
  const auto value = generic(Written(subject, kV2, Order{"b", 2, "n"}));
  CHECK(*write_avro<avro::Value>({.registry = Real(), .subject = subject, .schema = kV2})(*value) ==
        Written(subject, kV2, Order{"b", 2, "n"}));

  constexpr char kJsonSchema[] = R"({"$schema":"http://json-schema.org/draft-07/schema#","type":"object"})";
  const std::string text = NewSubject();
  auto writer = write_json<OldOrder>({.registry = Real(), .subject = text, .schema = kJsonSchema});
  const auto bytes = writer({"j", 1});
  INFO(bytes.status().ToString());
  REQUIRE(bytes.ok());
  CHECK(parse_json<OldOrder>()(*bytes)->id == "j");
  CHECK(Client(Real()).Latest(text)->schema.type == SchemaType::kJson);
}

TEST_CASE("Protobuf messages, by their way in the file", "[registry]") {
  const std::string subject = NewSubject();
  const WriteOptions options{.registry = Real(), .subject = subject};
  auto edges = write_protobuf<proto::Edge>(options);
  INFO(edges.Validate().ToString());
  REQUIRE(edges.CheckAtSubmit().ok());
  proto::Edge edge;
  edge.set_type("t");
  const auto bytes = edges(edge);
  INFO(bytes.status().ToString());
  REQUIRE(bytes.ok());
  auto parser = parse_protobuf<proto::Edge>({.registry = Real(), .subject = subject});
  REQUIRE(parser.CheckAtSubmit().ok());
  CHECK(parser(*bytes)->type() == "t");
  const auto other = parse_protobuf<proto::JobGraph>({.registry = Real()})(*bytes);
  CHECK_THAT(MessageOf(other.status()),
             Catch::Contains("penstock.proto.Edge, not a penstock.proto") && Catch::Contains("JobGraph"));
  const auto avro_record = Written(NewSubject(), kV1, OldOrder{"a", 1});
  CHECK_THAT(MessageOf(parser(avro_record).status()), Catch::Contains("AVRO") || Catch::Contains("indexes"));
}

}  // namespace
}  // namespace penstock::schema_registry
