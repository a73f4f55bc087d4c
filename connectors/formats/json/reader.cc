// Walks a shape and a document together, on demand: each value is read once, straight into its place.
#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "connectors/formats/utf8.h"
#include "penstock/formats/json.h"
#include "runtime/core/status.h"

namespace penstock::json {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr size_t kShownBytes = 40;  // of a value that an error shows
constexpr size_t kMembersMax = 64;  // of a struct

// simdjson reads up to SIMDJSON_PADDING bytes beyond the text. Within a page that is harmless, so only a text that ends
// near the end of its page is copied; the sanitizer sees each read, so under it every text is. And when a text is cut
// off, simdjson takes the byte behind it for the next token: a quote there would make it read, and write, a string that
// nobody has measured. So what follows must be nothing that a value goes on or begins with.
bool PaddingIsReadable(std::string_view text) {
#if defined(__SANITIZE_ADDRESS__)
  (void)text;
  return false;
#else
#if defined(__has_feature)
#if __has_feature(address_sanitizer)
  return false;
#endif
#endif
  constexpr uintptr_t kPageBytes = 4096;
  const uintptr_t end = reinterpret_cast<uintptr_t>(text.data()) + text.size();
  if (end % kPageBytes == 0 || kPageBytes - end % kPageBytes < simdjson::SIMDJSON_PADDING) return false;
  const auto next = static_cast<unsigned char>(text.data()[text.size()]);
  return next <= ' ' || next >= 0x80;
#endif
}

std::string Problems(const Shape& shape, const std::string& path) {
  switch (shape.kind) {
    case ShapeKind::kVariant:
    case ShapeKind::kNull:
      return fmt::format("{} is a {}: JSON does not say which type a value is of", path, ShapeKindName(shape.kind));
    case ShapeKind::kOptional:
      if (shape.element->kind == ShapeKind::kOptional) return fmt::format("{} is an optional of an optional", path);
      return Problems(*shape.element, path);
    case ShapeKind::kList:
    case ShapeKind::kMap:
      return Problems(*shape.element, path + "[]");
    case ShapeKind::kStruct:
      if (shape.members.size() > kMembersMax) return fmt::format("{} has more than {} members", path, kMembersMax);
      for (const ShapeMember& member : shape.members) {
        std::string problem = Problems(*member.shape, path.empty() ? member.name : path + "." + member.name);
        if (!problem.empty()) return problem;
      }
      return "";
    default:
      return "";
  }
}

}  // namespace

class Reader::Walk {
 public:
  explicit Walk(Options options) : options_(options) {}

  absl::Status Read(std::string_view text, const Shape& shape, void* object) {
    data_ = text.data();
    if (!PaddingIsReadable(text)) {
      copy_.assign(text);
      copy_.append(simdjson::SIMDJSON_PADDING, ' ');
      data_ = copy_.data();
    }
    size_ = text.size();
    path_.clear();
    message_.clear();
    at_ = size_;
    if (!ReadDocument(shape, object)) return Failure();
    return absl::OkStatus();
  }

 private:
  bool ReadDocument(const Shape& shape, void* object) {
    const simdjson::padded_string_view padded(data_, size_, size_ + simdjson::SIMDJSON_PADDING);
    if (const auto error = parser_.iterate(padded).get(document_)) {
      if (error == simdjson::UTF8_ERROR) at_ = formats::FirstBadUtf8({data_, size_});
      return Say(simdjson::error_message(error));
    }
    ondemand::value value;
    if (const auto error = document_.get_value().get(value)) {
      at_ = 0;
      return Say(error == simdjson::SCALAR_DOCUMENT_AS_VALUE ? "neither an object nor an array"
                                                             : simdjson::error_message(error));
    }
    if (!ReadValue(shape, value, object)) return false;
    const char* here = nullptr;
    if (document_.current_location().get(here) == simdjson::OUT_OF_BOUNDS) return true;
    at_ = static_cast<size_t>(here - data_);
    return Say("something follows behind the document's end");
  }

