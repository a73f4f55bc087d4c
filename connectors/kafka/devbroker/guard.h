// Knows how full the partitions of a mock cluster are, by reading them along.
//
// Sizes are estimated from above: keys, values and headers uncompressed, plus what a batch of one record costs. One
// thread owns it.
#ifndef PENSTOCK_CONNECTORS_KAFKA_DEVBROKER_GUARD_H_
#define PENSTOCK_CONNECTORS_KAFKA_DEVBROKER_GUARD_H_

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "connectors/kafka/standalone_context.h"
#include "penstock/connectors/kafka.h"

namespace penstock::kafka {

inline constexpr int64_t kMockPartitionBytes = 5 << 20;  // what the mock keeps
// Writes are refused from here on: the rest is for requests that are under way when the guard notices.
inline constexpr int64_t kRefusePartitionBytes = kMockPartitionBytes * 7 / 10;
inline constexpr int64_t kRecordOverheadBytes = 71;

class Guard final : private SourceOutput<Record> {
 public:
  explicit Guard(std::string brokers);
  ~Guard() override;

  absl::Status Open();
  // Reads what is new; sleeps up to 100 ms when there is nothing. DataLoss when the mock has dropped records.
  absl::Status Step();

  int64_t fullest_bytes() const { return fullest_bytes_; }
  const std::string& fullest() const { return fullest_; }  // topic-partition

 private:
  void Emit(SplitIndex split, const Record& record, TimestampMs timestamp) override;
  SplitIndex AddSplit(std::string name) override;
  void SetDiscovering(bool) override {}
  void SetCaughtUp(SplitIndex) override {}
  void FinishSplit(SplitIndex) override {}
  void SetPosition(SplitIndex, int64_t, int64_t) override {}

  absl::Status CheckFirstOffset();

  struct Size {
    std::string name;
    int64_t bytes = 0;
    int64_t next = 0;
  };
  StandaloneContext context_{"penstock-devbroker"};
  const std::string brokers_;
  const std::unique_ptr<SourceReader<Record>> reader_;
  std::vector<Size> sizes_;
  std::string lost_;
  std::string fullest_;
  int64_t fullest_bytes_ = 0;
  int64_t checked_bytes_ = 0;  // fullest_bytes_ when the first offset was last looked at
};

}  // namespace penstock::kafka

#endif  // PENSTOCK_CONNECTORS_KAFKA_DEVBROKER_GUARD_H_
