// Avro's binary encoding of single values: zigzag varints, little-endian floats, strings with their length.
#ifndef PENSTOCK_CONNECTORS_FORMATS_AVRO_WIRE_H_
#define PENSTOCK_CONNECTORS_FORMATS_AVRO_WIRE_H_

#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>

namespace penstock::avro {

// Every getter returns false, and leaves the position, when the bytes are no such value.
class Input {
 public:
  explicit Input(std::string_view bytes) : begin_(bytes.data()), at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  size_t position() const { return static_cast<size_t>(at_ - begin_); }
  size_t remaining() const { return static_cast<size_t>(end_ - at_); }

  bool GetLong(int64_t& value) {
    uint64_t bits = 0;
    const char* at = at_;
    for (int shift = 0; shift < 64 && at < end_; shift += 7) {
      const auto byte = static_cast<uint8_t>(*at++);
      if (shift == 63 && byte > 1) return false;
      bits |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) {
        value = static_cast<int64_t>(bits >> 1) ^ -static_cast<int64_t>(bits & 1);
        at_ = at;
        return true;
      }
    }
    return false;
  }
  bool GetInt(int32_t& value) {
    const char* const before = at_;
    int64_t wide = 0;
    if (!GetLong(wide)) return false;
    if (wide < std::numeric_limits<int32_t>::min() || wide > std::numeric_limits<int32_t>::max()) {
      at_ = before;
      return false;
    }
    value = static_cast<int32_t>(wide);
    return true;
  }
  bool GetBoolean(bool& value) {
    if (at_ == end_ || static_cast<uint8_t>(*at_) > 1) return false;
    value = *at_++ == 1;
    return true;
  }
  template <class T>
  bool GetFloating(T& value) {
    if (remaining() < sizeof(T)) return false;
    std::memcpy(&value, at_, sizeof(T));
    at_ += sizeof(T);
    return true;
  }
  bool GetView(size_t size, std::string_view& view) {
    if (remaining() < size) return false;
    view = {at_, size};
    at_ += size;
    return true;
  }
  bool GetBytes(std::string_view& view) {
    const char* const before = at_;
    int64_t size = 0;
    if (GetLong(size) && size >= 0 && GetView(static_cast<size_t>(size), view)) return true;
    at_ = before;
    return false;
  }

 private:
  const char* begin_;
  const char* at_;
  const char* end_;
};

inline void PutLong(int64_t value, std::string& out) {
  uint64_t bits = (static_cast<uint64_t>(value) << 1) ^ static_cast<uint64_t>(value >> 63);
  while (bits >= 0x80) {
    out += static_cast<char>(bits | 0x80);
    bits >>= 7;
  }
  out += static_cast<char>(bits);
}
template <class T>
void PutFloating(T value, std::string& out) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out.append(bytes, sizeof(T));
}
inline void PutBytes(std::string_view bytes, std::string& out) {
  PutLong(static_cast<int64_t>(bytes.size()), out);
  out += bytes;
}

}  // namespace penstock::avro

#endif  // PENSTOCK_CONNECTORS_FORMATS_AVRO_WIRE_H_
