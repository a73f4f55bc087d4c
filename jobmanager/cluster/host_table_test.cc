#include "jobmanager/cluster/host_table.h"

#include <catch2/catch.hpp>

#include "runtime/core/status.h"
#include "runtime/core/version.h"

namespace penstock::jobmanager {
namespace {

class NullGateway final : public HostGateway {
 public:
  void Send(const proto::JobManagerToHost&) override {}
  void Close() override {}
};

proto::HostHello Hello(const std::string& id, int32_t slots, int32_t pid = 1) {
  proto::HostHello hello;
  hello.set_taskmanager_id(id);
  hello.set_slots(slots);
  hello.set_pid(pid);
  hello.set_control_version(kControlVersion);
  return hello;
}

const HostGatewayPtr kConnection = std::make_shared<NullGateway>();

TEST_CASE("A host of another control version is refused with both versions named", "[cluster]") {
  HostTable table;
  proto::HostHello hello = Hello("a", 2);
  hello.set_control_version(77);
  const std::string message = MessageOf(table.Register(hello, kConnection, 0, 0));
  CHECK(message.find("77") != std::string::npos);
  CHECK(message.find("speaks " + std::to_string(kControlVersion)) != std::string::npos);
  CHECK(table.hosts().empty());
  CHECK_FALSE(table.Register(Hello("", 2), kConnection, 0, 0).ok());
  CHECK_FALSE(table.Register(Hello("a", 0), kConnection, 0, 0).ok());
}

TEST_CASE("A live host's id is not given to another process, a lost one's is", "[cluster]") {
  HostTable table;
  REQUIRE(table.Register(Hello("a", 2, 10), kConnection, 0, 0).ok());
  CHECK(table.Register(Hello("a", 2, 11), kConnection, 1, 1).code() == absl::StatusCode::kAlreadyExists);
  table.Disconnect("a");
  CHECK(table.Register(Hello("a", 2, 11), kConnection, 2, 2).ok());
}

TEST_CASE("A host is overdue only when it was silent for longer than the timeout", "[cluster]") {
  HostTable table;
  REQUIRE(table.Register(Hello("a", 2), kConnection, 1'000, 0).ok());
  CHECK(table.Overdue(6'000, 5'000).empty());
  CHECK(table.Overdue(6'001, 5'000) == std::vector<std::string>{"a"});
  table.Heard("a", {}, 6'000, 99);
  CHECK(table.Overdue(6'001, 5'000).empty());
  CHECK(table.Snapshot()[0].last_heartbeat_ms == 99);
}

TEST_CASE("Slots are taken, kept over a reconnect, and given back", "[cluster]") {
  HostTable table;
  REQUIRE(table.Register(Hello("a", 2), kConnection, 0, 0).ok());
  REQUIRE(table.Register(Hello("b", 2), kConnection, 0, 0).ok());
  CHECK_FALSE(table.Allocate("job", 5).has_value());
  CHECK(table.FreeSlots() == 4);
  REQUIRE(table.Allocate("job", 3).has_value());
  CHECK(table.FreeSlots() == 1);
  table.Disconnect("a");
  CHECK(table.FreeSlots() == 1);  // a had none left
  CHECK_FALSE(table.Allocate("other", 2).has_value());
  REQUIRE(table.Register(Hello("a", 2), kConnection, 0, 0).ok());
  CHECK(table.Find("a")->allocated.at("job") == 2);
  table.Release("job");
  CHECK(table.FreeSlots() == 4);
}

TEST_CASE("A disconnected host gives no slots", "[cluster]") {
  HostTable table;
  REQUIRE(table.Register(Hello("a", 2), kConnection, 0, 0).ok());
  table.Disconnect("a");
  CHECK(table.FreeSlots() == 0);
  CHECK_FALSE(table.Allocate("job", 1).has_value());
}

}  // namespace
}  // namespace penstock::jobmanager
