// Stream elements as bytes in exchange buffers.
//
//   buffer  := frame*
//   frame   := header payload
//   header  := u32 little-endian: bit 31 = more parts follow, bits 28..30 = kind, bits 0..27 = payload bytes
//   payload := record: i64 timestamp_ms, Serde bytes | bare record: Serde bytes | watermark: i64 ms
//            | status: u8 (1 = idle) | end: u8 (1 = drain, 0 = suspend) | barrier: checkpoint/barrier.h
//
// A frame never crosses a buffer, so a record is read in place. A record longer than the rest of an empty buffer
// travels in parts: frames of the same kind with bit 31 set, but for the last (protocols.md E3). Example, a bare record
// of the bytes "ab" : 02 00 00 50 61 62.
#ifndef PENSTOCK_RUNTIME_RECORD_FRAME_H_
#define PENSTOCK_RUNTIME_RECORD_FRAME_H_

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace penstock {

enum class FrameKind : uint8_t { kRecord = 0, kWatermark = 1, kStatus = 2, kEnd = 3, kBarrier = 4, kBareRecord = 5 };
inline constexpr uint8_t kFrameKindLast = 5;

inline constexpr uint32_t kFrameHeaderBytes = 4;
inline constexpr uint32_t kFramePayloadMax = (1u << 28) - 1;
inline constexpr uint32_t kFrameMoreBit = 1u << 31;

inline uint32_t EncodeFrameHeader(FrameKind kind, uint32_t payload_bytes, bool more) {
  return (more ? kFrameMoreBit : 0) | static_cast<uint32_t>(kind) << 28 | payload_bytes;
}

struct Frame {
  FrameKind kind = FrameKind::kBareRecord;
  bool more = false;
  std::string_view payload;
};

enum class FrameResult { kFrame, kEndOfBuffer, kCorrupt };

// Walks the frames of one buffer. The payload points into the buffer.
class FrameReader {
 public:
  FrameReader() = default;
  FrameReader(const char* data, size_t size) : pos_(data), end_(data + size) {}

  FrameResult Next(Frame& frame) {
    if (pos_ == end_) return FrameResult::kEndOfBuffer;
    if (static_cast<size_t>(end_ - pos_) < kFrameHeaderBytes) return FrameResult::kCorrupt;
    uint32_t header;
    std::memcpy(&header, pos_, sizeof header);
    const uint32_t size = header & kFramePayloadMax;
    const uint8_t kind = header >> 28 & 7;
    if (kind > kFrameKindLast || static_cast<size_t>(end_ - pos_) - kFrameHeaderBytes < size)
      return FrameResult::kCorrupt;
    frame = {static_cast<FrameKind>(kind), (header & kFrameMoreBit) != 0, {pos_ + kFrameHeaderBytes, size}};
    pos_ += kFrameHeaderBytes + size;
    return FrameResult::kFrame;
  }

 private:
  const char* pos_ = nullptr;
  const char* end_ = nullptr;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_RECORD_FRAME_H_
