// How records lie behind each other in a file or on a connection. Pure: bytes in, frames out; for sources and sinks.
//
// Lines end with \n, or \r\n when read. CSV records are lines whose line breaks inside of quotes do not end them.
// A length-prefixed frame is the payload's size, 4 bytes big-endian, and the payload.
#ifndef PENSTOCK_FORMATS_FRAMING_H_
#define PENSTOCK_FORMATS_FRAMING_H_

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace penstock::framing {

enum class Framing { kLines, kCsv, kLengthPrefixed };

struct Frame {
  std::string_view payload;  // a view of the buffer
  size_t size_bytes = 0;     // to go on behind it
};

struct Limits {
  size_t frame_bytes_max = 16 << 20;
  char quote = '"';  // of CSV
};

// The frame that the buffer begins with. nullopt: more bytes are needed, or, at the end, there is none. A last line
// without its end counts. OutOfRange: longer than the limit. DataLoss: at the end of input, a part of a frame.
absl::StatusOr<std::optional<Frame>> FirstFrame(Framing framing, std::string_view buffer, bool at_end,
                                                const Limits& limits = {});

// InvalidArgument: the framing cannot hold the payload (a line break in a line, one outside of quotes in CSV).
absl::Status AppendFrame(Framing framing, std::string_view payload, std::string& out, const Limits& limits = {});

}  // namespace penstock::framing

#endif  // PENSTOCK_FORMATS_FRAMING_H_
