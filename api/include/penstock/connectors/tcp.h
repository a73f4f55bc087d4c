// TCP connections as a source: records as they come from whoever listens at an address.
//   env.source("lines", tcp::Source{.addresses = {"sensor-1:7000", "sensor-2:7000"}})
#ifndef PENSTOCK_CONNECTORS_TCP_H_
#define PENSTOCK_CONNECTORS_TCP_H_

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "penstock/formats/framing.h"
#include "runtime/record/bytes.h"
#include "runtime/task/source.h"

namespace penstock::tcp {

// Connects to each address and reads records. An address is a split; address i is read by subtask i % parallelism. For
// first steps and for feeds that cannot do better: a connection has no memory, so what was read and not yet in a
// completed checkpoint is lost with a failure (at most once), and what is sent while nobody is connected is the
// sender's matter. The plan says at_most_once, and a job with an exactly-once sink behind it is refused.
//
// A connection that ends or breaks is made again, with waits that grow twofold from reconnect_first to
// reconnect_longest; the job's status shows it. A record that was cut off is dropped and counted as recordsCutOff.
// bounded: an address is at its end when its peer ends the connection in order; then a last line without its end
// counts. Each connection holds at most kBufferedBytesMax and one record in memory; then the sender has to wait.
struct Source {
  using Output = Bytes;

  std::vector<std::string> addresses;  // "host:port"; of IPv6 "[::1]:port"
  framing::Framing framing = framing::Framing::kLines;
  size_t record_bytes_max = 1 << 20;  // a longer record is an error that names the address
  bool bounded = false;
  std::chrono::milliseconds reconnect_first{100};
  std::chrono::milliseconds reconnect_longest{10'000};

  absl::Status Validate() const;
  std::string Describe() const;
  bool Replayable() const { return false; }
  std::unique_ptr<SourceReader<Bytes>> CreateReader() const;
};

inline constexpr size_t kBufferedBytesMax = 1 << 20;
inline constexpr size_t kAddressesMax = 1'000;

}  // namespace penstock::tcp

#endif  // PENSTOCK_CONNECTORS_TCP_H_
