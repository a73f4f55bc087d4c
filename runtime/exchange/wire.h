// What travels on the stream between two workers (version 2).
//
//   stream  := hello message*                        each a gRPC message of raw bytes, no protobuf
//   hello   := "PNSX" u16 version, 16 bytes job id, u32 attempt, u32 sender index, u32 receiver index
//   message := item+
//   item    := u8 1, u32 channel, u32 sequence, u32 backlog, u32 size, bytes       a buffer
//            | u8 2, u32 channel, u32 credits                                       credits
//            | u8 3, u32 channel, u32 buffer bytes, u32 buffers                     a limit for what is sent
//
// Integers are little-endian. Channels are numbered alike by all workers of an attempt (task/deployment.h). Sequences
// count the buffers of a channel from 0: a gap or a repetition fails the attempt (protocols.md E3).
#ifndef PENSTOCK_RUNTIME_EXCHANGE_WIRE_H_
#define PENSTOCK_RUNTIME_EXCHANGE_WIRE_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/core/ids.h"
#include "runtime/exchange/channel_limit.h"

namespace penstock::wire {

inline constexpr uint16_t kExchangeVersion = 2;
inline constexpr size_t kMessageBytesTarget = 512 * 1024;  // several buffers per message: gRPC's cost is per message

struct Hello {
  uint16_t version = kExchangeVersion;
  JobId job;
  AttemptId attempt;
  uint32_t from = 0;
  uint32_t to = 0;
};
std::string EncodeHello(const Hello& hello);
// InvalidArgument for bytes that are no hello; FailedPrecondition, naming both, for another version.
absl::StatusOr<Hello> DecodeHello(std::string_view bytes);

enum class ItemType : uint8_t { kBuffer = 1, kCredits = 2, kLimit = 3 };
inline constexpr size_t kBufferHeaderBytes = 17;
inline constexpr size_t kCreditItemBytes = 9;
inline constexpr size_t kLimitItemBytes = 13;

struct BufferHeader {
  uint32_t channel = 0;
  uint32_t sequence = 0;
  uint32_t backlog = 0;
  uint32_t size = 0;
};
void AppendBufferHeader(const BufferHeader& header, std::string& out);
void AppendCredits(uint32_t channel, uint32_t credits, std::string& out);
// What concerns the sender: how full a buffer gets, and how many it may hold.
void AppendLimit(uint32_t channel, const ChannelLimit& limit, std::string& out);

// Reads across the pieces a message came in.
class Cursor {
 public:
  explicit Cursor(std::vector<std::string_view> pieces) : pieces_(std::move(pieces)) {
    for (const std::string_view piece : pieces_) remaining_ += piece.size();
  }
  size_t remaining() const { return remaining_; }
  bool Copy(void* to, size_t size);
  template <class T>
  bool Get(T& value) {
    return Copy(&value, sizeof value);
  }

 private:
  std::vector<std::string_view> pieces_;
  size_t index_ = 0;
  size_t offset_ = 0;
  size_t remaining_ = 0;
};

}  // namespace penstock::wire

#endif  // PENSTOCK_RUNTIME_EXCHANGE_WIRE_H_
