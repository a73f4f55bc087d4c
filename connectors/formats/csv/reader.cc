#include <algorithm>
#include <charconv>
#include <set>

#include "penstock/formats/csv.h"
#include "runtime/core/status.h"

namespace penstock::csv {
namespace {

constexpr size_t kShownBytes = 40;  // of a field that an error shows

const Shape& Inner(const Shape& shape) { return shape.kind == ShapeKind::kOptional ? *shape.element : shape; }

bool IsField(const Shape& shape) {
  switch (Inner(shape).kind) {
    case ShapeKind::kNull:
    case ShapeKind::kOptional:
    case ShapeKind::kList:
    case ShapeKind::kMap:
    case ShapeKind::kVariant:
    case ShapeKind::kStruct:
      return false;
    default:
      return true;
  }
}

template <class T>
bool Number(std::string_view text, T* value) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, *value);
  return error == std::errc() && stop == end;
}

template <class T>
bool Integer(ShapeKind kind, std::string_view text, void* object) {
  T value = 0;
  return Number(text, &value) && StoreInteger(kind, value, object);
}

bool Boolean(std::string_view text, bool* value) {
  *value = text == "true" || text == "1";
  return *value || text == "false" || text == "0";
}

// False: the text is no value of the shape.
bool Store(const Shape& shape, std::string_view text, void* object) {
  switch (shape.kind) {
    case ShapeKind::kString:
      static_cast<std::string*>(object)->assign(text);
      return true;
    case ShapeKind::kBool:
      return Boolean(text, static_cast<bool*>(object));
    case ShapeKind::kFloat:
      return Number(text, static_cast<float*>(object));
    case ShapeKind::kDouble:
      return Number(text, static_cast<double*>(object));
    case ShapeKind::kEnum: {
      const reflect::EnumName* const name = shape.EnumByName(text);
      return name != nullptr && StoreInteger(shape.integer, name->value, object);
    }
    default:
      return IsSigned(shape.kind) ? Integer<int64_t>(shape.kind, text, object)
                                  : Integer<uint64_t>(shape.kind, text, object);
  }
}

std::string NameOf(const Shape& shape) {
  return shape.kind == ShapeKind::kEnum ? "value of " + shape.name : ShapeKindName(shape.kind);
}

}  // namespace

Reader::Reader(const Shape& shape, Options options)
    : shape_(shape), options_(std::move(options)), columns_(options_.columns), valid_(Plan()) {}

