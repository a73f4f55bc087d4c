// The Redis sink: what makes pipelines of batches.
#include "connectors/batching/batch_writer.h"
#include "connectors/redis/connection.h"
#include "penstock/connectors/redis.h"
#include "runtime/core/secret.h"
#include "runtime/core/status.h"

namespace penstock::redis {
namespace {

constexpr size_t kArgumentOverheadBytes = 16;

struct Pipeline {
  std::vector<Command> commands;
  size_t argument_bytes = 0;
  size_t records() const { return commands.size(); }
  size_t bytes() const { return argument_bytes; }
};

class CommandTarget final : public BatchTarget<Command, Pipeline> {
 public:
  explicit CommandTarget(const detail::Server& server) : server_(server) {}

  absl::Status Open(Context&) override {
    PENSTOCK_ASSIGN_OR_RETURN(server_.username, ResolveSecrets(server_.username));
    PENSTOCK_ASSIGN_OR_RETURN(server_.password, ResolveSecrets(server_.password));
    return absl::OkStatus();
  }
  absl::Status Append(const Command& command, TimestampMs, Pipeline& batch) override {
    for (const std::string& argument : command) batch.argument_bytes += kArgumentOverheadBytes + argument.size();
    batch.commands.push_back(command);
    return absl::OkStatus();
  }
  TryResult Try(int, const Pipeline& batch, const StopRequest& stop) override {
    if (!connection_.open()) {
      TryResult opened = connection_.Open(server_, stop);
      if (!opened.status.ok()) return opened;
    }
    return connection_.Run(batch.commands, stop);
  }

 private:
  detail::Server server_;
  Connection connection_;  // the lane's
};

}  // namespace

namespace detail {

absl::Status Validate(const Server& server) {
  std::string problems = ProblemsOf(server.batching, server.retrying);
  const auto require = [&](bool holds, const std::string& text) {
    if (!holds) problems += (problems.empty() ? "" : "; ") + text;
  };
  require(!server.host.empty(), ".host is empty");
  require(server.port >= 1 && server.port <= 65535, ".port is not within 1 to 65535");
  require(server.database >= 0, ".database is negative");
  require(server.username.empty() || !server.password.empty(), ".username needs .password");
  for (const std::string& text : {server.username, server.password}) {
    const absl::Status references = CheckSecretReferences(text);
    if (!references.ok()) require(false, ".username or .password has " + MessageOf(references));
  }
  return problems.empty() ? absl::OkStatus() : InvalidArgument("redis sink: {}", problems);
}

std::unique_ptr<SinkWriter<Command>> MakeWriter(const Server& server) {
  // One lane: commands must not overtake each other.
  return std::make_unique<BatchWriter<Command, Pipeline>>(std::make_unique<CommandTarget>(server),
                                                          fmt::format("redis {}:{}", server.host, server.port), 1,
                                                          server.batching, server.retrying);
}

}  // namespace detail
}  // namespace penstock::redis
