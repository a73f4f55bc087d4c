// A TaskManager host whose workers are threads of this process.
//
// Owner: its actor's thread; Stop() may come from any thread, is idempotent, ends all workers and waits for them.
#ifndef PENSTOCK_TASKMANAGER_PROGRAM_IN_PROCESS_HOST_H_
#define PENSTOCK_TASKMANAGER_PROGRAM_IN_PROCESS_HOST_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "runtime/core/actor.h"
#include "taskmanager/rpc/control_stream.h"
#include "taskmanager/worker/worker_control.h"

namespace penstock::taskmanager {

struct InProcessHostOptions {
  std::string taskmanager_id;
  int32_t slots = 1;
  int64_t memory_limit_bytes = 0;
  int64_t heartbeat_interval_ms = 1'000;
  int64_t cancellation_timeout_ms = 10'000;
};

class InProcessHost final : private HostListener {
 public:
  // transport and clock outlive this.
  InProcessHost(InProcessHostOptions options, worker::ExecutorFactory factory, ControlTransport& transport,
                const Clock& clock);
  ~InProcessHost() override { Stop(); }
  void Stop();
  // For tests: heartbeats cease, the connection stays.
  void Mute();

 private:
  using Key = std::pair<std::string, uint32_t>;  // job id, attempt
  struct Running {
    std::unique_ptr<worker::WorkerControl> control;
    std::thread thread;
  };
  void OnMessage(proto::JobManagerToHost message) override;
  void OnClosed(const absl::Status& why) override;
  void StartWorker(const proto::StartWorker& start);
  void WorkerEnded(const Key& key, int exit_code);
  void Heartbeat();

  // Constant after construction.
  const InProcessHostOptions options_;
  const worker::ExecutorFactory factory_;
  ControlTransport& transport_;
  const Clock& clock_;

  // The actor's thread only (Stop() after it has ended).
  std::map<Key, Running> running_;
  std::unique_ptr<HostStream> stream_;
  bool muted_ = false;

  Actor actor_;
};

}  // namespace penstock::taskmanager

#endif  // PENSTOCK_TASKMANAGER_PROGRAM_IN_PROCESS_HOST_H_
