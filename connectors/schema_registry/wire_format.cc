#include "connectors/schema_registry/wire_format.h"

#include "connectors/formats/avro/wire.h"
#include "runtime/core/status.h"

namespace penstock::schema_registry {

absl::StatusOr<Header> ReadHeader(std::string_view record) {
  if (record.empty()) return InvalidArgument("the record is empty: it has no schema id (byte 0)");
  if (record[0] != '\0') {
    return InvalidArgument("the record begins with the byte {:#04x}, not with 0 and a schema id (byte 0)",
                           static_cast<unsigned>(static_cast<unsigned char>(record[0])));
  }
  if (record.size() < kHeaderBytes) return InvalidArgument("the record ends in its schema id (byte {})", record.size());
  uint32_t id = 0;
  for (size_t i = 1; i < kHeaderBytes; ++i) id = id << 8 | static_cast<uint8_t>(record[i]);
  return Header{static_cast<int32_t>(id), record.substr(kHeaderBytes)};
}

void AppendHeader(int32_t id, std::string& out) {
  out += '\0';
  for (int shift = 24; shift >= 0; shift -= 8) out += static_cast<char>(static_cast<uint32_t>(id) >> shift);
}

absl::StatusOr<std::vector<int>> ReadMessageIndexes(Header* header) {
  avro::Input in(header->payload);
  const auto bad = [&](std::string_view what) {
    return InvalidArgument("message indexes: {} (byte {})", what, header->payload_at + in.position());
  };
  int64_t count = 0;
  if (!in.GetLong(count)) return bad("no count");
  if (count < 0 || count > kMessageDepthMax) return bad("a count that cannot be");
  std::vector<int> indexes;
  for (int64_t i = 0; i < count; ++i) {
    int32_t index = 0;
    if (!in.GetInt(index) || index < 0) return bad("no index");
    indexes.push_back(index);
  }
  if (count == 0) indexes.push_back(0);
  header->payload.remove_prefix(in.position());
  header->payload_at += in.position();
  return indexes;
}

void AppendMessageIndexes(const std::vector<int>& indexes, std::string& out) {
  if (indexes == std::vector<int>{0}) {
    out += '\0';
    return;
  }
  avro::PutLong(static_cast<int64_t>(indexes.size()), out);
  for (const int index : indexes) avro::PutLong(index, out);
}

}  // namespace penstock::schema_registry