absl::Status Reader::Plan() {
  if (shape_.kind != ShapeKind::kStruct) return InvalidArgument("CSV records are structs");
  if (options_.delimiter == options_.quote) return InvalidArgument("CSV: delimiter and quote are the same");
  for (const ShapeMember& member : shape_.members) {
    if (!IsField(*member.shape)) {
      return InvalidArgument("CSV of {}: {} is a {}, which is no field of CSV", shape_.name, member.name,
                             ShapeKindName(Inner(*member.shape).kind));
    }
    if (options_.columns.empty()) columns_.push_back(member.name);
  }
  std::set<std::string> found;
  for (const std::string& column : columns_) {
    const auto member = std::find_if(shape_.members.begin(), shape_.members.end(),
                                     [&](const ShapeMember& each) { return each.name == column; });
    targets_.push_back(member == shape_.members.end() ? nullptr : &*member);
    if (targets_.back() == nullptr && options_.refuse_unknown_columns) {
      return InvalidArgument("CSV: {} has no member for the column '{}'", shape_.name, column);
    }
    if (!found.insert(column).second) return InvalidArgument("CSV: the column '{}' is named twice", column);
  }
  for (const ShapeMember& member : shape_.members) {
    if (found.contains(member.name) || member.shape->kind == ShapeKind::kOptional) continue;
    if (!options_.default_missing_columns) {
      return InvalidArgument("CSV: there is no column for {}.{}", shape_.name, member.name);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> Reader::Read(std::string_view text, void* object) {
  PENSTOCK_RETURN_IF_ERROR(valid_);
  if (text.ends_with('\n')) text.remove_suffix(1);
  if (text.ends_with('\r')) text.remove_suffix(1);
  PENSTOCK_RETURN_IF_ERROR(Split(text));
  if (options_.skip_header && IsHeader()) return false;
  if (fields_.size() != columns_.size()) {
    return InvalidArgument("CSV: {} fields, but {} columns (byte {})", fields_.size(), columns_.size(), text.size());
  }
  for (size_t column = 0; column < fields_.size(); ++column) {
    if (targets_[column] != nullptr) PENSTOCK_RETURN_IF_ERROR(Fill(fields_[column], column, object));
  }
  return true;
}

absl::Status Reader::Split(std::string_view text) {
  fields_.clear();
  unquoted_count_ = 0;
  size_t at = 0;
  while (true) {
    Field& field = fields_.emplace_back();
    field.at = at;
    if (at < text.size() && text[at] == options_.quote) {
      PENSTOCK_ASSIGN_OR_RETURN(at, TakeQuoted(text, at, &field));
    } else {
      const size_t begin = at;
      while (at < text.size() && text[at] != options_.delimiter) {
        if (text[at] == options_.quote) {
          return InvalidArgument("CSV: a quote in column {}, which does not begin with one (byte {})", fields_.size(),
                                 at);
        }
        if (text[at] == '\n' || text[at] == '\r') {
          return InvalidArgument("CSV: a line break outside of quotes (byte {})", at);
        }
        ++at;
      }
      field.text = text.substr(begin, at - begin);
    }
    if (at == text.size()) return absl::OkStatus();
    if (text[at] != options_.delimiter) {
      return InvalidArgument("CSV: text behind the closing quote of column {} (byte {})", fields_.size(), at);
    }
    ++at;
  }
}

// Returns where the field ends.
absl::StatusOr<size_t> Reader::TakeQuoted(std::string_view text, size_t at, Field* field) {
  const size_t begin = at + 1;
  field->quoted = true;
  std::string* joined = nullptr;  // once there is a doubled quote
  size_t piece = begin;
  while (true) {
    const size_t quote = text.find(options_.quote, piece);
    if (quote == std::string_view::npos) {
      return InvalidArgument("CSV: the quote of column {} is not closed (byte {})", fields_.size(), at);
    }
    const bool doubled = quote + 1 < text.size() && text[quote + 1] == options_.quote;
    if (doubled && joined == nullptr) {
      // Views into strings of this vector must not move: short strings lie in it.
      if (unquoted_.size() < columns_.size()) unquoted_.resize(columns_.size());
      if (unquoted_count_ == unquoted_.size()) {
        return InvalidArgument("CSV: more than {} columns (byte {})", columns_.size(), at);
      }
      joined = &unquoted_[unquoted_count_++];
      joined->clear();
    }
    if (joined != nullptr) joined->append(text, piece, quote + (doubled ? 1 : 0) - piece);
    if (!doubled) {
      field->text = joined != nullptr ? std::string_view(*joined) : text.substr(begin, quote - begin);
      return quote + 1;
    }
    piece = quote + 2;
  }
}

bool Reader::IsHeader() const {
  return fields_.size() == columns_.size() &&
         std::equal(fields_.begin(), fields_.end(), columns_.begin(),
                    [](const Field& field, const std::string& column) { return field.text == column; });
}

absl::Status Reader::Fill(const Field& field, size_t column, void* object) const {
  const ShapeMember& member = *targets_[column];
  void* place = static_cast<char*>(object) + member.offset;
  if (member.shape->kind == ShapeKind::kOptional) {
    if (field.text.empty() && !field.quoted) return absl::OkStatus();
    place = member.shape->emplace(place);
  }
  const Shape& shape = Inner(*member.shape);
  if (Store(shape, field.text, place)) return absl::OkStatus();
  return InvalidArgument("CSV: column {} ({}): '{}{}' is no {} (byte {})", column + 1, member.name,
                         field.text.substr(0, kShownBytes), field.text.size() > kShownBytes ? "..." : "", NameOf(shape),
                         field.at);
}

}  // namespace penstock::csv
