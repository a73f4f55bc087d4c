#include "connectors/redis/connection.h"

#include <hiredis/hiredis.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstring>
#include <memory>

#include "runtime/core/clock.h"
#include "runtime/core/status.h"

namespace penstock::redis {
namespace {

constexpr int64_t kConnectMaxMs = 10'000;
constexpr int64_t kAnswerMaxMs = 60'000;  // without any progress
constexpr int kPollMs = 50;

struct FreeReply {
  void operator()(redisReply* reply) const { freeReplyObject(reply); }
};
using Reply = std::unique_ptr<redisReply, FreeReply>;

bool WaitFor(int fd, short events) {
  pollfd waiting{.fd = fd, .events = events, .revents = 0};
  return poll(&waiting, 1, kPollMs) > 0;
}

void Append(redisContext* context, const Command& command) {
  std::vector<const char*> arguments;
  std::vector<size_t> sizes;
  for (const std::string& argument : command) {
    arguments.push_back(argument.data());
    sizes.push_back(argument.size());
  }
  redisAppendCommandArgv(context, static_cast<int>(command.size()), arguments.data(), sizes.data());
}

TryResult ErrorReply(const redisReply& reply, const std::string& what) {
  const std::string text(reply.str, reply.len);
  if (MayPass(text)) return {.status = Unavailable("{}: {}", what, text), .retry = true};
  return {.status = InvalidArgument("{}: {}", what, text)};
}

}  // namespace

bool MayPass(const std::string& error) {
  for (const char* const code : {"LOADING", "BUSY ", "TRYAGAIN", "CLUSTERDOWN", "MASTERDOWN", "READONLY", "OOM",
                                 "NOREPLICAS", "MISCONF", "UNBLOCKED", "ERR max number of clients"}) {
    if (error.starts_with(code)) return true;
  }
  return false;
}

void Connection::Close() {
  if (context_ != nullptr) redisFree(context_);
  context_ = nullptr;
}

TryResult Connection::Broken(const StopRequest& stop) {
  const std::string text = context_->errstr[0] != '\0' ? context_->errstr : "no answer";
  Close();
  if (stop.requested()) return {.status = Cancelled("the task is to stop")};
  return {.status = Unavailable("{}", text), .retry = true};
}

TryResult Connection::Open(const detail::Server& server, const StopRequest& stop) {
  TryResult connected = Connect(server, stop);
  if (!connected.status.ok()) return connected;
  std::vector<Command> greeting;
  if (!server.password.empty()) {
    greeting.push_back(server.username.empty() ? Command{"AUTH", server.password}
                                               : Command{"AUTH", server.username, server.password});
  }
  if (server.database != 0) greeting.push_back({"SELECT", std::to_string(server.database)});
  return greeting.empty() ? TryResult{} : Run(greeting, stop);
}

TryResult Connection::Connect(const detail::Server& server, const StopRequest& stop) {
  context_ = redisConnectNonBlock(server.host.c_str(), server.port);
  if (context_ == nullptr) return {.status = ResourceExhausted("hiredis has no memory for a connection")};
  if (context_->err != 0) return Broken(stop);
  redisEnableKeepAlive(context_);
  const int64_t deadline = Clock::System().MonotonicMs() + kConnectMaxMs;
  while (!WaitFor(context_->fd, POLLOUT)) {
    if (stop.requested()) return Broken(stop);
    if (Clock::System().MonotonicMs() <= deadline) continue;
    Close();
    return {.status = Unavailable("no connection within {} s", kConnectMaxMs / 1000), .retry = true};
  }
  int error = 0;
  socklen_t size = sizeof(error);
  getsockopt(context_->fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error == 0) return {};
  Close();
  return {.status = Unavailable("connecting failed: {}", strerror(error)), .retry = true};
}

redisReply* Connection::NextReply(const StopRequest& stop) {
  int64_t deadline = Clock::System().MonotonicMs() + kAnswerMaxMs;
  for (int sent = 0;;) {
    void* reply = nullptr;
    if (redisGetReplyFromReader(context_, &reply) != REDIS_OK) return nullptr;
    if (reply != nullptr) return static_cast<redisReply*>(reply);
    if (sent == 0 && redisBufferWrite(context_, &sent) != REDIS_OK) return nullptr;
    if (stop.requested() || Clock::System().MonotonicMs() > deadline) return nullptr;
    if (!WaitFor(context_->fd, static_cast<short>(sent != 0 ? POLLIN : POLLIN | POLLOUT))) continue;
    if (redisBufferRead(context_) != REDIS_OK) return nullptr;
    deadline = Clock::System().MonotonicMs() + kAnswerMaxMs;
  }
}

TryResult Connection::Run(const std::vector<Command>& commands, const StopRequest& stop) {
  for (const Command& command : commands) Append(context_, command);
  TryResult outcome;
  for (const Command& command : commands) {
    const Reply reply(NextReply(stop));
    if (reply == nullptr) return Broken(stop);
    if (reply->type == REDIS_REPLY_ERROR && outcome.status.ok()) outcome = ErrorReply(*reply, command[0]);
  }
  if (!outcome.status.ok()) Close();
  return outcome;
}

}  // namespace penstock::redis
