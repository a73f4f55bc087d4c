// penstock-events: see README.md. Exit codes: 0 done (verify: equal), 1 different or failed, 2 bad arguments.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>
#include <string>
#include <vector>

#include "connectors/kafka/admin.h"
#include "examples/tools/events/publish.h"
#include "examples/tools/events/topics.h"
#include "examples/tools/events/verify.h"
#include "runtime/core/log.h"
#include "runtime/core/status.h"

namespace penstock::events {
namespace {

constexpr int kExitFailed = 1;
constexpr int kExitArguments = 2;

int ExitCode(const absl::Status& status) {
  if (status.ok()) return 0;
  fmt::print(stderr, "penstock-events: {}\n", MessageOf(status));
  return status.code() == absl::StatusCode::kInvalidArgument ? kExitArguments : kExitFailed;
}

void AddPublish(CLI::App& app, PublishOptions& options, std::vector<std::string>& properties) {
  GeneratorOptions& generator = options.generator;
  const std::map<std::string, Format> formats = {{"json", Format::kJson}, {"csv", Format::kCsv}};
  app.add_option("--brokers", options.brokers, "host:port[,...]")->required();
  app.add_option("--topic", options.topic)->capture_default_str();
  app.add_option("--create", options.create_partitions, "Create the topic with that many partitions if it is missing");
  app.add_option("--count", generator.count, "Events")->capture_default_str();
  app.add_option("--sessions", generator.sessions)->capture_default_str();
  app.add_option("--size", generator.size, "Bytes of an event")->capture_default_str();
  app.add_option("--seed", generator.seed)->capture_default_str();
  app.add_option("--windows", generator.windows, "5-minute windows of event time")->capture_default_str();
  app.add_option("--start-ms", generator.start_ms, "First event time (default: long enough before now)");
  app.add_option("--disorder-ms", generator.disorder_ms)->capture_default_str();
  app.add_option("--rate", options.rate, "Events per second (default: as fast as it goes)");
  app.add_option("--malformed", generator.malformed, "Share of events that cannot be parsed");
  app.add_option("--null", generator.null, "Share of records without a value");
  app.add_option("--no-session", generator.no_session, "Share of events without a session_id");
  app.add_option("--format", generator.format)->transform(CLI::CheckedTransformer(formats));
  app.add_flag("!--no-closing", options.closing, "Without the closing events that end the last window");
  app.add_option("--expected", options.expected, "File for the independent count");
  app.add_option("-X,--property", properties, "name=value for librdkafka");
}

absl::Status ParseProperties(const std::vector<std::string>& texts, kafka::Properties& properties) {
  for (const std::string& text : texts) {
    const size_t equals = text.find('=');
    if (equals == std::string::npos) return InvalidArgument("-X '{}': write name=value", text);
    properties[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return absl::OkStatus();
}

int Main(int argc, char** argv) {
  CLI::App app("Publishes events with a known answer and verifies what a job made of them");
  app.require_subcommand(1);

  PublishOptions publish;
  std::vector<std::string> properties;
  CLI::App* publish_app = app.add_subcommand("publish", "Write events, and the count that a job must arrive at");
  AddPublish(*publish_app, publish, properties);

  VerifyOptions verify;
  CLI::App* verify_app = app.add_subcommand("verify", "Compare a topic of CSV rows with the expected count");
  verify_app->add_option("--brokers", verify.brokers)->required();
  verify_app->add_option("--topic", verify.topic)->capture_default_str();
  verify_app->add_option("--expected", verify.expected)->required();
  verify_app->add_option("--timeout", verify.timeout_s, "Seconds")->capture_default_str();
  verify_app->add_option("--settle", verify.settle_s, "Seconds of quiet after the last row")->capture_default_str();
  verify_app->add_flag("--at-least-once", verify.at_least_once, "Allow identical duplicates");
  verify_app->add_option("--json", verify.json, "File for the figures");

  std::string brokers, topic, group;
  int rows = 10;
  int partitions = 4;
  double timeout_s = 30;
  const auto add_topic = [&](CLI::App* sub) {
    sub->add_option("--brokers", brokers)->required();
    sub->add_option("--topic", topic)->required();
  };
  CLI::App* create_app = app.add_subcommand("create", "Create a topic, unless it is there");
  add_topic(create_app);
  create_app->add_option("--partitions", partitions)->capture_default_str();
  CLI::App* expand_app = app.add_subcommand("expand", "Add partitions to a topic");
  add_topic(expand_app);
  expand_app->add_option("--partitions", partitions, "How many there shall be")->capture_default_str();
  CLI::App* count_app = app.add_subcommand("count", "Records in a topic");
  add_topic(count_app);
  CLI::App* lag_app = app.add_subcommand("lag", "Offsets by partition, and a group's lag");
  add_topic(lag_app);
  lag_app->add_option("--group", group);
  int64_t offset = 0;
  bool deletes = false;
  CLI::App* group_app = app.add_subcommand("group", "Set a group's offsets in a topic, or delete the group");
  add_topic(group_app);
  group_app->add_option("--group", group)->required();
  CLI::Option* offset_option = group_app->add_option("--offset", offset, "For all partitions");
  group_app->add_flag("--delete", deletes)->excludes(offset_option);
  CLI::App* show_app = app.add_subcommand("show", "Print the first values of a topic");
  add_topic(show_app);
  show_app->add_option("--count", rows)->capture_default_str();
  show_app->add_option("--timeout", timeout_s, "Seconds")->capture_default_str();

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kExitArguments;
  }
  log::Init("penstock-events", log::Level::warn);
  if (*publish_app) {
    const absl::Status parsed = ParseProperties(properties, publish.properties);
    return ExitCode(parsed.ok() ? Publish(publish) : parsed);
  }
  if (*expand_app) return ExitCode(kafka::AddPartitions(brokers, topic, partitions));
  if (*create_app) return ExitCode(kafka::CreateTopic(brokers, topic, partitions));
  if (*count_app) return ExitCode(PrintCount(brokers, topic));
  if (*lag_app) return ExitCode(PrintLag(brokers, topic, group));
  if (*group_app) {
    return ExitCode(deletes ? kafka::DeleteGroup(brokers, group) : SetGroup(brokers, topic, group, offset));
  }
  if (*show_app) return ExitCode(Show(brokers, topic, rows, timeout_s));
  const absl::StatusOr<bool> equal = Verify(verify);
  if (!equal.ok()) return ExitCode(equal.status());
  return *equal ? 0 : kExitFailed;
}

}  // namespace
}  // namespace penstock::events

int main(int argc, char** argv) { return penstock::events::Main(argc, argv); }
