// Avro schemas as trees: parsed once, immutable, shared by readers and writers. By the Avro specification 1.11:
// names and namespaces, aliases, defaults, enum defaults, logical types (kept as text, passed through).
//
// The tree is our own because a resolver needs aliases, defaults and logical types, which Avro C's does not keep.
// Limits: kNodesMax types, nested at most kDepthMax deep.
#ifndef PENSTOCK_FORMATS_AVRO_SCHEMA_H_
#define PENSTOCK_FORMATS_AVRO_SCHEMA_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/record/shape.h"

namespace penstock::avro {

inline constexpr size_t kNodesMax = 10'000;
inline constexpr int kDepthMax = 64;

enum class Type : uint8_t {
  kNull,
  kBoolean,
  kInt,
  kLong,
  kFloat,
  kDouble,
  kBytes,
  kString,
  kArray,
  kMap,
  kUnion,
  kFixed,
  kEnum,
  kRecord,
};
const char* TypeName(Type type);
constexpr bool IsNamed(Type type) { return type >= Type::kFixed; }

struct Field {
  std::string name;
  std::vector<std::string> aliases;
  int node = 0;
  std::optional<std::string> default_bytes;  // the default value, encoded by the field's type
};

struct Node {
  Type type = Type::kNull;
  std::string name;                  // of named types, with the namespace
  std::vector<std::string> aliases;  // with their namespaces
  std::string logical_type;          // empty: none
  std::vector<Field> fields;         // of a record
  std::vector<std::string> symbols;  // of an enum
  int default_symbol = -1;
  std::vector<int> children;  // array: the items; map: the values; union: the branches
  size_t size_bytes = 0;      // of a fixed
};

// "Event" of "shop.Event".
std::string_view Unqualified(std::string_view name);

class Schema {
 public:
  // InvalidArgument says what is wrong and where. references: schemas whose named types the text uses, in an order in
  // which each uses only those before it.
  static absl::StatusOr<std::shared_ptr<const Schema>> Parse(std::string_view text,
                                                             const std::vector<std::string>& references = {});

  const std::string& text() const { return text_; }  // as it was given
  const Node& root() const { return nodes_[static_cast<size_t>(root_)]; }
  int root_index() const { return root_; }
  const Node& node(int index) const { return nodes_[static_cast<size_t>(index)]; }
  // For messages: the root's name, or its type.
  std::string Title() const;

 private:
  friend class SchemaParser;
  Schema() = default;

  std::string text_;
  std::vector<Node> nodes_;
  int root_ = 0;
};
using SchemaPtr = std::shared_ptr<const Schema>;

struct DerivedOptions {
  std::string name_space;  // of all its named types
  bool default_fields =
      false;  // every field has as its default what T{} gives it; else optionals have null, others none
};

// The schema that a struct has by itself: members by name; int for integers up to 32 bits and unsigned ones up to 16,
// long for the others and durations, ["null", T] for optionals, unions for variants, string for std::string.
std::string DerivedSchema(const Shape& shape, const DerivedOptions& options = {});

}  // namespace penstock::avro

#endif  // PENSTOCK_FORMATS_AVRO_SCHEMA_H_
