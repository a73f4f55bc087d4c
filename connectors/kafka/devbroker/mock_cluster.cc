#include "connectors/kafka/devbroker/mock_cluster.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <utility>
#include <vector>

#include "connectors/kafka/client.h"
#include "runtime/core/status.h"

namespace penstock::kafka {
namespace {

constexpr int32_t kBroker = 1;
constexpr int16_t kProduceApi = 0;
constexpr size_t kRefusalsQueuedMin = 1000;

}  // namespace

struct MockCluster::Impl {
  ClientPtr client;
  rd_kafka_mock_cluster_t* cluster = nullptr;
  int brokers = 1;
  int32_t leader = 1;
  int32_t coordinator = 1;
  int32_t After(int32_t broker) const { return broker % brokers + 1; }  // they are numbered from 1
  ~Impl() {
    if (cluster != nullptr) rd_kafka_mock_cluster_destroy(cluster);
  }
};

absl::StatusOr<std::unique_ptr<MockCluster>> MockCluster::Start(int brokers) {
  auto made = std::unique_ptr<MockCluster>(new MockCluster());
  made->impl_ = std::make_unique<Impl>();
  PENSTOCK_ASSIGN_OR_RETURN(ConfPtr conf, MakeConf(ClientKind::kProducer, "", {}, {}, nullptr));
  PENSTOCK_ASSIGN_OR_RETURN(made->impl_->client, MakeClient(ClientKind::kProducer, std::move(conf)));
  made->impl_->brokers = brokers;
  made->impl_->cluster = rd_kafka_mock_cluster_new(made->impl_->client.get(), brokers);
  if (made->impl_->cluster == nullptr) return Internal("librdkafka's mock cluster does not start");
  made->brokers_ = rd_kafka_mock_cluster_bootstraps(made->impl_->cluster);
  return made;
}

MockCluster::~MockCluster() = default;

absl::Status MockCluster::CreateTopic(const std::string& topic, int partitions) {
  const rd_kafka_resp_err_t error = rd_kafka_mock_topic_create(impl_->cluster, topic.c_str(), partitions, 1);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) return absl::OkStatus();
  return InvalidArgument("topic '{}' with {} partitions: {}", topic, partitions, rd_kafka_err2str(error));
}

void MockCluster::RefuseWrites() {
  size_t queued = 0;
  rd_kafka_mock_broker_error_stack_cnt(impl_->cluster, kBroker, kProduceApi, &queued);
  for (; queued < kRefusalsQueuedMin; ++queued) {
    rd_kafka_mock_broker_push_request_error_rtts(impl_->cluster, kBroker, kProduceApi, 1,
                                                 RD_KAFKA_RESP_ERR_POLICY_VIOLATION, 0);
  }
}

void MockCluster::SetDown(bool down) {
  if (down) {
    rd_kafka_mock_broker_set_down(impl_->cluster, kBroker);
  } else {
    rd_kafka_mock_broker_set_up(impl_->cluster, kBroker);
  }
}

void MockCluster::MoveLeaders(const std::string& topic, int partitions) {
  impl_->leader = impl_->After(impl_->leader);
  for (int32_t i = 0; i < partitions; ++i) {
    rd_kafka_mock_partition_set_leader(impl_->cluster, topic.c_str(), i, impl_->leader);
  }
}

void MockCluster::MoveCoordinators(const std::string& name) {
  impl_->coordinator = impl_->After(impl_->coordinator);
  for (const char* kind : {"transaction", "group"}) {
    rd_kafka_mock_coordinator_set(impl_->cluster, kind, name.c_str(), impl_->coordinator);
  }
}

void MockCluster::FailNext(int16_t api, int count, int16_t error) {
  const std::vector<rd_kafka_resp_err_t> errors(count, static_cast<rd_kafka_resp_err_t>(error));
  rd_kafka_mock_push_request_errors_array(impl_->cluster, api, errors.size(), errors.data());
}

}  // namespace penstock::kafka
