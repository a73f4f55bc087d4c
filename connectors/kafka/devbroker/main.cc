// penstock-devbroker: see README.md.
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "connectors/kafka/devbroker/guard.h"
#include "connectors/kafka/devbroker/mock_cluster.h"
#include "runtime/core/log.h"
#include "runtime/core/status.h"

namespace penstock::kafka {
namespace {

constexpr int kPartitionsDefault = 8;
constexpr int kPartitionsMax = 128;

struct Options {
  std::vector<std::string> topics;  // name or name:partitions
  std::string port_file;
  bool with_parent = false;
};

// "a:4" or "a".
absl::Status CreateTopic(MockCluster& cluster, const std::string& text) {
  const size_t colon = text.find(':');
  const std::string name = text.substr(0, colon);
  int partitions = kPartitionsDefault;
  if (colon != std::string::npos) {
    const std::string number = text.substr(colon + 1);
    const bool digits =
        !number.empty() && number.size() <= 3 && number.find_first_not_of("0123456789") == std::string::npos;
    partitions = digits ? std::stoi(number) : 0;
  }
  if (name.empty() || partitions < 1 || partitions > kPartitionsMax) {
    return InvalidArgument("--topics '{}': write name or name:partitions with 1 to {} partitions", text,
                           kPartitionsMax);
  }
  return cluster.CreateTopic(name, partitions);
}

absl::Status Announce(const Options& options, const std::string& brokers) {
  fmt::print("penstock-devbroker listens on {}\n", brokers);
  fflush(stdout);
  if (options.port_file.empty()) return absl::OkStatus();
  const std::string partial = options.port_file + ".partial";
  std::ofstream(partial) << brokers << '\n';
  if (rename(partial.c_str(), options.port_file.c_str()) != 0) {
    return FailedPrecondition("--port-file {} cannot be written", options.port_file);
  }
  return absl::OkStatus();
}

absl::Status Run(const Options& options, const sigset_t& end_signals) {
  PENSTOCK_ASSIGN_OR_RETURN(const auto cluster, MockCluster::Start());
  for (const std::string& topic : options.topics) PENSTOCK_RETURN_IF_ERROR(CreateTopic(*cluster, topic));
  Guard guard(cluster->brokers());
  PENSTOCK_RETURN_IF_ERROR(guard.Open());
  PENSTOCK_RETURN_IF_ERROR(Announce(options, cluster->brokers()));
  bool refusing = false;
  const timespec no_wait{};
  while (sigtimedwait(&end_signals, nullptr, &no_wait) < 0) {
    PENSTOCK_RETURN_IF_ERROR(guard.Step());
    if (guard.fullest_bytes() < kRefusePartitionBytes) continue;
    cluster->RefuseWrites();
    if (!refusing) {
      PENSTOCK_LOG(error,
                   "partition {} holds {} of at most {} bytes: all further writes are refused. Restart the dev "
                   "broker, or use a real Kafka",
                   guard.fullest(), guard.fullest_bytes(), kMockPartitionBytes);
    }
    refusing = true;
  }
  return absl::OkStatus();
}

}  // namespace
}  // namespace penstock::kafka

int main(int argc, char** argv) {
  penstock::kafka::Options options;
  CLI::App app("A Kafka broker for development: in memory, on loopback, 5 MB per partition, no transactions");
  app.add_option("--topics", options.topics, "Topics to create: name[:partitions],... (8 partitions by default)")
      ->delimiter(',');
  app.add_option("--port-file", options.port_file, "Receives host:port once the broker listens");
  app.add_flag("--with-parent", options.with_parent, "End when the process that started this one ends");
  CLI11_PARSE(app, argc, argv);

  // Before any thread starts, so that only sigtimedwait sees them.
  sigset_t end_signals;
  sigemptyset(&end_signals);
  sigaddset(&end_signals, SIGTERM);
  sigaddset(&end_signals, SIGINT);
  sigprocmask(SIG_BLOCK, &end_signals, nullptr);
  if (options.with_parent) prctl(PR_SET_PDEATHSIG, SIGTERM);

  penstock::log::Init("devbroker");
  const absl::Status status = penstock::kafka::Run(options, end_signals);
  if (status.ok()) return 0;
  fmt::print(stderr, "penstock-devbroker: {}\n", penstock::MessageOf(status));
  return 1;
}
