#include "penstock/formats/framing.h"

#include <cstdint>

#include "runtime/core/status.h"

namespace penstock::framing {
namespace {

constexpr size_t kPrefixBytes = 4;

// Where the first line ends, npos when it does not.
size_t LineEnd(std::string_view buffer) { return buffer.find('\n'); }

size_t CsvEnd(std::string_view buffer, char quote) {
  bool quoted = false;
  for (size_t at = 0; at < buffer.size(); ++at) {
    if (buffer[at] == quote) quoted = !quoted;  // a doubled one toggles twice
    if (buffer[at] == '\n' && !quoted) return at;
  }
  return std::string_view::npos;
}

absl::Status TooLong(size_t bytes, const Limits& limits) {
  return OutOfRange("a record of {} bytes or more; at most {}", bytes, limits.frame_bytes_max);
}

absl::StatusOr<std::optional<Frame>> FirstLine(size_t end, std::string_view buffer, bool at_end, const Limits& limits) {
  if (end == std::string_view::npos) {
    if (buffer.size() > limits.frame_bytes_max) return TooLong(buffer.size(), limits);
    if (!at_end || buffer.empty()) return std::nullopt;
    end = buffer.size();
  }
  Frame frame{buffer.substr(0, end), end == buffer.size() ? end : end + 1};
  if (frame.payload.ends_with('\r')) frame.payload.remove_suffix(1);
  if (frame.payload.size() > limits.frame_bytes_max) return TooLong(frame.payload.size(), limits);
  return frame;
}

absl::StatusOr<std::optional<Frame>> FirstPrefixed(std::string_view buffer, bool at_end, const Limits& limits) {
  if (buffer.empty()) return std::nullopt;
  size_t size = 0;
  for (size_t i = 0; i < kPrefixBytes && i < buffer.size(); ++i) size = size << 8 | static_cast<uint8_t>(buffer[i]);
  const bool whole_prefix = buffer.size() >= kPrefixBytes;
  if (whole_prefix && size > limits.frame_bytes_max) return TooLong(size, limits);
  if (whole_prefix && buffer.size() - kPrefixBytes >= size) {
    return Frame{buffer.substr(kPrefixBytes, size), kPrefixBytes + size};
  }
  if (!at_end) return std::nullopt;
  return DataLoss("the last record is cut off: {} bytes are left of {}", buffer.size(),
                  whole_prefix ? std::to_string(kPrefixBytes + size) : "a length");
}

}  // namespace

absl::StatusOr<std::optional<Frame>> FirstFrame(Framing framing, std::string_view buffer, bool at_end,
                                                const Limits& limits) {
  switch (framing) {
    case Framing::kLines:
      return FirstLine(LineEnd(buffer), buffer, at_end, limits);
    case Framing::kCsv:
      return FirstLine(CsvEnd(buffer, limits.quote), buffer, at_end, limits);
    case Framing::kLengthPrefixed:
      return FirstPrefixed(buffer, at_end, limits);
  }
  return Internal("no such framing");
}

absl::Status AppendFrame(Framing framing, std::string_view payload, std::string& out, const Limits& limits) {
  if (payload.size() > limits.frame_bytes_max) return TooLong(payload.size(), limits);
  if (framing == Framing::kLengthPrefixed) {
    for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(payload.size() >> shift);
    out += payload;
    return absl::OkStatus();
  }
  const size_t end = framing == Framing::kCsv ? CsvEnd(payload, limits.quote) : LineEnd(payload);
  if (end != std::string_view::npos) {
    return InvalidArgument("the record has a line break{} (byte {})",
                           framing == Framing::kCsv ? " outside of quotes" : "", end);
  }
  out += payload;
  out += '\n';
  return absl::OkStatus();
}

}  // namespace penstock::framing
