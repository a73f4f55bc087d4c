#include "connectors/kafka/devbroker/mock_cluster.h"

#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>

#include <utility>

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
  ~Impl() {
    if (cluster != nullptr) rd_kafka_mock_cluster_destroy(cluster);
  }
};

absl::StatusOr<std::unique_ptr<MockCluster>> MockCluster::Start() {
  auto made = std::unique_ptr<MockCluster>(new MockCluster());
  made->impl_ = std::make_unique<Impl>();
  PENSTOCK_ASSIGN_OR_RETURN(ConfPtr conf, MakeConf(ClientKind::kProducer, "", {}, {}, nullptr));
  PENSTOCK_ASSIGN_OR_RETURN(made->impl_->client, MakeClient(ClientKind::kProducer, std::move(conf)));
  made->impl_->cluster = rd_kafka_mock_cluster_new(made->impl_->client.get(), 1);
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

}  // namespace penstock::kafka
