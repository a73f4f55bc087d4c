// What the Kafka connector reads back: positions, records of the sink's log, slots, markers.
#include "connectors/kafka/discovery.h"
#include "connectors/kafka/exactly_once/log_record.h"
#include "connectors/kafka/exactly_once/marker.h"
#include "connectors/kafka/exactly_once/slot_recovery.h"
#include "tests/fuzz/target.h"

namespace penstock::fuzz {
namespace {

void RunPosition(std::string_view bytes) {
  kafka::TopicPartition id;
  kafka::PartitionPosition position;
  (void)kafka::DecodePosition(std::string(bytes), &id, &position);
}

void RunLogRecord(std::string_view bytes) {
  kafka::LogRecord record;
  if (!kafka::DecodeLogRecord(bytes, record)) return;
  std::string again;
  kafka::EncodeLogRecord(record.record, again);
  kafka::LogRecord copy;
  if (!kafka::DecodeLogRecord(again, copy)) __builtin_trap();
}

void RunSlot(std::string_view bytes) {
  kafka::SlotState state;
  if (kafka::SlotState::Decode(std::string(bytes), state) && state.slot < 0) __builtin_trap();
}

void RunMarker(std::string_view bytes) {
  const auto marker = kafka::DecodeMarker(static_cast<int64_t>(bytes.size()), bytes);
  (void)kafka::Judge(marker, {.id = 3, .generation = "g", .parent_generation = std::string(bytes)});
}

std::vector<std::string> PositionSeeds() { return {kafka::EncodePosition({"topic", 3}, {.next = 17, .stop = 99})}; }
std::vector<std::string> LogRecordSeeds() {
  const kafka::HeaderList headers = {{"name", "value"}, {"", ""}};
  std::string bytes;
  kafka::EncodeLogRecord({.key = "k", .value = "v", .headers = &headers, .timestamp = 5, .partition = 2}, bytes);
  return {bytes};
}
std::vector<std::string> SlotSeeds() { return {kafka::SlotState{3, "topic"}.Encode()}; }
std::vector<std::string> MarkerSeeds() { return {kafka::EncodeMarkerMetadata({"g", 3})}; }

}  // namespace

const Target kKafkaTargets[] = {{"position", RunPosition, PositionSeeds},
                                {"log_record", RunLogRecord, LogRecordSeeds},
                                {"slot", RunSlot, SlotSeeds},
                                {"marker", RunMarker, MarkerSeeds}};
const size_t kKafkaTargetCount = std::size(kKafkaTargets);

}  // namespace penstock::fuzz
