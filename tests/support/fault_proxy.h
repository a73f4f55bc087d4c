// A TCP proxy on loopback whose connections go wrong as ordered: the first connection takes the first fault, and so on;
// when none is left connections pass.
//
// Thread-safe. Two threads per connection; the destructor ends them all.
#ifndef PENSTOCK_TESTS_SUPPORT_FAULT_PROXY_H_
#define PENSTOCK_TESTS_SUPPORT_FAULT_PROXY_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <thread>
#include <vector>

#include "runtime/core/mutex.h"

namespace penstock::testing {

struct ConnectionFault {
  enum class Kind {
    kPass,
    kRefuse,      // closed as soon as it is open
    kCutRequest,  // after `bytes` to the server
    kCutAnswer,   // after `bytes` from the server
    kStall,       // nothing moves any more after `bytes` from the client
    kAnswer503,   // by the proxy itself
  };
  Kind kind = Kind::kPass;
  int64_t bytes = 0;
};

class FaultProxy {
 public:
  explicit FaultProxy(int target_port);
  ~FaultProxy();
  FaultProxy(const FaultProxy&) = delete;
  FaultProxy& operator=(const FaultProxy&) = delete;

  int port() const { return port_; }
  void Order(ConnectionFault fault, int times = 1);
  size_t faults_left();
  int connections() const { return connections_; }

 private:
  void Accept();
  void Serve(int client, ConnectionFault fault);
  void Pump(int from, int to, int64_t bytes_max, bool stall);
  void Track(int fd);

  const int target_port_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<int> connections_{0};
  std::atomic<bool> ending_{false};
  Mutex mutex_;
  std::deque<ConnectionFault> faults_ ABSL_GUARDED_BY(mutex_);
  std::vector<int> sockets_ ABSL_GUARDED_BY(mutex_);  // closed at the end only, so that no number is used twice
  std::vector<std::thread> threads_;                  // of the accepting thread, until it has ended
  std::thread acceptor_;
};

}  // namespace penstock::testing

#endif  // PENSTOCK_TESTS_SUPPORT_FAULT_PROXY_H_