  bool ReadValue(const Shape& shape, ondemand::value& value, void* object) {
    switch (shape.kind) {
      case ShapeKind::kStruct:
        return ReadStruct(shape, value, object);
      case ShapeKind::kString:
        return ReadString(value, *static_cast<std::string*>(object));
      case ShapeKind::kBool:
        return ReadScalar(value, value.get_bool(), object, "boolean");
      case ShapeKind::kFloat:
        return ReadFloat(value, *static_cast<float*>(object));
      case ShapeKind::kDouble:
        return ReadScalar(value, value.get_double(), object, "number");
      case ShapeKind::kEnum:
        return ReadEnum(shape, value, object);
      case ShapeKind::kOptional:
        if (IsNull(value)) return true;
        return ReadValue(*shape.element, value, shape.emplace(object));
      case ShapeKind::kList:
        return ReadList(shape, value, object);
      case ShapeKind::kMap:
        return ReadMap(shape, value, object);
      case ShapeKind::kNull:
      case ShapeKind::kVariant:
        return SayAt(value, "a type that JSON has not");
      default:
        return ReadInteger(shape.kind, value, object);
    }
  }

  bool ReadInteger(ShapeKind kind, ondemand::value& value, void* object) {
    bool fits = false;
    simdjson::error_code error;
    if (kind == ShapeKind::kUint64) {
      uint64_t number = 0;
      error = value.get_uint64().get(number);
      fits = error == simdjson::SUCCESS && StoreInteger(kind, number, object);
    } else {
      int64_t number = 0;
      error = value.get_int64().get(number);
      fits = error == simdjson::SUCCESS && StoreInteger(kind, number, object);
    }
    return fits || IsNo(value, ShapeKindName(kind));
  }

  template <class T>
  bool ReadScalar(ondemand::value& value, simdjson::simdjson_result<T>&& read, void* object, const char* what) {
    return std::move(read).get(*static_cast<T*>(object)) == simdjson::SUCCESS || IsNo(value, what);
  }

  bool ReadFloat(ondemand::value& value, float& out) {
    double wide = 0;
    if (value.get_double().get(wide) != simdjson::SUCCESS) return IsNo(value, "number");
    out = static_cast<float>(wide);
    return std::isfinite(out) || IsNo(value, "float");
  }

  // Without escapes, which is mostly so, a string is what stands there: simdjson has checked that it is UTF-8.
  bool ReadString(ondemand::value& value, std::string& out) {
    const char* const begin = value.raw_json_token().data();
    if (*begin == '"') {
      const char* const text = begin + 1;
      const auto* const quote = static_cast<const char*>(std::memchr(text, '"', Left(text)));
      if (quote != nullptr && std::memchr(text, '\\', static_cast<size_t>(quote - text)) == nullptr) {
        simdjson::ondemand::raw_json_string taken;
        if (value.get_raw_json_string().get(taken) != simdjson::SUCCESS) return IsNo(value, "string");
        out.assign(text, quote);
        return true;
      }
    }
    std::string_view text;
    if (value.get_string().get(text) != simdjson::SUCCESS) return IsNo(value, "string");
    out.assign(text);
    return true;
  }

  bool ReadEnum(const Shape& shape, ondemand::value& value, void* object) {
    std::string_view text;
    if (value.get_string().get(text) != simdjson::SUCCESS) return IsNo(value, "string");
    const reflect::EnumName* const found = shape.EnumByName(text);
    if (found == nullptr) return IsNo(value, "value of " + shape.name);
    return StoreInteger(shape.integer, found->value, object);
  }

  bool ReadList(const Shape& shape, ondemand::value& value, void* object) {
    ondemand::array array;
    if (value.get_array().get(array) != simdjson::SUCCESS) return IsNo(value, "array");
    size_t index = 0;
    for (auto each : array) {
      ondemand::value element;
      if (const auto error = each.get(element)) return Broken(error);
      if (!ReadValue(*shape.element, element, shape.emplace(object))) return Under(fmt::format("[{}]", index));
      ++index;
    }
    return true;
  }

