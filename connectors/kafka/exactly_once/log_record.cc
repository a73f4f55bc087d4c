#include "connectors/kafka/exactly_once/log_record.h"

#include <cstdint>
#include <cstring>

namespace penstock::kafka {
namespace {

constexpr uint8_t kHasTimestamp = 1;
constexpr uint8_t kHasPartition = 2;
constexpr uint8_t kHasKey = 4;
constexpr uint8_t kHasValue = 8;
constexpr uint8_t kHasHeaders = 16;

template <class T>
void Put(T value, std::string& out) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  out.append(bytes, sizeof(T));
}

void PutBytes(std::string_view bytes, std::string& out) {
  Put(static_cast<uint32_t>(bytes.size()), out);
  out.append(bytes);
}

template <class T>
bool Take(std::string_view& in, T& value) {
  if (in.size() < sizeof(T)) return false;
  std::memcpy(&value, in.data(), sizeof(T));
  in.remove_prefix(sizeof(T));
  return true;
}

bool TakeBytes(std::string_view& in, std::string_view& bytes) {
  uint32_t size = 0;
  if (!Take(in, size) || in.size() < size) return false;
  bytes = in.substr(0, size);
  in.remove_prefix(size);
  return true;
}

bool TakeHeaders(std::string_view& in, HeaderList& headers) {
  uint16_t count = 0;
  if (!Take(in, count)) return false;
  for (int i = 0; i < count; ++i) {
    std::string_view name;
    std::string_view value;
    if (!TakeBytes(in, name) || !TakeBytes(in, value)) return false;
    headers.emplace_back(name, value);
  }
  return true;
}

}  // namespace

void EncodeLogRecord(const Outgoing& record, std::string& out) {
  const bool has_headers = record.headers != nullptr && !record.headers->empty();
  out.clear();
  out += static_cast<char>((record.timestamp != kNoTimestamp ? kHasTimestamp : 0) |
                           (record.partition >= 0 ? kHasPartition : 0) | (record.key ? kHasKey : 0) |
                           (record.value ? kHasValue : 0) | (has_headers ? kHasHeaders : 0));
  if (record.timestamp != kNoTimestamp) Put(record.timestamp, out);
  if (record.partition >= 0) Put(record.partition, out);
  if (record.key) PutBytes(*record.key, out);
  if (record.value) PutBytes(*record.value, out);
  if (!has_headers) return;
  Put(static_cast<uint16_t>(record.headers->size()), out);
  for (const auto& [name, value] : *record.headers) {
    PutBytes(name, out);
    PutBytes(value, out);
  }
}

bool DecodeLogRecord(std::string_view bytes, LogRecord& record) {
  record.record = {};
  record.headers.clear();
  uint8_t flags = 0;
  std::string_view view;
  if (!Take(bytes, flags)) return false;
  if ((flags & kHasTimestamp) != 0 && !Take(bytes, record.record.timestamp)) return false;
  if ((flags & kHasPartition) != 0 && !Take(bytes, record.record.partition)) return false;
  if ((flags & kHasKey) != 0) {
    if (!TakeBytes(bytes, view)) return false;
    record.record.key = view;
  }
  if ((flags & kHasValue) != 0) {
    if (!TakeBytes(bytes, view)) return false;
    record.record.value = view;
  }
  if ((flags & kHasHeaders) != 0) {
    if (!TakeHeaders(bytes, record.headers)) return false;
    record.record.headers = &record.headers;
  }
  return bytes.empty();
}

}  // namespace penstock::kafka
