// The example as a program, against a real broker and a real registry.
#include <fmt/format.h>
#include <penstock/schema_registry.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "connectors/kafka/test_support.h"
#include "tests/support/kafka_fixture.h"
#include "tests/support/registry_fixture.h"

namespace penstock {
namespace {

using testing::KafkaFixture;
using testing::RegistryFixture;

struct OrderV1 {
  std::string customer;
  int32_t cents = 0;
  int64_t time_ms = 0;
};
struct OrderV2 {
  int64_t time_ms = 0;
  std::string customer;
  int64_t cents = 0;
  std::string currency = "EUR";
  std::vector<std::string> tags;
};

// The exit code, and what it has written to standard error.
int Run(const std::string& arguments, std::string* errors) {
  FILE* const pipe = popen((std::string(PENSTOCK_EXAMPLE) + " " + arguments + " 2>&1").c_str(), "r");
  REQUIRE(pipe != nullptr);
  char line[4096];
  while (fgets(line, sizeof(line), pipe) != nullptr) *errors += line;
  const int status = pclose(pipe);
  return WEXITSTATUS(status);
}

template <class T>
std::string Written(schema_registry::AvroWriter<T>& writer, const T& value) {
  const auto bytes = writer(value);
  REQUIRE_OK(bytes.status());
  return *bytes;
}

TEST_CASE("two versions of orders become turnover, and what is no order a dead letter", "[examples]") {
  KafkaFixture& kafka = KafkaFixture::Shared();
  const schema_registry::Registry registry = {.url = RegistryFixture::Shared().url()};
  for (const char* topic : {"orders", "turnover", "orders-dead"}) {
    REQUIRE_OK(kafka::CreateTopic(kafka.brokers(), topic, 2));
  }
  const schema_registry::WriteOptions options{
      .registry = registry, .subject = "orders-value", .derived = {.default_fields = true}};
  auto v1 = schema_registry::write_avro<OrderV1>(options);
  auto v2 = schema_registry::write_avro<OrderV2>(options);
  constexpr int64_t kMinute = 60'000, kStart = 1'700'000'040'000;
  kafka::Publish<std::string>(
      kafka.brokers(), "orders",
      {Written(v1, {"ann", 100, kStart}), Written(v2, {kStart + 1, "ann", 11, "EUR", {"gift"}}),
       Written(v2, {kStart + 2, "ann", 5'000, "USD"}), Written(v1, {"bob", 7, kStart + kMinute}), "no order"});

  const std::string arguments = fmt::format("--brokers {} --registry {} --bounded", kafka.brokers(), registry.url);
  std::string errors;
  const int code = Run(arguments, &errors);
  INFO(errors);
  REQUIRE(code == 0);

  auto generic = schema_registry::parse_avro<avro::Value>({.registry = registry});
  std::vector<std::string> rows;
  for (const std::string& row : kafka::ReadAll({.brokers = kafka.brokers(), .topics = {"turnover"}})) {
    rows.push_back(avro::to_json(*generic(row)));
  }
  std::sort(rows.begin(), rows.end());
  CHECK(rows == std::vector<std::string>{
                    fmt::format(R"({{"customer":"ann","minute_ms":{},"cents":111,"orders":2}})", kStart),
                    fmt::format(R"({{"customer":"bob","minute_ms":{},"cents":7,"orders":1}})", kStart + kMinute)});
  CHECK(kafka::ReadAll({.brokers = kafka.brokers(), .topics = {"orders-dead"}}) ==
        std::vector<std::string>{"no order"});

  // An input that is no Order any more: refused, and nothing runs.
  schema_registry::Client client(registry);
  REQUIRE_OK(client.SetLevel("orders-value", schema_registry::Compatibility::kNone));
  constexpr char kOther[] = R"({"type":"record","name":"Order","fields":[{"name":"customer","type":"long"},
      {"name":"cents","type":"long"},{"name":"time_ms","type":"long"}]})";
  REQUIRE_OK(client.Register("orders-value", {.text = kOther}).status());
  errors.clear();
  CHECK(Run(arguments, &errors) == 1);
  CHECK_THAT(errors, Catch::Contains("operator 'parse'") && Catch::Contains("subject orders-value") &&
                         Catch::Contains("customer: a long cannot be read as a string"));
}

}  // namespace
}  // namespace penstock
