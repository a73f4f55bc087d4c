// Reading values written in an old schema as values of a new one, and saying beforehand whether that is possible.
//
// By name: a field the writer lacked gets its default, one the reader lacks is skipped, renames are explicit
// (PENSTOCK_RENAMED). Integers and floats may widen, T and optional<T> replace each other, a value may gain or lose its
// time stamp (TTL). Everything else must be alike. Immutable, thread-safe.
#ifndef PENSTOCK_RUNTIME_STATE_SCHEMA_RESOLVER_H_
#define PENSTOCK_RUNTIME_STATE_SCHEMA_RESOLVER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "runtime/state/schema.h"

namespace penstock {

enum class SchemaMatch { kMatched, kCompatible, kIncompatible };

struct SchemaComparison {
  SchemaMatch match = SchemaMatch::kMatched;
  std::string reason;  // compatible: what changes; incompatible: what stands against it
};

// writer: as stored; reader: the program's, from SchemaOf.
SchemaComparison CompareSchemas(const Schema& writer, const Schema& reader);

class SchemaResolver {
 public:
  // InvalidArgument with the reason when the schemas are incompatible. now_ms: the time stamp of values that gain one.
  static absl::StatusOr<std::unique_ptr<SchemaResolver>> Make(Schema writer, Schema reader, int64_t now_ms);

  // Appends the value in the reader's encoding; false when the bytes are not of the writer's schema.
  bool Convert(std::string_view value, ByteWriter& out) const;

 private:
  SchemaResolver(Schema writer, Schema reader, int64_t now_ms);
  bool ConvertValue(const Schema& from, const Schema& to, ByteReader& in, ByteWriter& out) const;
  bool ConvertStruct(const Schema& from, const Schema& to, ByteReader& in, ByteWriter& out) const;

  const Schema writer_;
  const Schema reader_;
  const int64_t now_ms_;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_STATE_SCHEMA_RESOLVER_H_
