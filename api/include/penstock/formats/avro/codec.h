// Avro's binary encoding, read by one schema into another's values, and written.
//
// Both are compiled once for a pair of schemas (and a struct's shape), immutable, and shared by threads.
#ifndef PENSTOCK_FORMATS_AVRO_CODEC_H_
#define PENSTOCK_FORMATS_AVRO_CODEC_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "penstock/formats/avro/schema.h"
#include "runtime/record/shape.h"

namespace penstock::avro {

// Of one record: elements of no bytes (null, empty records), which cost memory although nothing is there.
inline constexpr size_t kEmptyElementsMax = 65'536;

struct ResolveOptions {
  // Records, enums and fixed match by name or alias, as the specification says; else by what they are made of. A
  // struct's own schema is named after the struct, whatever its writers call theirs.
  bool match_names = true;
};

// What stands in the way of reading the writer's data by the reader's schema; empty: all of it can be read. Each says
// where: "Order.lines[].count: a string cannot be read as int". Some of it may concern only some data (a branch of a
// union, a symbol of an enum, elements of an array).
std::vector<std::string> Incompatibilities(const SchemaPtr& writer, const SchemaPtr& reader,
                                           const ResolveOptions& options = {});

// Reads what one writer schema wrote.
class Decoder {
 public:
  // shape: of the struct to fill; nullptr: a Value. InvalidArgument: no data of the writer can be read; or the reader's
  // schema and the struct do not fit. What only some data cannot have fails when it comes.
  static absl::StatusOr<std::shared_ptr<const Decoder>> Make(SchemaPtr writer, SchemaPtr reader, const Shape* shape,
                                                             const ResolveOptions& options = {});
  virtual ~Decoder() = default;

  // object: freshly made. InvalidArgument names field and byte, and leaves it half filled. base: where the bytes begin
  // in their record, for messages.
  virtual absl::Status Read(std::string_view bytes, void* object, size_t base = 0) const = 0;
};

class Encoder {
 public:
  // shape: of the struct to write; nullptr: a Value. InvalidArgument: a member that the schema has no field for, a
  // field that is neither a member nor has a default, or types that do not fit.
  static absl::StatusOr<std::shared_ptr<const Encoder>> Make(SchemaPtr schema, const Shape* shape);
  virtual ~Encoder() = default;

  // Appends. InvalidArgument names the field; what was appended is then of no use.
  virtual absl::Status Write(const void* object, std::string& out) const = 0;
};

}  // namespace penstock::avro

#endif  // PENSTOCK_FORMATS_AVRO_CODEC_H_
