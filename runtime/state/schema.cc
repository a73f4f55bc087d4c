#include "runtime/state/schema.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "runtime/core/status.h"

namespace penstock {
namespace {

void EncodeInto(const Schema& schema, ByteWriter& out) {
  out.PutByte(static_cast<uint8_t>(schema.kind));
  out.PutByte(schema.width_bytes);
  detail::WriteString(schema.name, out);
  out.PutVarint(schema.children.size());
  for (size_t i = 0; i < schema.children.size(); ++i) {
    if (schema.kind == TypeKind::kStruct) detail::WriteString(schema.fields[i].name, out);
    EncodeInto(schema.children[i], out);
  }
}

// How many children a kind has; -1: any number.
int ChildrenOf(TypeKind kind) {
  switch (kind) {
    case TypeKind::kTuple:
    case TypeKind::kStruct:
      return -1;
    case TypeKind::kMap:
      return 2;
    case TypeKind::kDuration:
    case TypeKind::kOptional:
    case TypeKind::kVector:
    case TypeKind::kTimed:
      return 1;
    default:
      return 0;
  }
}

bool WidthFits(TypeKind kind, uint8_t width) {
  switch (kind) {
    case TypeKind::kInt:
    case TypeKind::kUint:
      return width == 1 || width == 2 || width == 4 || width == 8;
    case TypeKind::kFloat:
      return width == 4 || width == 8 || width == sizeof(long double);
    default:
      return width == 0;
  }
}

bool DecodeFrom(ByteReader& in, Schema& schema, int depth) {
  uint8_t kind = 0;
  std::string_view name;
  uint64_t count = 0;
  if (depth > kSchemaDepthMax || !in.GetFixed(kind) || kind > static_cast<uint8_t>(TypeKind::kOpaque)) return false;
  if (!in.GetFixed(schema.width_bytes) || !detail::ReadString(in, name) || !detail::ReadCount(in, count)) return false;
  schema.kind = static_cast<TypeKind>(kind);
  schema.name = name;
  const int expected = ChildrenOf(schema.kind);
  if (!WidthFits(schema.kind, schema.width_bytes) || count > kSchemaChildrenMax) return false;
  if (expected >= 0 && count != static_cast<uint64_t>(expected)) return false;
  for (uint64_t i = 0; i < count; ++i) {
    if (schema.kind == TypeKind::kStruct) {
      std::string_view field;
      if (!detail::ReadString(in, field)) return false;
      schema.fields.push_back({.name = std::string(field), .earlier_names = {}, .default_bytes = {}});
    }
    if (!DecodeFrom(in, schema.children.emplace_back(), depth + 1)) return false;
  }
  return true;
}

std::string List(const Schema& schema) {
  std::string text;
  for (size_t i = 0; i < schema.children.size(); ++i) {
    if (i > 0) text += ",";
    if (schema.kind == TypeKind::kStruct) text += schema.fields[i].name + ":";
    text += schema.children[i].ToText();
  }
  return text;
}

}  // namespace

std::string Schema::Encode() const {
  ByteWriter out;
  EncodeInto(*this, out);
  return std::string(out.view());
}

absl::StatusOr<Schema> Schema::Decode(std::string_view bytes) {
  ByteReader in(bytes);
  Schema schema;
  if (!DecodeFrom(in, schema, 0) || in.remaining() > 0) return DataLoss("bytes that are no schema");
  return schema;
}

uint64_t Schema::Hash() const {
  const std::string bytes = Encode();
  return XXH3_64bits(bytes.data(), bytes.size());
}

std::string Schema::ToText() const {
  switch (kind) {
    case TypeKind::kVoid:
      return "void";
    case TypeKind::kBool:
      return "bool";
    case TypeKind::kInt:
      return fmt::format("int{}", width_bytes * 8);
    case TypeKind::kUint:
      return fmt::format("uint{}", width_bytes * 8);
    case TypeKind::kFloat:
      return fmt::format("float{}", width_bytes * 8);
    case TypeKind::kString:
      return "string";
    case TypeKind::kDuration:
      return fmt::format("duration<{},{}>", name, List(*this));
    case TypeKind::kOptional:
      return fmt::format("optional<{}>", List(*this));
    case TypeKind::kVector:
      return fmt::format("vector<{}>", List(*this));
    case TypeKind::kMap:
      return fmt::format("map<{}>", List(*this));
    case TypeKind::kTuple:
      return fmt::format("tuple<{}>", List(*this));
    case TypeKind::kStruct:
      return "{" + List(*this) + "}";
    case TypeKind::kTimed:
      return fmt::format("timed<{}>", List(*this));
    case TypeKind::kProtobuf:
      return fmt::format("protobuf {}", name);
    case TypeKind::kOpaque:
      return fmt::format("opaque {}", name);
  }
  return "unknown";
}

Schema Schema::Struct(std::vector<std::pair<std::string, Schema>> members) {
  Schema schema;
  schema.kind = TypeKind::kStruct;
  for (auto& [name, member] : members) {
    schema.fields.push_back({.name = name, .earlier_names = {}, .default_bytes = member.default_bytes});
    schema.default_bytes += member.default_bytes;
    schema.children.push_back(std::move(member));
  }
  return schema;
}

namespace detail {

std::vector<std::string> MemberNamesOf(std::string_view spelled) {
  constexpr std::string_view kPrefix = "value.";
  std::vector<std::string> names;
  while (!spelled.empty()) {
    const size_t comma = spelled.find(',');
    std::string_view part = spelled.substr(0, comma);
    spelled = comma == std::string_view::npos ? std::string_view() : spelled.substr(comma + 1);
    while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
    while (!part.empty() && part.back() == ' ') part.remove_suffix(1);
    if (part.substr(0, kPrefix.size()) != kPrefix) return {};
    part.remove_prefix(kPrefix.size());
    for (const char c : part) {
      if (!(std::isalnum(static_cast<unsigned char>(c)) || c == '_')) return {};
    }
    names.emplace_back(part);
  }
  return names;
}

}  // namespace detail
}  // namespace penstock
