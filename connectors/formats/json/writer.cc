#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "connectors/formats/utf8.h"
#include "penstock/formats/json.h"

namespace penstock::json {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD

constexpr std::array<bool, 256> kPlain = [] {
  std::array<bool, 256> plain{};
  for (int c = 0x20; c < 0x80; ++c) plain[static_cast<size_t>(c)] = c != '"' && c != '\\';
  return plain;
}();

// Whether 8 bytes are plain: none below 0x20, above 0x7f, a quote or a backslash.
bool ArePlain(const char* text) {
  constexpr uint64_t kOnes = 0x0101010101010101, kHigh = 0x8080808080808080;
  uint64_t word = 0;
  std::memcpy(&word, text, sizeof(word));
  const auto has_zero = [](uint64_t x) { return (x - kOnes) & ~x & kHigh; };
  const uint64_t below_space = (word - kOnes * 0x20) & ~word & kHigh;
  return ((word & kHigh) | below_space | has_zero(word ^ kOnes * '"') | has_zero(word ^ kOnes * '\\')) == 0;
}

void AppendEscape(char c, std::string& out) {
  switch (c) {
    case '"':
      out += "\\\"";
      return;
    case '\\':
      out += "\\\\";
      return;
    case '\n':
      out += "\\n";
      return;
    case '\r':
      out += "\\r";
      return;
    case '\t':
      out += "\\t";
      return;
    default:
      fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<unsigned char>(c));
  }
}

void AppendString(std::string_view text, std::string& out) {
  out += '"';
  size_t begin = 0;  // of what is plain and not appended yet
  for (size_t at = 0; at < text.size();) {
    while (at + sizeof(uint64_t) <= text.size() && ArePlain(text.data() + at)) at += sizeof(uint64_t);
    if (at == text.size()) break;
    const auto c = static_cast<unsigned char>(text[at]);
    if (kPlain[c]) {
      ++at;
      continue;
    }
    const size_t bytes = c < 0x80 ? 1 : formats::Utf8CharacterBytes(text, at);
    if (c >= 0x80 && bytes > 0) {
      at += bytes;
      continue;
    }
    out.append(text, begin, at - begin);
    if (c < 0x80) {
      AppendEscape(text[at], out);
    } else {
      out += kReplacement;
    }
    begin = ++at;
  }
  out.append(text, begin);
  out += '"';
}

template <class T>
void AppendNumber(T value, std::string& out) {
  char text[64];
  const auto [end, error] = std::to_chars(text, text + sizeof(text), value);
  out.append(text, error == std::errc() ? end : text);
}

template <class T>
void AppendFloat(T value, std::string& out) {
  if (!std::isfinite(value)) {
    out += "null";
  } else {
    AppendNumber(value, out);
  }
}

void AppendStruct(const Shape& shape, const void* object, std::string& out) {
  char separator = '{';
  for (const ShapeMember& member : shape.members) {
    out += separator;
    separator = ',';
    out += '"';
    out += member.name;
    out += "\":";
    Append(*member.shape, static_cast<const char*>(object) + member.offset, out);
  }
  if (shape.members.empty()) out += '{';
  out += '}';
}

void AppendList(const Shape& shape, const void* object, std::string& out) {
  out += '[';
  const size_t count = shape.count(object);
  for (size_t i = 0; i < count; ++i) {
    if (i > 0) out += ',';
    Append(*shape.element, shape.at(object, i), out);
  }
  out += ']';
}

void AppendMap(const Shape& shape, const void* object, std::string& out) {
  out += '{';
  bool first = true;
  shape.each_entry(object, [&](const std::string& key, const void* value) {
    if (!first) out += ',';
    first = false;
    AppendString(key, out);
    out += ':';
    Append(*shape.element, value, out);
  });
  out += '}';
}

void AppendEnum(const Shape& shape, const void* object, std::string& out) {
  const int64_t value = LoadEnum(shape, object);
  const reflect::EnumName* const name = shape.EnumByValue(value);
  if (name == nullptr) {
    AppendNumber(value, out);
  } else {
    AppendString(name->name, out);
  }
}

}  // namespace

void Append(const Shape& shape, const void* object, std::string& out) {
  switch (shape.kind) {
    case ShapeKind::kNull:
      out += "null";
      return;
    case ShapeKind::kBool:
      out += *static_cast<const bool*>(object) ? "true" : "false";
      return;
    case ShapeKind::kFloat:
      return AppendFloat(*static_cast<const float*>(object), out);
    case ShapeKind::kDouble:
      return AppendFloat(*static_cast<const double*>(object), out);
    case ShapeKind::kString:
      return AppendString(*static_cast<const std::string*>(object), out);
    case ShapeKind::kEnum:
      return AppendEnum(shape, object, out);
    case ShapeKind::kOptional:
      if (shape.count(object) == 0) {
        out += "null";
        return;
      }
      return Append(*shape.element, shape.at(object, 0), out);
    case ShapeKind::kList:
      return AppendList(shape, object, out);
    case ShapeKind::kMap:
      return AppendMap(shape, object, out);
    case ShapeKind::kVariant:
      return Append(*shape.alternatives[shape.count(object)], shape.at(object, 0), out);
    case ShapeKind::kStruct:
      return AppendStruct(shape, object, out);
    default:
      if (IsSigned(shape.kind)) return AppendNumber(LoadSigned(shape.kind, object), out);
      return AppendNumber(LoadUnsigned(shape.kind, object), out);
  }
}

}  // namespace penstock::json
