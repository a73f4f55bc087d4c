// The event of the aggregation job, and how it is read off JSON or CSV.
#ifndef PENSTOCK_EXAMPLES_REALTIME_AGGREGATOR_EVENT_H_
#define PENSTOCK_EXAMPLES_REALTIME_AGGREGATOR_EVENT_H_

#include <penstock/job.h>

#include <cstdint>
#include <memory>
#include <string>

struct Event {
  std::string session_id;
  int64_t time = 0;  // epoch milliseconds
};

// JSON: {"session_id": "...", "ts": 1700000000000, ...}. CSV: session,timestamp_ms,... Anything else is malformed.
class ParseEvent {
 public:
  explicit ParseEvent(bool csv = false);
  ParseEvent(const ParseEvent& other);  // each copy has a parser of its own
  ~ParseEvent();

  absl::StatusOr<Event> operator()(const penstock::Bytes& value);

 private:
  struct Parser;
  absl::StatusOr<Event> ParseJson(const penstock::Bytes& value);

  bool csv_;
  std::unique_ptr<Parser> parser_;
};

#endif  // PENSTOCK_EXAMPLES_REALTIME_AGGREGATOR_EVENT_H_
