// A rule of the broker that forbids everybody something, for as long as the object lives; for tests.
#ifndef PENSTOCK_CONNECTORS_KAFKA_EXACTLY_ONCE_ACL_TESTING_H_
#define PENSTOCK_CONNECTORS_KAFKA_EXACTLY_ONCE_ACL_TESTING_H_

#include <librdkafka/rdkafka.h>

#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "connectors/kafka/client.h"

namespace penstock::kafka {

class DeniedRight {
 public:
  DeniedRight(const std::string& brokers, rd_kafka_ResourceType_t type, std::string name,
              rd_kafka_AclOperation_t operation)
      : type_(type), name_(std::move(name)) {
    auto conf = MakeConf(ClientKind::kProducer, brokers, {}, {}, nullptr);
    REQUIRE(conf.ok());
    auto client = MakeClient(ClientKind::kProducer, *std::move(conf));
    REQUIRE(client.ok());
    client_ = *std::move(client);
    rd_kafka_AclBinding_t* rule =
        rd_kafka_AclBinding_new(type_, name_.c_str(), RD_KAFKA_RESOURCE_PATTERN_LITERAL, "User:*", "*", operation,
                                RD_KAFKA_ACL_PERMISSION_TYPE_DENY, nullptr, 0);
    Await(RD_KAFKA_EVENT_CREATEACLS_RESULT,
          [&](rd_kafka_queue_t* queue) { rd_kafka_CreateAcls(client_.get(), &rule, 1, nullptr, queue); });
    rd_kafka_AclBinding_destroy(rule);
  }
  ~DeniedRight() {
    rd_kafka_AclBindingFilter_t* rule =
        rd_kafka_AclBindingFilter_new(type_, name_.c_str(), RD_KAFKA_RESOURCE_PATTERN_LITERAL, nullptr, nullptr,
                                      RD_KAFKA_ACL_OPERATION_ANY, RD_KAFKA_ACL_PERMISSION_TYPE_ANY, nullptr, 0);
    Await(RD_KAFKA_EVENT_DELETEACLS_RESULT,
          [&](rd_kafka_queue_t* queue) { rd_kafka_DeleteAcls(client_.get(), &rule, 1, nullptr, queue); });
    rd_kafka_AclBinding_destroy(rule);
  }
  DeniedRight(const DeniedRight&) = delete;
  DeniedRight& operator=(const DeniedRight&) = delete;

 private:
  static constexpr int kDeadlineMs = 30'000;

  template <typename Ask>
  void Await(rd_kafka_event_type_t wanted, Ask ask) {
    const std::unique_ptr<rd_kafka_queue_t, decltype(&rd_kafka_queue_destroy)> queue(rd_kafka_queue_new(client_.get()),
                                                                                     &rd_kafka_queue_destroy);
    ask(queue.get());
    rd_kafka_event_t* event = rd_kafka_queue_poll(queue.get(), kDeadlineMs);
    CHECK(event != nullptr);
    if (event == nullptr) return;
    CHECK(rd_kafka_event_type(event) == wanted);
    CHECK(rd_kafka_event_error(event) == RD_KAFKA_RESP_ERR_NO_ERROR);
    rd_kafka_event_destroy(event);
  }

  const rd_kafka_ResourceType_t type_;
  const std::string name_;
  ClientPtr client_;
};

}  // namespace penstock::kafka

#endif  // PENSTOCK_CONNECTORS_KAFKA_EXACTLY_ONCE_ACL_TESTING_H_