  bool ReadMap(const Shape& shape, ondemand::value& value, void* object) {
    ondemand::object entries;
    if (value.get_object().get(entries) != simdjson::SUCCESS) return IsNo(value, "object");
    for (auto each : entries) {
      ondemand::field field;
      if (const auto error = std::move(each).get(field)) return Broken(error);
      std::string_view key;
      if (const auto error = field.unescaped_key().get(key)) return Broken(error);
      void* const place = shape.emplace_key(object, key);
      if (place == nullptr) return SayAt(field.value(), fmt::format("the key '{}' occurs twice", key));
      if (!ReadValue(*shape.element, field.value(), place)) return Under(fmt::format("[\"{}\"]", key));
    }
    return true;
  }

  bool ReadStruct(const Shape& shape, ondemand::value& value, void* object) {
    ondemand::object fields;
    if (value.get_object().get(fields) != simdjson::SUCCESS) return IsNo(value, "object");
    const std::vector<Key>& keys = KeysOf(shape);
    uint64_t seen = 0;  // by member
    size_t expected = 0;
    for (auto each : fields) {
      ondemand::field field;
      if (const auto error = std::move(each).get(field)) return Broken(error);
      const size_t found = FindMember(keys, field, expected);
      if (found == kBrokenKey) return SayAt(field.value(), "a field's name is no string");
      if (found == kUnknown) {
        if (options_.refuse_unknown_fields) {
          return SayAt(field.value(), fmt::format("{} has no field '{}'", shape.name, key_));
        }
        continue;
      }
      const ShapeMember& member = shape.members[found];
      expected = found + 1;
      const uint64_t bit = uint64_t{1} << found;
      if ((seen & bit) != 0) return SayAt(field.value(), fmt::format("the field '{}' occurs twice", member.name));
      seen |= bit;
      if (!ReadValue(*member.shape, field.value(), static_cast<char*>(object) + member.offset)) {
        return Under("." + member.name);
      }
    }
    return options_.default_missing_fields || AllThere(shape, seen, value);
  }

  bool AllThere(const Shape& shape, uint64_t seen, ondemand::value& value) {
    for (size_t i = 0; i < shape.members.size(); ++i) {
      if ((seen >> i & 1) == 0 && shape.members[i].shape->kind != ShapeKind::kOptional) {
        return SayAt(value, fmt::format("the field '{}' is missing", shape.members[i].name));
      }
    }
    return true;
  }

  static constexpr size_t kUnknown = ~size_t{0};
  static constexpr size_t kBrokenKey = kUnknown - 1;

  size_t Left(const char* from) const { return from < data_ + size_ ? static_cast<size_t>(data_ + size_ - from) : 0; }

  // A member's name with its closing quote; the first 8 bytes as a word.
  struct Key {
    std::string quoted;
    uint64_t word = 0;
    uint64_t mask = 0;

    explicit Key(const std::string& name) : quoted(name + '"') {
      std::memcpy(&word, quoted.data(), std::min(quoted.size(), sizeof(word)));
      mask = quoted.size() >= sizeof(mask) ? ~uint64_t{0} : (uint64_t{1} << (8 * quoted.size())) - 1;
    }
    // raw: what the document has. May look into its padding.
    bool Is(const char* raw, size_t left) const {
      uint64_t begin = 0;
      std::memcpy(&begin, raw, sizeof(begin));
      if ((begin & mask) != word) return false;
      return quoted.size() <= sizeof(word) ||
             (quoted.size() <= left && std::memcmp(raw + 8, quoted.data() + 8, quoted.size() - 8) == 0);
    }
  };

  const std::vector<Key>& KeysOf(const Shape& shape) {
    if (&shape == last_shape_) return *last_keys_;
    auto& keys = keys_[&shape];
    if (keys.empty()) {
      for (const ShapeMember& member : shape.members) keys.emplace_back(member.name);
    }
    last_shape_ = &shape;
    last_keys_ = &keys;
    return keys;
  }

