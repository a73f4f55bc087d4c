// A worker's data-plane port, and the streams that it opens to its peers: of a pair, the worker with the lower index
// opens the stream. gRPC stays in the .cc.
//
// Thread-safe. Owner: the task executor, which outlives every link it hands in. Streams of other attempts, jobs or
// versions are refused with the reason.
#ifndef PENSTOCK_RUNTIME_EXCHANGE_EXCHANGE_ENDPOINT_H_
#define PENSTOCK_RUNTIME_EXCHANGE_EXCHANGE_ENDPOINT_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "runtime/core/ids.h"

namespace penstock {

class PeerLink;

// How long a worker waits for a peer that has not opened or offered its end of a stream.
inline constexpr int64_t kPeerConnectTimeoutMs = 30'000;

class ExchangeEndpoint {
 public:
  // Listens on host:0. Unavailable when the host cannot be bound.
  static absl::StatusOr<std::unique_ptr<ExchangeEndpoint>> Listen(const std::string& host, JobId job,
                                                                  AttemptId attempt);
  virtual ~ExchangeEndpoint() = default;

  virtual const std::string& address() const = 0;
  // Starts serving the link; own < peer dials, else the peer's stream is awaited. `link` must live until Shutdown.
  virtual void Serve(PeerLink& link, uint32_t own_index, uint32_t peer_index, const std::string& peer_address) = 0;
  // Stops all links and waits for their threads. Idempotent.
  virtual void Shutdown() = 0;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_EXCHANGE_EXCHANGE_ENDPOINT_H_
