// The exactly-once sink while leaders and coordinators move from broker to broker: point 22 of the protocol, and what
// a broker that cannot take records makes of a checkpoint (point 2). On librdkafka's mock cluster of three brokers,
// which answers NOT_COORDINATOR and NOT_LEADER as a real one does after an election.
#include "connectors/kafka/devbroker/mock_cluster.h"
#include "connectors/kafka/exactly_once/test_job.h"

namespace penstock::kafka {
namespace {

constexpr char kTopic[] = "out";
constexpr char kUid[] = "moves";
constexpr int16_t kProduceApi = 0;
constexpr int16_t kNotEnoughReplicas = 19;

// The real one refuses a mock cluster, whose readers see no transactions; its producers do.
absl::StatusOr<TransactionLimits> NoPreflight(const Sink&, const AttemptOrigin&,
                                              const std::function<void(std::string)>&, const std::function<bool()>&) {
  return TransactionLimits{.timeout_ms = 60'000, .broker_timeout_max_ms = 60'000, .offsets_retention_ms = 1'000'000};
}

struct Brokers3 {
  Brokers3() {
    auto started = MockCluster::Start(3);
    REQUIRE_OK(started.status());
    cluster = *std::move(started);
    REQUIRE_OK(cluster->CreateTopic(kTopic, kPartitions));
  }
  Job NewJob(Properties properties = {}) const {
    return Job(Sink{.brokers = cluster->brokers(),
                    .topic = kTopic,
                    .delivery = Delivery::exactly_once,
                    .properties = std::move(properties)},
               kUid);
  }
  std::unique_ptr<MockCluster> cluster;
};

TEST_CASE("leaders and coordinators move at each call", "[kafka][exactly-once]") {
  const std::string point = GENERATE("recovery: after init", "recovery: after the marker", "before the flush",
                                     "before the marker", "after the marker", "before the commit", "after the commit");
  INFO(point);
  const Brokers3 brokers;
  int moves = 0;
  Job job = brokers.NewJob();
  job.preflight = NoPreflight;
  const Failpoint move = [&](std::string_view at) {
    if (at == point) {
      ++moves;
      brokers.cluster->MoveLeaders(kTopic, kPartitions);
      brokers.cluster->MoveCoordinators(job.NameOf(0));
    }
    return absl::OkStatus();
  };
  REQUIRE_OK(job.Start(1, move));
  REQUIRE_OK(job.Write(12));
  auto checkpoint = job.Prepare();
  REQUIRE_OK(checkpoint.status());
  job.Decide(*checkpoint, /*notify=*/false);
  job.missing_marker = MissingMarker::kRewrite;  // the mock cluster keeps no offsets that come with a transaction
  REQUIRE_OK(job.Start(1, move));
  REQUIRE_OK(job.Write(12));
  REQUIRE_OK(job.Take());
  REQUIRE(moves > 0);
  job.Stop();
}

TEST_CASE("replicas that are missing fail the checkpoint, and the cause is named", "[kafka][exactly-once]") {
  const Brokers3 brokers;
  Job job = brokers.NewJob({{"delivery.timeout.ms", "2000"}});
  job.preflight = NoPreflight;
  REQUIRE_OK(job.Start(1));
  brokers.cluster->FailNext(kProduceApi, 1000, kNotEnoughReplicas);
  const absl::Status written = job.Write(12);
  const absl::Status prepared = written.ok() ? job.Prepare().status() : written;
  REQUIRE_FALSE(prepared.ok());
  INFO(prepared);
  REQUIRE_THAT(std::string(prepared.message()), Catch::Contains("timed out", Catch::CaseSensitive::No) ||
                                                    Catch::Contains("replicas", Catch::CaseSensitive::No));
}

}  // namespace
}  // namespace penstock::kafka