  // Members' names need no escapes, so an equal raw key is the member's. Fields mostly come in the members' order.
  size_t FindMember(const std::vector<Key>& keys, ondemand::field& field, size_t expected) {
    const char* const raw = field.key().raw();
    const size_t left = Left(raw);
    for (size_t i = expected; i < keys.size(); ++i) {
      if (keys[i].Is(raw, left)) return i;
    }
    for (size_t i = 0; i < expected; ++i) {
      if (keys[i].Is(raw, left)) return i;
    }
    size_t bytes = 0;
    while (bytes < left && raw[bytes] != '"' && raw[bytes] != '\\') ++bytes;
    key_ = std::string_view(raw, bytes);
    if (bytes == left || raw[bytes] == '"') return kUnknown;
    if (field.unescaped_key().get(key_) != simdjson::SUCCESS) return kBrokenKey;
    for (size_t i = 0; i < keys.size(); ++i) {
      if (key_.size() + 1 == keys[i].quoted.size() && keys[i].quoted.starts_with(key_)) return i;
    }
    return kUnknown;
  }

  bool IsNull(ondemand::value& value) {
    const std::string_view token = value.raw_json_token();
    if (token.empty() || token.front() != 'n') return false;
    bool is_null = false;
    return value.is_null().get(is_null) == simdjson::SUCCESS && is_null;
  }

  // ---- errors ----

  bool Say(std::string_view text) {
    message_ = text;
    return false;
  }
  bool SayAt(ondemand::value& value, std::string_view text) {
    at_ = static_cast<size_t>(value.raw_json_token().data() - data_);
    return Say(text);
  }
  // Shows the value.
  bool IsNo(ondemand::value& value, std::string_view what) {
    std::string_view token = value.raw_json_token();
    token = token.substr(0, token.find_last_not_of(" \t\r\n") + 1);
    const bool is_short = token.size() <= kShownBytes;
    return SayAt(value, fmt::format("{}{} is no {}", token.substr(0, kShownBytes), is_short ? "" : "...", what));
  }
  bool Broken(simdjson::error_code error) {
    const char* here = nullptr;
    if (document_.current_location().get(here) == simdjson::SUCCESS) at_ = static_cast<size_t>(here - data_);
    return Say(simdjson::error_message(error));
  }
  // On the way back from an error.
  bool Under(std::string_view step) {
    path_.insert(0, step);
    return false;
  }

  absl::Status Failure() const {
    std::string_view path = path_;
    if (path.starts_with('.')) path.remove_prefix(1);
    return InvalidArgument("JSON: {}{}{} (byte {})", path, path.empty() ? "" : ": ", message_, at_);
  }

  const Options options_;
  ondemand::parser parser_;
  ondemand::document document_;  // of the record in hand
  std::string copy_;
  const char* data_ = nullptr;
  size_t size_ = 0;
  std::map<const Shape*, std::vector<Key>> keys_;
  const Shape* last_shape_ = nullptr;
  const std::vector<Key>* last_keys_ = nullptr;
  std::string_view key_;  // the last unknown one
  std::string path_;      // of an error
  std::string message_;
  size_t at_ = 0;
};

Reader::Reader(const Shape& shape, Options options)
    : shape_(shape), options_(options), walk_(std::make_unique<Walk>(options)) {}
Reader::Reader(const Reader& other) : Reader(other.shape_, other.options_) {}
Reader::~Reader() = default;

absl::Status Reader::Validate() const {
  std::string problem = Problems(shape_, "");
  if (!problem.empty()) return InvalidArgument("JSON of {}: {}", shape_.name, problem);
  if (shape_.kind == ShapeKind::kStruct || shape_.kind == ShapeKind::kList || shape_.kind == ShapeKind::kMap) {
    return absl::OkStatus();
  }
  return InvalidArgument("JSON records are structs, lists or maps, not {}", ShapeKindName(shape_.kind));
}

absl::Status Reader::Read(std::string_view text, void* object) { return walk_->Read(text, shape_, object); }

}  // namespace penstock::json
