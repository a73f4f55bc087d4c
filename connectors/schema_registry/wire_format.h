// What stands before a record's payload, so that a reader finds the schema it was written by: a zero byte, the schema's
// id in the registry as 4 bytes big-endian; with Protobuf then the way to the message in its file, as zigzag varints: a
// count and so many indices, the first of a message of the file, each further one of a message nested in it. A count of
// 0 stands for the way [0].
#ifndef PENSTOCK_CONNECTORS_SCHEMA_REGISTRY_WIRE_FORMAT_H_
#define PENSTOCK_CONNECTORS_SCHEMA_REGISTRY_WIRE_FORMAT_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace penstock::schema_registry {

inline constexpr size_t kHeaderBytes = 5;
inline constexpr int kMessageDepthMax = 32;  // of a nested Protobuf message

struct Header {
  int32_t id = 0;
  std::string_view payload;
  size_t payload_at = kHeaderBytes;  // in the record
};

// InvalidArgument says what the record begins with instead, and at which byte.
absl::StatusOr<Header> ReadHeader(std::string_view record);
void AppendHeader(int32_t id, std::string& out);

// Takes the way off the payload.
absl::StatusOr<std::vector<int>> ReadMessageIndexes(Header* header);
void AppendMessageIndexes(const std::vector<int>& indexes, std::string& out);

}  // namespace penstock::schema_registry

#endif  // PENSTOCK_CONNECTORS_SCHEMA_REGISTRY_WIRE_FORMAT_H_
