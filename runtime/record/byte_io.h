// ByteWriter and ByteReader: how a Serde puts bytes and takes them back. Integers are little-endian and fixed-width,
// lengths are varints of 7 bits a byte, low bits first.
#ifndef PENSTOCK_RUNTIME_RECORD_BYTE_IO_H_
#define PENSTOCK_RUNTIME_RECORD_BYTE_IO_H_

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>

namespace penstock {

// Appends to memory of its own, which it keeps over Clear(), so a writer in steady state does not allocate.
// One thread.
class ByteWriter {
 public:
  void Clear() { size_ = 0; }
  void Put(const void* data, size_t size) {
    if (size == 0) return;  // data may be null then
    Reserve(size);
    std::memcpy(data_.get() + size_, data, size);
    size_ += size;
  }
  void PutByte(uint8_t byte) {
    Reserve(1);
    data_[size_++] = static_cast<char>(byte);
  }
  template <class T>
  void PutFixed(T value) {
    static_assert(std::is_trivially_copyable_v<T>);
    Put(&value, sizeof(T));
  }
  void PutVarint(uint64_t value) {
    while (value >= 0x80) {
      PutByte(static_cast<uint8_t>(value) | 0x80);
      value >>= 7;
    }
    PutByte(static_cast<uint8_t>(value));
  }

  const char* data() const { return data_.get(); }
  size_t size() const { return size_; }
  std::string_view view() const { return {data_.get(), size_}; }

 private:
  void Reserve(size_t more) {
    if (capacity_ - size_ >= more) return;
    const size_t capacity = std::max<size_t>({64, capacity_ * 2, size_ + more});
    auto grown = std::make_unique_for_overwrite<char[]>(capacity);
    if (size_ > 0) std::memcpy(grown.get(), data_.get(), size_);
    data_ = std::move(grown);
    capacity_ = capacity;
  }

  std::unique_ptr<char[]> data_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

// Reads from memory it does not own. Every getter returns false, and changes nothing it was given, when the bytes end
// too early.
class ByteReader {
 public:
  ByteReader(const char* data, size_t size) : pos_(data), end_(data + size) {}
  explicit ByteReader(std::string_view view) : ByteReader(view.data(), view.size()) {}

  size_t remaining() const { return static_cast<size_t>(end_ - pos_); }
  template <class T>
  bool GetFixed(T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    if (remaining() < sizeof(T)) return false;
    std::memcpy(&value, pos_, sizeof(T));
    pos_ += sizeof(T);
    return true;
  }
  bool GetVarint(uint64_t& value) {
    uint64_t result = 0;
    const char* pos = pos_;
    for (int shift = 0; shift < 64 && pos < end_; shift += 7) {
      const uint8_t byte = static_cast<uint8_t>(*pos++);
      result |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if (byte < 0x80) {
        value = result;
        pos_ = pos;
        return true;
      }
    }
    return false;
  }
  // A view into the bytes read from.
  bool GetView(size_t size, std::string_view& view) {
    if (remaining() < size) return false;
    view = {pos_, size};
    pos_ += size;
    return true;
  }

 private:
  const char* pos_;
  const char* end_;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_RECORD_BYTE_IO_H_
