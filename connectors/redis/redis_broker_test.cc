// The Redis sink against a real server.
#include <hiredis/hiredis.h>

#include <cstdlib>

#include "connectors/redis/connection.h"
#include "penstock/testing/connector_conformance.h"
#include "tests/support/database_fixture.h"
#include "tests/support/require_ok.h"

namespace penstock::redis {
namespace {

using testing::DatabaseFixture;
using testing::FakeContext;
using Values = std::vector<std::string>;

// A connection of the test's own.
class Client {
 public:
  Client() : context_(redisConnect("127.0.0.1", DatabaseFixture::Redis().port())) {
    REQUIRE(context_->err == 0);
    Run({"AUTH", DatabaseFixture::kPassword});
  }
  ~Client() { redisFree(context_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // What it answers: one text, or those of a list.
  Values Run(const Command& command) {
    std::vector<const char*> arguments;
    std::vector<size_t> sizes;
    for (const std::string& argument : command) {
      arguments.push_back(argument.data());
      sizes.push_back(argument.size());
    }
    auto* const reply = static_cast<redisReply*>(
        redisCommandArgv(context_, static_cast<int>(command.size()), arguments.data(), sizes.data()));
    REQUIRE(reply != nullptr);
    INFO(std::string(reply->str == nullptr ? "" : reply->str));
    REQUIRE(reply->type != REDIS_REPLY_ERROR);
    Values values;
    for (size_t i = 0; i < reply->elements; ++i) values.emplace_back(reply->element[i]->str, reply->element[i]->len);
    if (reply->str != nullptr) values.emplace_back(reply->str, reply->len);
    if (reply->type == REDIS_REPLY_INTEGER) values.push_back(std::to_string(reply->integer));
    freeReplyObject(reply);
    return values;
  }

 private:
  redisContext* const context_;
};

template <class T>
Sink<T> To(std::function<Command(const T&)> command) {
  setenv("PENSTOCK_REDIS_PASSWORD", DatabaseFixture::kPassword, 1);
  return {.port = DatabaseFixture::Redis().port(),
          .password = "${env:PENSTOCK_REDIS_PASSWORD}",
          .command = std::move(command),
          .retrying = {.first = std::chrono::milliseconds(5), .longest = std::chrono::milliseconds(50)}};
}

template <class T>
absl::Status Write(const Sink<T>& sink, const std::vector<T>& records) {
  FakeContext context;
  PENSTOCK_RETURN_IF_ERROR(sink.Validate());
  const auto writer = sink.template CreateWriter<T>();
  PENSTOCK_RETURN_IF_ERROR(writer->Open(context));
  for (const T& record : records) PENSTOCK_RETURN_IF_ERROR(writer->Write(record, kNoTimestamp));
  return writer->Flush();
}

TEST_CASE("the redis sink conforms", "[redis]") {
  Client client;
  const std::string key = DatabaseFixture::Redis().NewName("conforming");
  const bool idempotent = GENERATE(true, false);
  Sink<std::string> sink = To<std::string>([&](const std::string& record) {
    return Command{idempotent ? "SADD" : "RPUSH", key, record};
  });
  sink.batching.records_max = 7;
  REQUIRE_OK(testing::CheckSink<std::string>({
      .make = [&] { return sink.CreateWriter<std::string>(); },
      .read =
          [&] {
            return idempotent ? client.Run({"SMEMBERS", key}) : client.Run({"LRANGE", key, "0", "-1"});
          },
      .idempotent = idempotent,
      .stall =
          [&](bool stalled) {
            client.Run(stalled ? Command{"CLIENT", "PAUSE", "60000", "WRITE"} : Command{"CLIENT", "UNPAUSE"});
          },
      .stalled_records_max = 7 * 2,
  }));
}

struct Change {
  std::string key;
  std::string value;  // empty: to be deleted
};

TEST_CASE("commands go in their order, with any bytes", "[redis]") {
  Client client;
  const std::string prefix = DatabaseFixture::Redis().NewName("order") + ":";
  Sink<Change> sink = To<Change>([&](const Change& change) {
    if (change.key.empty()) return Command{};
    return change.value.empty() ? Delete(prefix + change.key) : Set(prefix + change.key, change.value);
  });
  sink.batching.records_max = GENERATE(1, 3, 100);
  const std::string bytes("\0\r\n$3\xff ", 8);
  REQUIRE_OK(Write<Change>(sink, {{"a", "1"}, {"b", "2"}, {"a", "3"}, {"", "nothing"}, {"b", ""}, {"c", bytes}}));
  CHECK(client.Run({"GET", prefix + "a"}) == Values{"3"});
  CHECK(client.Run({"EXISTS", prefix + "b"}) == Values{"0"});
  CHECK(client.Run({"GET", prefix + "c"}) == Values{bytes});
}

TEST_CASE("made commands, and the database", "[redis]") {
  Client client;
  const std::string key = DatabaseFixture::Redis().NewName("made");
  Sink<int> sink = To<int>([&](const int& kind) {
    switch (kind) {
      case 0:
        return Set(key, 0.5);
      case 1:
        return Set(key + "-short", "x", std::chrono::milliseconds(1));
      default:
        return HashSet(key + "-hash", "field", kind);
    }
  });
  sink.database = 3;
  REQUIRE_OK(Write<int>(sink, {0, 1, 7}));
  client.Run({"SELECT", "3"});
  CHECK(client.Run({"GET", key}) == Values{"0.5"});
  CHECK(client.Run({"HGET", key + "-hash", "field"}) == Values{"7"});
  FakeContext context;
  CHECK(context.WaitUntil("it expires", [&] { return client.Run({"EXISTS", key + "-short"}) == Values{"0"}; }));
}

TEST_CASE("what the server refuses fails the task by the command's name", "[redis]") {
  Client client;
  const std::string key = DatabaseFixture::Redis().NewName("refused");
  client.Run({"SET", key, "text"});
  const absl::Status refused = Write<int>(To<int>([&](const int&) { return HashSet(key, "f", 1); }), {1});
  CHECK(absl::IsInvalidArgument(refused));
  CHECK_THAT(std::string(refused.message()), Catch::Contains("HSET") && Catch::Contains("WRONGTYPE"));
  Sink<int> stranger = To<int>([&](const int&) { return Set(key, 1); });
  stranger.password = "wrong";
  CHECK_THAT(std::string(Write<int>(stranger, {1}).message()), Catch::Contains("AUTH: WRONGPASS"));
}

TEST_CASE("a server that goes and comes back, and connections that are killed: nothing is lost", "[redis]") {
  const std::string key = DatabaseFixture::Redis().NewName("restart");
  Sink<int> sink = To<int>([&](const int& value) { return HashSet(key, std::to_string(value), value); });
  sink.batching.records_max = 10;
  FakeContext context;
  const auto writer = sink.CreateWriter<int>();
  REQUIRE_OK(writer->Open(context));
  bool stopped = false;
  context.on_wait = [&] {
    if (stopped && !context.note.empty()) {
      DatabaseFixture::Redis().Start();
      stopped = false;
    }
    return true;
  };
  for (int i = 0; i < 500; ++i) {
    if (i == 100) Client().Run({"CLIENT", "KILL", "TYPE", "normal"});
    if (i == 250) {
      DatabaseFixture::Redis().Stop();
      stopped = true;
    }
    REQUIRE_OK(writer->Write(i, kNoTimestamp));
  }
  REQUIRE_OK(writer->Flush());
  CHECK(context.gauge_value("retries") >= 1);
  CHECK(Client().Run({"HLEN", key}) == Values{"500"});
}

TEST_CASE("errors that may pass", "[redis]") {
  for (const char* error : {"LOADING Redis is loading", "READONLY You can't", "OOM command not allowed"})
    CHECK(MayPass(error));
  for (const char* error : {"WRONGTYPE x", "ERR unknown command", "WRONGPASS x", "NOAUTH x", "NOPERM x"}) {
    CHECK_FALSE(MayPass(error));
  }
}

TEST_CASE("malformed redis descriptions are refused by name", "[redis]") {
  REQUIRE_OK(testing::CheckSinkRefused<int>(
      Sink<int>{.host = "", .port = 0, .username = "u", .database = -1, .batching = {.records_max = 0}},
      {".host", ".port", ".username", ".database", ".command", ".batching.records_max"}));
}

}  // namespace
}  // namespace penstock::redis
