// Counts events per session in five-minute windows: events-raw → sessions-aggregated.
//
//   realtime_aggregator --brokers localhost:9092 [--input events-raw] [--output sessions-aggregated]
//                       [--format json|csv] [--bounded] [--delivery at-least-once|exactly-once]
#include <fmt/format.h>
#include <penstock/connectors/kafka.h>
#include <penstock/job.h>

#include <charconv>
#include <optional>
#include <string>

#include "examples/realtime_aggregator/event.h"

using namespace penstock;

namespace {

std::string to_csv(const WindowResult<std::string, int64_t>& result) {
  return fmt::format("{},{},{},{}", result.key, result.start, result.end, result.value);
}

Delivery delivery_of(const std::string& name) {
  return name == "exactly-once" ? Delivery::exactly_once : Delivery::at_least_once;
}

}  // namespace

PENSTOCK_JOB("realtime-aggregator-v1", (Environment & env, const Args& args)) {
  const bool csv = args.get_choice("format", "json", {"json", "csv"}) == "csv";
  env.source("events", kafka::Source{.brokers = args["brokers"],
                                     .topics = {args.get("input", "events-raw")},
                                     .bounded = args.has("bounded")})
      .filter([csv](const Bytes& value) { return csv ? !value.empty() : contains(value, "session_id"); })
      .name("has session")
      .flat_map(ParseEvent(csv))
      .name("parse")
      .watermarks(bounded_disorder<Event>(5s, &Event::time).idle_after(30s))
      .key_by(&Event::session_id)
      .window(tumbling(5min))
      .aggregate("sessions", Count{})
      .map(to_csv)
      .name("to csv")
      .sink("out", kafka::Sink{.brokers = args["brokers"],
                               .topic = args.get("output", "sessions-aggregated"),
                               .delivery = delivery_of(
                                   args.get_choice("delivery", "at-least-once", {"at-least-once", "exactly-once"}))});
}
