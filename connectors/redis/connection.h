// A connection to Redis by hiredis, that never blocks for longer than it takes to notice a stop. One thread.
#ifndef PENSTOCK_CONNECTORS_REDIS_CONNECTION_H_
#define PENSTOCK_CONNECTORS_REDIS_CONNECTION_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "connectors/batching/batch_delivery.h"
#include "penstock/connectors/redis.h"

struct redisContext;
struct redisReply;

namespace penstock::redis {

// An error reply (its text, as Redis gives it) that may not come again.
bool MayPass(const std::string& error);

class Connection {
 public:
  ~Connection() { Close(); }

  bool open() const { return context_ != nullptr; }
  // Connects, authenticates and selects the database. server's texts are resolved. Within kConnectMaxMs.
  TryResult Open(const detail::Server& server, const StopRequest& stop);
  // Sends all, and reads their answers. The first error counts; the connection is closed then.
  TryResult Run(const std::vector<Command>& commands, const StopRequest& stop);
  void Close();

 private:
  TryResult Connect(const detail::Server& server, const StopRequest& stop);
  // Sends what is buffered and reads until there is an answer. Null: broken, or to stop.
  redisReply* NextReply(const StopRequest& stop);
  TryResult Broken(const StopRequest& stop);

  redisContext* context_ = nullptr;
};

}  // namespace penstock::redis

#endif  // PENSTOCK_CONNECTORS_REDIS_CONNECTION_H_
