// `penstock-events publish`.
#ifndef PENSTOCK_EXAMPLES_TOOLS_EVENTS_PUBLISH_H_
#define PENSTOCK_EXAMPLES_TOOLS_EVENTS_PUBLISH_H_

#include <string>

#include "absl/status/status.h"
#include "examples/tools/events/generator.h"
#include "penstock/connectors/kafka.h"

namespace penstock::events {

struct PublishOptions {
  std::string brokers;
  std::string topic = "events-raw";
  int create_partitions = 0;  // 0: the topic exists
  GeneratorOptions generator;
  double rate = 0;  // events per second; 0: as fast as it goes
  bool closing = true;
  std::string expected;  // file for the oracle's rows; empty: none
  kafka::Properties properties;
};

// Refuses what a mock cluster would silently drop.
absl::Status Publish(PublishOptions options);

}  // namespace penstock::events

#endif  // PENSTOCK_EXAMPLES_TOOLS_EVENTS_PUBLISH_H_
