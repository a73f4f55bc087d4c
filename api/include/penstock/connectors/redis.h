// Redis as a sink: each record becomes a command.
//
//   counts.sink("counts", redis::Sink<Count>{.host = "cache", .password = "${file:/run/secrets/redis}",
//                                            .command = [](const Count& c) { return redis::Set("count:" + c.key, c.n);
//                                            }})
#ifndef PENSTOCK_CONNECTORS_REDIS_H_
#define PENSTOCK_CONNECTORS_REDIS_H_

#include <fmt/format.h>

#include <chrono>
#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "penstock/connectors/batching.h"
#include "runtime/task/sink.h"

namespace penstock::redis {

// A command's name and its arguments, any bytes. Empty: nothing is to be done for the record.
using Command = std::vector<std::string>;

namespace detail {

// What does not depend on the type of the records.
struct Server {
  std::string host;
  int port = 0;
  std::string username;
  std::string password;
  int database = 0;
  Batching batching;
  Retrying retrying;
};
absl::Status Validate(const Server& server);
std::unique_ptr<SinkWriter<Command>> MakeWriter(const Server& server);

inline std::string ToArgument(std::string text) { return text; }
template <class V>
requires std::is_arithmetic_v<V> std::string ToArgument(V value) { return fmt::format("{}", value); }

}  // namespace detail

// Commands that may be repeated without harm: after them the key holds what they say. Values are text or numbers.
template <class V>
Command Set(std::string key, const V& value) {
  return {"SET", std::move(key), detail::ToArgument(value)};
}
template <class V>
Command Set(std::string key, const V& value, std::chrono::milliseconds expires_in) {
  return {"SET", std::move(key), detail::ToArgument(value), "PX", std::to_string(expires_in.count())};
}
template <class V>
Command HashSet(std::string key, std::string field, const V& value) {
  return {"HSET", std::move(key), std::move(field), detail::ToArgument(value)};
}
inline Command Delete(std::string key) { return {"DEL", std::move(key)}; }

// At least once: commands go to the server in pipelines of a batch each, in order, and a checkpoint waits until all are
// answered. After a failure some are sent again, from an earlier one on, so use commands of which it does not matter
// how often they are sent (SET, HSET, DEL, SADD, ZADD): then the keys hold in the end what they would hold if each had
// been sent once, as long as records of a key reach the sink in their order: key the stream by it. INCR or RPUSH would
// count twice.
//
// A connection that breaks, a server that starts, loads its data or is a replica, and one that is out of memory are
// tried again (.retrying); other errors that the server answers fail the task. An answer says that the server has the
// command, not that it is on disk: what survives the server's own end is its configuration's matter. No TLS.
template <class T>
struct Sink {
  std::string host = "127.0.0.1";
  int port = 6379;
  std::string username;  // empty: the default user
  std::string password;  // empty: none. Both may hold ${env:NAME} and ${file:/path}
  int database = 0;
  std::function<Command(const T&)> command;
  Batching batching;
  Retrying retrying;

  absl::Status Validate() const {
    const absl::Status server = detail::Validate(Untyped());
    if (command) return server;
    const std::string missing = "redis sink: .command is missing: say what a record does";
    return absl::InvalidArgumentError(server.ok() ? missing : missing + "; " + std::string(server.message()));
  }
  std::string Describe() const { return fmt::format("redis {}:{}", host, port); }
  Delivery DeliveryGuarantee() const { return Delivery::at_least_once; }
  template <class U>
  requires std::same_as<T, U> std::unique_ptr<SinkWriter<U>> CreateWriter()
  const { return std::make_unique<Writer>(*this); }

 private:
  detail::Server Untyped() const { return {host, port, username, password, database, batching, retrying}; }

  class Writer final : public SinkWriter<T> {
   public:
    explicit Writer(const Sink& sink) : command_(sink.command), writer_(detail::MakeWriter(sink.Untyped())) {}
    absl::Status Open(Context& context) override { return writer_->Open(context); }
    absl::Status Write(const T& record, TimestampMs timestamp) override {
      const Command command = command_(record);
      return command.empty() ? absl::OkStatus() : writer_->Write(command, timestamp);
    }
    absl::Status Tick() override { return writer_->Tick(); }
    absl::Status Flush() override { return writer_->Flush(); }
    void Close() override { writer_->Close(); }

   private:
    const std::function<Command(const T&)> command_;
    const std::unique_ptr<SinkWriter<Command>> writer_;
  };
};

}  // namespace penstock::redis

#endif  // PENSTOCK_CONNECTORS_REDIS_H_
