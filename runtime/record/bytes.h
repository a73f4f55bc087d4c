// Bytes: a view of bytes that somebody else owns, as a source emits them.
//
// Lifetime: valid until the call that received it returns. Keep a std::string to keep the data; state and keys refuse
// Bytes at compile time for that reason.
#ifndef PENSTOCK_RUNTIME_RECORD_BYTES_H_
#define PENSTOCK_RUNTIME_RECORD_BYTES_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace penstock {

class Bytes {
 public:
  constexpr Bytes() = default;
  constexpr Bytes(const char* data, size_t size) : view_(data, size) {}
  constexpr Bytes(std::string_view view) : view_(view) {}
  constexpr Bytes(const char* text) : view_(text) {}
  Bytes(const std::string& text) : view_(text) {}

  constexpr const char* data() const { return view_.data(); }
  constexpr size_t size() const { return view_.size(); }
  constexpr bool empty() const { return view_.empty(); }
  constexpr std::string_view view() const { return view_; }
  std::string str() const { return std::string(view_); }
  constexpr bool operator==(const Bytes& other) const { return view_ == other.view_; }

 private:
  std::string_view view_;
};

// True when needle occurs in haystack; memmem underneath.
bool contains(const Bytes& haystack, std::string_view needle);

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_RECORD_BYTES_H_
