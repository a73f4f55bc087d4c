#include "penstock/formats/avro/value.h"

#include "penstock/formats/json.h"

namespace penstock {
namespace avro {
namespace {

constexpr int kSerdeDepthMax = 200;

template <class T>
void AppendJson(const T& value, std::string& out) {
  json::Append(ShapeOf<T>(), &value, out);
}

// Bytes as the code points 0 to 255.
void AppendBytes(const std::string& bytes, std::string& out) {
  std::string text;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      text += c;
    } else {
      text += static_cast<char>(0xC0 | byte >> 6);
      text += static_cast<char>(0x80 | (byte & 0x3F));
    }
  }
  AppendJson(text, out);
}

void Append(const Value& value, std::string& out);

struct Appender {
  std::string& out;

  void operator()(const std::monostate&) const { out += "null"; }
  void operator()(const Binary& binary) const { AppendBytes(binary.bytes, out); }
  void operator()(const Fixed& fixed) const { AppendBytes(fixed.bytes, out); }
  void operator()(const Enum& each) const { AppendJson(each.symbol, out); }
  void operator()(const Array& array) const {
    out += '[';
    for (size_t i = 0; i < array.size(); ++i) {
      if (i > 0) out += ',';
      Append(array[i], out);
    }
    out += ']';
  }
  void operator()(const Map& map) const {
    char separator = '{';
    for (const auto& [key, value] : map) {
      out += separator;
      separator = ',';
      AppendJson(key, out);
      out += ':';
      Append(value, out);
    }
    out += map.empty() ? "{}" : "}";
  }
  void operator()(const Record& record) const {
    out += '{';
    for (size_t i = 0; i < record.fields.size(); ++i) {
      if (i > 0) out += ',';
      AppendJson(record.names->fields[i], out);
      out += ':';
      Append(record.fields[i], out);
    }
    out += '}';
  }
  template <class T>
  void operator()(const T& value) const {
    AppendJson(value, out);
  }
};

void Append(const Value& value, std::string& out) { std::visit(Appender{out}, value.variant()); }

// ---- Serde ----

void Write(const Value& value, ByteWriter& out);

struct Writer {
  ByteWriter& out;

  void operator()(const std::monostate&) const {}
  void operator()(const Binary& binary) const { detail::WriteString(binary.bytes, out); }
  void operator()(const Fixed& fixed) const { detail::WriteString(fixed.bytes, out); }
  void operator()(const Enum& each) const { detail::WriteString(each.symbol, out); }
  void operator()(const Array& array) const {
    out.PutVarint(array.size());
    for (const Value& each : array) Write(each, out);
  }
  void operator()(const Map& map) const {
    out.PutVarint(map.size());
    for (const auto& [key, value] : map) {
      detail::WriteString(key, out);
      Write(value, out);
    }
  }
  void operator()(const Record& record) const {
    ByteWriter names;
    detail::WriteString(record.names->name, names);
    Serde<std::vector<std::string>>::Write(record.names->fields, names);
    detail::WriteString(names.view(), out);
    for (const Value& each : record.fields) Write(each, out);
  }
  template <class T>
  void operator()(const T& value) const {
    Serde<T>::Write(value, out);
  }
};

void Write(const Value& value, ByteWriter& out) {
  out.PutByte(static_cast<uint8_t>(value.variant().index()));
  std::visit(Writer{out}, value.variant());
}

// The names of the records of a type come with each of them, and mostly are those of the one before.
std::shared_ptr<const RecordNames> NamesOf(std::string_view encoded) {
  struct Known {
    std::string encoded;
    std::shared_ptr<const RecordNames> names;
  };
  constexpr size_t kKnownMax = 16;
  thread_local std::vector<Known> known;
  thread_local size_t next = 0;
  for (const Known& each : known) {
    if (each.encoded == encoded) return each.names;
  }
  ByteReader in(encoded);
  auto names = std::make_shared<RecordNames>();
  if (!Serde<std::string>::Read(in, names->name) || !Serde<std::vector<std::string>>::Read(in, names->fields) ||
      in.remaining() > 0) {
    return nullptr;
  }
  if (known.size() < kKnownMax) {
    known.push_back({std::string(encoded), names});
  } else {
    known[next++ % kKnownMax] = {std::string(encoded), names};
  }
  return names;
}

bool Read(ByteReader& in, Value& value, int depth);

bool ReadString(ByteReader& in, std::string& text) { return Serde<std::string>::Read(in, text); }

struct Reader {
  ByteReader& in;
  int depth;

  bool operator()(std::monostate&) const { return true; }
  bool operator()(Binary& binary) const { return ReadString(in, binary.bytes); }
  bool operator()(Fixed& fixed) const { return ReadString(in, fixed.bytes); }
  bool operator()(Enum& each) const { return ReadString(in, each.symbol); }
  bool operator()(Array& array) const {
    uint64_t count = 0;
    if (!detail::ReadCount(in, count)) return false;
    for (uint64_t i = 0; i < count; ++i) {
      if (!Read(in, array.emplace_back(), depth)) return false;
    }
    return true;
  }
  bool operator()(Map& map) const {
    uint64_t count = 0;
    if (!detail::ReadCount(in, count)) return false;
    for (uint64_t i = 0; i < count; ++i) {
      std::string key;
      if (!ReadString(in, key) || !Read(in, map[std::move(key)], depth)) return false;
    }
    return true;
  }
  bool operator()(Record& record) const {
    std::string_view encoded;
    if (!detail::ReadString(in, encoded)) return false;
    record.names = NamesOf(encoded);
    if (record.names == nullptr || record.names->fields.size() > in.remaining()) return false;
    record.fields.resize(record.names->fields.size());
    for (Value& each : record.fields) {
      if (!Read(in, each, depth)) return false;
    }
    return true;
  }
  template <class T>
  bool operator()(T& value) const {
    return Serde<T>::Read(in, value);
  }
};

template <size_t... I>
bool Emplace(size_t index, Value& value, std::index_sequence<I...>) {
  return ((I == index && (value.variant().emplace<I>(), true)) || ...);
}

bool Read(ByteReader& in, Value& value, int depth) {
  uint8_t index = 0;
  if (depth > kSerdeDepthMax || !in.GetFixed(index)) return false;
  if (!Emplace(index, value, std::make_index_sequence<std::variant_size_v<Value::Variant>>{})) return false;
  return std::visit(Reader{in, depth + 1}, value.variant());
}

}  // namespace

const Value* Value::field(std::string_view name) const {
  const Record* const record = get_if<Record>();
  if (record == nullptr || record->names == nullptr) return nullptr;
  for (size_t i = 0; i < record->fields.size(); ++i) {
    if (record->names->fields[i] == name) return &record->fields[i];
  }
  return nullptr;
}

std::string to_json(const Value& value) {
  std::string text;
  Append(value, text);
  return text;
}

}  // namespace avro

void Serde<avro::Value>::Write(const avro::Value& value, ByteWriter& out) { avro::Write(value, out); }
bool Serde<avro::Value>::Read(ByteReader& in, avro::Value& value) { return avro::Read(in, value, 0); }

}  // namespace penstock
