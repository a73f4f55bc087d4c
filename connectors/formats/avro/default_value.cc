#include "connectors/formats/avro/default_value.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "connectors/formats/avro/wire.h"
#include "connectors/formats/utf8.h"
#include "runtime/core/status.h"

namespace penstock::avro {
namespace {

using Json = nlohmann::ordered_json;

absl::Status Wrong(const Json& value, std::string_view what) {
  return InvalidArgument("the default {} is no {}", value.dump(-1, ' ', false, Json::error_handler_t::replace), what);
}

// Bytes stand as the code points 0 to 255.
std::optional<std::string> BytesOf(const std::string& text) {
  std::string bytes;
  for (size_t at = 0; at < text.size();) {
    const size_t size = formats::Utf8CharacterBytes(text, at);
    const auto first = static_cast<uint8_t>(text[at]);
    if (size == 1) {
      bytes += text[at];
    } else if (size == 2 && first <= 0xC3) {
      bytes += static_cast<char>((first & 0x03) << 6 | (static_cast<uint8_t>(text[at + 1]) & 0x3F));
    } else {
      return std::nullopt;
    }
    at += size;
  }
  return bytes;
}

}  // namespace

absl::Status DefaultEncoder::Encode(const Json& value, int node_index, std::string& out, int depth) const {
  if (depth > kDepthMax) return InvalidArgument("a default is nested more than {} deep", kDepthMax);
  const Node& node = nodes_[static_cast<size_t>(node_index)];
  switch (node.type) {
    case Type::kNull:
      return value.is_null() ? absl::OkStatus() : Wrong(value, "null");
    case Type::kBoolean:
      if (!value.is_boolean()) return Wrong(value, "boolean");
      out += value.get<bool>() ? '\1' : '\0';
      return absl::OkStatus();
    case Type::kInt:
    case Type::kLong:
      return EncodeInteger(value, node.type, out);
    case Type::kFloat:
      if (!value.is_number()) return Wrong(value, "float");
      PutFloating(value.get<float>(), out);
      return absl::OkStatus();
    case Type::kDouble:
      if (!value.is_number()) return Wrong(value, "double");
      PutFloating(value.get<double>(), out);
      return absl::OkStatus();
    case Type::kString:
      if (!value.is_string()) return Wrong(value, "string");
      PutBytes(value.get_ref<const std::string&>(), out);
      return absl::OkStatus();
    case Type::kBytes:
    case Type::kFixed:
    case Type::kEnum:
      return EncodeNamed(value, node, out);
    case Type::kArray:
    case Type::kMap:
      return EncodeItems(value, node, out, depth);
    case Type::kUnion:
      return EncodeUnion(value, node, out, depth);
    case Type::kRecord:
      return EncodeRecord(value, node_index, out, depth);
  }
  return Internal("no such type");
}

absl::Status DefaultEncoder::EncodeInteger(const Json& value, Type type, std::string& out) const {
  if (!value.is_number_integer()) return Wrong(value, TypeName(type));
  if (value.is_number_unsigned() && value.get<uint64_t>() > std::numeric_limits<int64_t>::max()) {
    return Wrong(value, TypeName(type));
  }
  const auto number = value.get<int64_t>();
  if (type == Type::kInt && number != static_cast<int32_t>(number)) return Wrong(value, "int");
  PutLong(number, out);
  return absl::OkStatus();
}

// And bytes.
absl::Status DefaultEncoder::EncodeNamed(const Json& value, const Node& node, std::string& out) const {
  if (!value.is_string()) return Wrong(value, TypeName(node.type));
  const auto& text = value.get_ref<const std::string&>();
  if (node.type == Type::kEnum) {
    const auto symbol = std::find(node.symbols.begin(), node.symbols.end(), text);
    if (symbol == node.symbols.end()) return Wrong(value, "symbol of " + node.name);
    PutLong(symbol - node.symbols.begin(), out);
    return absl::OkStatus();
  }
  const std::optional<std::string> bytes = BytesOf(text);
  if (!bytes) return Wrong(value, TypeName(node.type));
  if (node.type == Type::kBytes) {
    PutBytes(*bytes, out);
    return absl::OkStatus();
  }
  if (bytes->size() != node.size_bytes) return Wrong(value, fmt::format("fixed of {} bytes", node.size_bytes));
  out += *bytes;
  return absl::OkStatus();
}

absl::Status DefaultEncoder::EncodeItems(const Json& value, const Node& node, std::string& out, int depth) const {
  const bool is_map = node.type == Type::kMap;
  if (is_map ? !value.is_object() : !value.is_array()) return Wrong(value, TypeName(node.type));
  if (!value.empty()) PutLong(static_cast<int64_t>(value.size()), out);
  for (auto entry = value.begin(); entry != value.end(); ++entry) {
    if (is_map) PutBytes(entry.key(), out);
    PENSTOCK_RETURN_IF_ERROR(Encode(*entry, node.children[0], out, depth + 1));
  }
  PutLong(0, out);
  return absl::OkStatus();
}

absl::Status DefaultEncoder::EncodeUnion(const Json& value, const Node& node, std::string& out, int depth) const {
  for (size_t branch = 0; branch < node.children.size(); ++branch) {
    std::string encoded;
    if (!Encode(value, node.children[branch], encoded, depth + 1).ok()) continue;
    PutLong(static_cast<int64_t>(branch), out);
    out += encoded;
    return absl::OkStatus();
  }
  return Wrong(value, "value of any of the union's branches");
}

absl::Status DefaultEncoder::EncodeRecord(const Json& value, int node_index, std::string& out, int depth) const {
  const Node& node = nodes_[static_cast<size_t>(node_index)];
  if (!value.is_object()) return Wrong(value, "record");
  for (size_t i = 0; i < node.fields.size(); ++i) {
    const Field& field = node.fields[i];
    const auto given = value.find(field.name);
    const Json* const json = given != value.end() ? &*given : defaults_[static_cast<size_t>(node_index)][i];
    if (json == nullptr) return Wrong(value, fmt::format("{}: '{}' is missing", node.name, field.name));
    PENSTOCK_RETURN_IF_ERROR(Encode(*json, field.node, out, depth + 1));
  }
  return absl::OkStatus();
}

}  // namespace penstock::avro
