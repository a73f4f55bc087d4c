// Connections that are kept, on one thread of their own: connects, reads, connects again.
//
// Owner: the task's thread. What has come waits in a bounded buffer for each address until it is taken.
#ifndef PENSTOCK_CONNECTORS_TCP_FEEDS_H_
#define PENSTOCK_CONNECTORS_TCP_FEEDS_H_

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/core/mutex.h"
#include "runtime/task/function_context.h"

namespace penstock::tcp {

// Host and port of "host:port" or "[host]:port". Nothing: it is none.
std::optional<std::pair<std::string, std::string>> SplitAddress(const std::string& address);

struct FeedsOptions {
  std::vector<std::string> addresses;
  bool bounded = false;
  int64_t reconnect_first_ms = 0;
  int64_t reconnect_longest_ms = 0;
};

// What has come of one address since the last call.
struct Arrived {
  std::string bytes;
  bool ended = false;      // behind the bytes the connection ended, or broke
  bool over = false;       // and it will not be made again: bounded, ended in order
  bool connected = false;  // now
};

class Feeds {
 public:
  Feeds(FeedsOptions options, std::shared_ptr<Waker> waker);
  ~Feeds() { Stop(); }
  Feeds(const Feeds&) = delete;
  Feeds& operator=(const Feeds&) = delete;

  Arrived Take(size_t address) ABSL_LOCKS_EXCLUDED(mutex_);
  // What keeps an address from being connected, for people; empty: nothing.
  std::string Trouble() ABSL_LOCKS_EXCLUDED(mutex_);
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  enum class State { kWaiting, kConnecting, kOpen, kOver };
  struct Feed {
    State state = State::kWaiting;  // the thread's, as are the next four
    int fd = -1;
    int64_t due_ms = 0;  // to connect
    int64_t backoff_ms = 0;
    bool got_any = false;  // on this connection
    Arrived arrived;       // the rest: guarded by mutex_
    std::string trouble;
  };

  void Run();
  void Step(size_t number, short events, int64_t now_ms);
  void Connect(Feed& feed, const std::string& address, int64_t now_ms);
  void OnConnected(Feed& feed, const std::string& address, int64_t now_ms);
  void Read(Feed& feed, const std::string& address, int64_t now_ms);
  // in_order: by the peer, between whole bytes.
  void End(Feed& feed, bool in_order, const std::string& trouble, int64_t now_ms);

  const FeedsOptions options_;
  const std::shared_ptr<Waker> waker_;
  const int wake_fd_;  // an eventfd: room was made, or it is to stop
  Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Feed> feeds_;
  std::thread thread_;  // last: it uses the rest
};

}  // namespace penstock::tcp

#endif  // PENSTOCK_CONNECTORS_TCP_FEEDS_H_
