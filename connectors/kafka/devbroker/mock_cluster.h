// librdkafka's mock cluster (brokers on loopback, one unless told) as an owned value. Also used by tests.
#ifndef PENSTOCK_CONNECTORS_KAFKA_DEVBROKER_MOCK_CLUSTER_H_
#define PENSTOCK_CONNECTORS_KAFKA_DEVBROKER_MOCK_CLUSTER_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace penstock::kafka {

class MockCluster {
 public:
  static absl::StatusOr<std::unique_ptr<MockCluster>> Start(int brokers = 1);
  ~MockCluster();
  MockCluster(const MockCluster&) = delete;
  MockCluster& operator=(const MockCluster&) = delete;

  const std::string& brokers() const { return brokers_; }
  absl::Status CreateTopic(const std::string& topic, int partitions);
  // Answers the next produce requests with a policy violation. To be called again and again while it shall hold.
  void RefuseWrites();
  void SetDown(bool down);
  // The partitions of the topic and the coordinators of the transactional id and of the group of this name go to the
  // next broker, as after an election.
  void MoveLeaders(const std::string& topic, int partitions);
  void MoveCoordinators(const std::string& name);
  // The next requests of this kind (its number in Kafka's protocol) are answered with an error: its code in the
  // protocol.
  void FailNext(int16_t api, int count, int16_t error);

 private:
  MockCluster() = default;

  struct Impl;
  std::unique_ptr<Impl> impl_;
  std::string brokers_;
};

}  // namespace penstock::kafka

#endif  // PENSTOCK_CONNECTORS_KAFKA_DEVBROKER_MOCK_CLUSTER_H_
