#include <algorithm>
#include <charconv>

#include "penstock/formats/csv.h"
#include "runtime/core/status.h"

namespace penstock::csv {
namespace {

void AppendText(const Options& options, std::string_view text, bool quote, std::string& out) {
  quote = quote || std::any_of(text.begin(), text.end(), [&](char c) {
            return c == options.delimiter || c == options.quote || c == '\n' || c == '\r';
          });
  if (!quote) {
    out += text;
    return;
  }
  out += options.quote;
  for (const char c : text) {
    if (c == options.quote) out += c;
    out += c;
  }
  out += options.quote;
}

template <class T>
void AppendNumber(T value, std::string& out) {
  char text[64];
  out.append(text, std::to_chars(text, text + sizeof(text), value).ptr);
}

// quote_empty: an empty string would read back as none.
void AppendField(const Options& options, const Shape& shape, const void* object, bool quote_empty, std::string& out) {
  switch (shape.kind) {
    case ShapeKind::kOptional:
      if (shape.count(object) > 0) AppendField(options, *shape.element, shape.at(object, 0), true, out);
      return;
    case ShapeKind::kString: {
      const auto& text = *static_cast<const std::string*>(object);
      return AppendText(options, text, quote_empty && text.empty(), out);
    }
    case ShapeKind::kBool:
      out += *static_cast<const bool*>(object) ? "true" : "false";
      return;
    case ShapeKind::kFloat:
      return AppendNumber(*static_cast<const float*>(object), out);
    case ShapeKind::kDouble:
      return AppendNumber(*static_cast<const double*>(object), out);
    case ShapeKind::kEnum: {
      const reflect::EnumName* const name = shape.EnumByValue(LoadEnum(shape, object));
      if (name != nullptr) return AppendText(options, name->name, false, out);
      return AppendNumber(LoadEnum(shape, object), out);
    }
    default:
      if (IsSigned(shape.kind)) return AppendNumber(LoadSigned(shape.kind, object), out);
      return AppendNumber(LoadUnsigned(shape.kind, object), out);
  }
}

}  // namespace

Appender::Appender(const Shape& shape, Options options) : options_(std::move(options)) {
  Options lenient = options_;
  lenient.default_missing_columns = true;  // members that are not written
  valid_ = Reader(shape, std::move(lenient)).Validate();
  if (!valid_.ok()) return;
  if (options_.columns.empty()) {
    for (const ShapeMember& member : shape.members) members_.push_back(&member);
  }
  for (const std::string& column : options_.columns) {
    const auto member = std::find_if(shape.members.begin(), shape.members.end(),
                                     [&](const ShapeMember& each) { return each.name == column; });
    if (member == shape.members.end()) {
      valid_ = InvalidArgument("CSV: {} has no member for the column '{}'", shape.name, column);
      return;
    }
    members_.push_back(&*member);
  }
}

void Appender::Append(const void* object, std::string& out) const {
  const bool alone = members_.size() == 1;  // an empty line would be no record
  for (size_t i = 0; i < members_.size(); ++i) {
    if (i > 0) out += options_.delimiter;
    AppendField(options_, *members_[i]->shape, static_cast<const char*>(object) + members_[i]->offset, alone, out);
  }
}

std::string Appender::header() const {
  std::string text;
  for (size_t i = 0; i < members_.size(); ++i) {
    if (i > 0) text += options_.delimiter;
    AppendText(options_, members_[i]->name, false, text);
  }
  return text;
}

}  // namespace penstock::csv
