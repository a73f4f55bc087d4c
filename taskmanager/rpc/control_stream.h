// A connection from a host or a worker to the JobManager, whatever carries it.
//
// Thread-safe. Send returns at once; false when the connection is over or its queue is full (kSendQueueMax). The
// listener hears messages one by one, then OnClosed exactly once, on threads of the transport. Destroying the stream
// ends the connection and waits until the listener will not be called again; so never destroy it inside the listener.
#ifndef PENSTOCK_TASKMANAGER_RPC_CONTROL_STREAM_H_
#define PENSTOCK_TASKMANAGER_RPC_CONTROL_STREAM_H_

#include <cstddef>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "proto/control.pb.h"

namespace penstock::taskmanager {

inline constexpr size_t kSendQueueMax = 1 << 16;

template <class Out>
class ControlStream {
 public:
  virtual ~ControlStream() = default;
  virtual bool Send(const Out& message) = 0;
  // Says good-bye: what was sent before still arrives.
  virtual void Close() = 0;
};

template <class In>
class StreamListener {
 public:
  virtual ~StreamListener() = default;
  virtual void OnMessage(In message) = 0;
  virtual void OnClosed(const absl::Status& why) = 0;
};

using HostStream = ControlStream<proto::HostToJobManager>;
using HostListener = StreamListener<proto::JobManagerToHost>;
using WorkerStream = ControlStream<proto::WorkerToJobManager>;
using WorkerListener = StreamListener<proto::JobManagerToWorker>;

// Opens connections. Never fails by itself: a connection that cannot be made is reported by OnClosed.
class ControlTransport {
 public:
  virtual ~ControlTransport() = default;
  virtual std::unique_ptr<HostStream> ConnectHost(HostListener& listener) = 0;
  virtual std::unique_ptr<WorkerStream> ConnectWorker(WorkerListener& listener) = 0;
  // The next connection goes to this address (host:port), because the leader is said to be there.
  virtual void Prefer(const std::string& /*address*/) {}
};

}  // namespace penstock::taskmanager

#endif  // PENSTOCK_TASKMANAGER_RPC_CONTROL_STREAM_H_
