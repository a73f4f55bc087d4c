// Shared by the tests of the Kafka connector.
#ifndef PENSTOCK_CONNECTORS_KAFKA_TEST_SUPPORT_H_
#define PENSTOCK_CONNECTORS_KAFKA_TEST_SUPPORT_H_

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "connectors/kafka/admin.h"
#include "penstock/connectors/kafka.h"
#include "penstock/testing/fake_context.h"
#include "tests/support/require_ok.h"

namespace penstock::kafka {

// Writes records and waits until they are delivered.
template <class T>
void Publish(const std::string& brokers, const std::string& topic, const std::vector<T>& records,
             Properties properties = {}) {
  testing::FakeContext context;
  const Sink sink{.brokers = brokers, .topic = topic, .properties = std::move(properties)};
  const auto writer = sink.CreateWriter<T>();
  REQUIRE_OK(writer->Open(context));
  for (const T& record : records) REQUIRE_OK(writer->Write(record, kNoTimestamp));
  REQUIRE_OK(writer->Flush());
  writer->Close();
}

// `count` numbered values to partition `partition`, beginning at `from`.
inline std::vector<ProducerRecord> Numbered(int from, int count, int32_t partition = -1) {
  std::vector<ProducerRecord> records;
  for (int i = from; i < from + count; ++i) {
    records.push_back({.value = fmt::format("v{}", i), .partition = partition});
  }
  return records;
}

// All values that a bounded read gives.
inline std::vector<std::string> ReadAll(Source source) {
  source.bounded = true;
  testing::FakeContext context;
  auto output = testing::BytesOutput();
  const auto reader = source.CreateReader();
  REQUIRE_OK(source.Validate());
  REQUIRE_OK(reader->Open(context, output));
  REQUIRE_OK(testing::PollToEnd(*reader, output, context));
  reader->Close();
  return output.values();
}

}  // namespace penstock::kafka

#endif  // PENSTOCK_CONNECTORS_KAFKA_TEST_SUPPORT_H_
