#include "runtime/state/schema_resolver.h"

#include <algorithm>
#include <vector>

#include "runtime/core/status.h"

namespace penstock {
namespace {

bool IsInteger(TypeKind kind) { return kind == TypeKind::kInt || kind == TypeKind::kUint; }

bool Widens(const Schema& from, const Schema& to) {
  if (from.kind == to.kind && (IsInteger(from.kind) || from.kind == TypeKind::kFloat)) {
    return to.width_bytes > from.width_bytes;
  }
  return from.kind == TypeKind::kUint && to.kind == TypeKind::kInt && to.width_bytes > from.width_bytes;
}

// Position of the writer's field that the reader's field `i` is read from; -1: none.
int SourceOf(const Schema& from, const Schema& to, size_t i) {
  const auto named = [&](const std::string& name) {
    for (size_t j = 0; j < from.fields.size(); ++j) {
      if (from.fields[j].name == name) return static_cast<int>(j);
    }
    return -1;
  };
  if (const int same = named(to.fields[i].name); same >= 0) return same;
  for (const std::string& earlier : to.fields[i].earlier_names) {
    if (const int found = named(earlier); found >= 0) return found;
  }
  return -1;
}

bool CanSkip(const Schema& schema) {
  return schema.kind != TypeKind::kOpaque &&
         std::all_of(schema.children.begin(), schema.children.end(), [](const Schema& c) { return CanSkip(c); });
}

bool Skip(const Schema& schema, ByteReader& in) {
  std::string_view ignored;
  uint64_t count = 0;
  switch (schema.kind) {
    case TypeKind::kVoid:
      return true;
    case TypeKind::kBool:
      return in.GetView(1, ignored);
    case TypeKind::kInt:
    case TypeKind::kUint:
    case TypeKind::kFloat:
      return in.GetView(schema.width_bytes, ignored);
    case TypeKind::kString:
    case TypeKind::kProtobuf:
      return detail::ReadString(in, ignored);
    case TypeKind::kTimed:
      return in.GetView(sizeof(int64_t), ignored) && Skip(schema.children[0], in);
    case TypeKind::kOptional: {
      bool present = false;
      return Serde<bool>::Read(in, present) && (!present || Skip(schema.children[0], in));
    }
    case TypeKind::kVector:
    case TypeKind::kMap:
      if (!in.GetVarint(count)) return false;
      for (uint64_t i = 0; i < count; ++i) {
        // Elements without bytes would make the count alone decide how long this takes.
        if (in.remaining() == 0) return false;
        for (const Schema& child : schema.children) {
          if (!Skip(child, in)) return false;
        }
      }
      return true;
    case TypeKind::kDuration:
    case TypeKind::kTuple:
    case TypeKind::kStruct:
      return std::all_of(schema.children.begin(), schema.children.end(), [&](const Schema& c) { return Skip(c, in); });
    case TypeKind::kOpaque:
      return false;
  }
  return false;
}

// What changes from one schema to the other, and what forbids it.
class Comparer {
 public:
  void Compare(const Schema& from, const Schema& to, const std::string& path) {
    if (from.kind == TypeKind::kTimed || to.kind == TypeKind::kTimed) {
      return CompareWrapped(from, to, path, TypeKind::kTimed, "a time stamp");
    }
    if (from.kind == TypeKind::kOptional || to.kind == TypeKind::kOptional) {
      return CompareWrapped(from, to, path, TypeKind::kOptional, "optional");
    }
    if (Widens(from, to)) return Change(path, fmt::format("widens from {} to {}", from.ToText(), to.ToText()));
    if (from.kind == TypeKind::kStruct && to.kind == TypeKind::kStruct) return CompareStructs(from, to, path);
    if (from.kind != to.kind || from.width_bytes != to.width_bytes || from.name != to.name ||
        from.children.size() != to.children.size()) {
      return Forbid(path, fmt::format("was {} and is {}", from.ToText(), to.ToText()));
    }
    for (size_t i = 0; i < from.children.size(); ++i) Compare(from.children[i], to.children[i], path + "[]");
  }
  SchemaComparison Result() const {
    if (!forbidden_.empty()) return {SchemaMatch::kIncompatible, forbidden_};
    return changes_.empty() ? SchemaComparison{} : SchemaComparison{SchemaMatch::kCompatible, changes_};
  }

 private:
  void CompareWrapped(const Schema& from, const Schema& to, const std::string& path, TypeKind kind, const char* what) {
    if (from.kind == kind && to.kind == kind) return Compare(from.children[0], to.children[0], path);
    if (from.kind == kind) {
      Change(path, fmt::format("loses {}", what));
      return Compare(from.children[0], to, path);
    }
    Change(path, fmt::format("gains {}", what));
    Compare(from, to.children[0], path);
  }
  void CompareStructs(const Schema& from, const Schema& to, const std::string& path) {
    std::vector<bool> used(from.fields.size());
    for (size_t i = 0; i < to.fields.size(); ++i) {
      const std::string at = path.empty() ? to.fields[i].name : path + "." + to.fields[i].name;
      const int source = SourceOf(from, to, i);
      if (source < 0) {
        Change(at, "is new");
        continue;
      }
      if (used[source]) Forbid(at, fmt::format("is read from '{}', as another field is", from.fields[source].name));
      used[source] = true;
      if (from.fields[source].name != to.fields[i].name) {
        Change(at, fmt::format("was named '{}'", from.fields[source].name));
      } else if (source != static_cast<int>(i)) {
        Change(at, "has moved");
      }
      Compare(from.children[source], to.children[i], at);
    }
    for (size_t j = 0; j < from.fields.size(); ++j) {
      if (used[j]) continue;
      const std::string at = path.empty() ? from.fields[j].name : path + "." + from.fields[j].name;
      if (CanSkip(from.children[j])) {
        Change(at, "is gone");
      } else {
        Forbid(at, fmt::format("is gone, and {} cannot be skipped", from.children[j].ToText()));
      }
    }
  }
  static void Append(std::string& list, const std::string& path, const std::string& what) {
    if (!list.empty()) list += "; ";
    list += path.empty() ? "the value " + what : "'" + path + "' " + what;
  }
  void Change(const std::string& path, const std::string& what) { Append(changes_, path, what); }
  void Forbid(const std::string& path, const std::string& what) { Append(forbidden_, path, what); }

  std::string changes_;
  std::string forbidden_;
};

bool WidenInteger(const Schema& from, const Schema& to, ByteReader& in, ByteWriter& out) {
  std::string_view bytes;
  if (!in.GetView(from.width_bytes, bytes)) return false;
  const bool negative = from.kind == TypeKind::kInt && (static_cast<uint8_t>(bytes.back()) & 0x80) != 0;
  out.Put(bytes.data(), bytes.size());
  for (int i = from.width_bytes; i < to.width_bytes; ++i) out.PutByte(negative ? 0xff : 0);
  return true;
}

template <class From>
bool WidenFloat(const Schema& to, ByteReader& in, ByteWriter& out) {
  From value{};
  if (!in.GetFixed(value)) return false;
  if (to.width_bytes == sizeof(double)) {
    out.PutFixed(static_cast<double>(value));
  } else {
    out.PutFixed(static_cast<long double>(value));
  }
  return true;
}

}  // namespace

SchemaComparison CompareSchemas(const Schema& writer, const Schema& reader) {
  Comparer comparer;
  comparer.Compare(writer, reader, "");
  return comparer.Result();
}

SchemaResolver::SchemaResolver(Schema writer, Schema reader, int64_t now_ms)
    : writer_(std::move(writer)), reader_(std::move(reader)), now_ms_(now_ms) {}

absl::StatusOr<std::unique_ptr<SchemaResolver>> SchemaResolver::Make(Schema writer, Schema reader, int64_t now_ms) {
  const SchemaComparison comparison = CompareSchemas(writer, reader);
  if (comparison.match == SchemaMatch::kIncompatible) {
    return InvalidArgument("{}; the state has {}, the program reads {}", comparison.reason, writer.ToText(),
                           reader.ToText());
  }
  return std::unique_ptr<SchemaResolver>(new SchemaResolver(std::move(writer), std::move(reader), now_ms));
}

bool SchemaResolver::Convert(std::string_view value, ByteWriter& out) const {
  ByteReader in(value);
  return ConvertValue(writer_, reader_, in, out) && in.remaining() == 0;
}

bool SchemaResolver::ConvertValue(const Schema& from, const Schema& to, ByteReader& in, ByteWriter& out) const {
  if (from.kind == TypeKind::kTimed || to.kind == TypeKind::kTimed) {
    int64_t at_ms = now_ms_;
    const bool was = from.kind == TypeKind::kTimed;
    const bool is = to.kind == TypeKind::kTimed;
    if (was && !in.GetFixed(at_ms)) return false;
    if (is) out.PutFixed(at_ms);
    return ConvertValue(was ? from.children[0] : from, is ? to.children[0] : to, in, out);
  }
  if (from.kind == TypeKind::kOptional || to.kind == TypeKind::kOptional) {
    bool present = true;
    const bool was = from.kind == TypeKind::kOptional;
    const bool is = to.kind == TypeKind::kOptional;
    if (was && !Serde<bool>::Read(in, present)) return false;
    if (is) out.PutByte(present ? 1 : 0);
    if (present) return ConvertValue(was ? from.children[0] : from, is ? to.children[0] : to, in, out);
    if (!is) out.Put(to.default_bytes.data(), to.default_bytes.size());
    return true;
  }
  if (Widens(from, to)) {
    if (from.kind != TypeKind::kFloat) return WidenInteger(from, to, in, out);
    return from.width_bytes == sizeof(float) ? WidenFloat<float>(to, in, out) : WidenFloat<double>(to, in, out);
  }
  std::string_view bytes;
  uint64_t count = 0;
  switch (from.kind) {
    case TypeKind::kStruct:
      return ConvertStruct(from, to, in, out);
    case TypeKind::kVector:
    case TypeKind::kMap:
      if (!in.GetVarint(count)) return false;
      out.PutVarint(count);
      for (uint64_t i = 0; i < count; ++i) {
        if (in.remaining() == 0) return false;
        for (size_t c = 0; c < from.children.size(); ++c) {
          if (!ConvertValue(from.children[c], to.children[c], in, out)) return false;
        }
      }
      return true;
    case TypeKind::kTuple:
    case TypeKind::kDuration:
      for (size_t c = 0; c < from.children.size(); ++c) {
        if (!ConvertValue(from.children[c], to.children[c], in, out)) return false;
      }
      return true;
    case TypeKind::kString:
    case TypeKind::kProtobuf:
      if (!detail::ReadString(in, bytes)) return false;
      detail::WriteString(bytes, out);
      return true;
    case TypeKind::kOpaque: {
      const ByteReader before = in;
      if (to.skip == nullptr || !to.skip(in)) return false;
      ByteReader same = before;
      if (!same.GetView(before.remaining() - in.remaining(), bytes)) return false;
      break;
    }
    default:
      if (!in.GetView(from.kind == TypeKind::kBool ? 1 : from.width_bytes, bytes)) return false;
  }
  out.Put(bytes.data(), bytes.size());
  return true;
}

bool SchemaResolver::ConvertStruct(const Schema& from, const Schema& to, ByteReader& in, ByteWriter& out) const {
  // Where each of the writer's fields begins; the reader takes them in its own order.
  std::vector<ByteReader> begins;
  begins.reserve(from.children.size());
  bool in_order = from.fields.size() == to.fields.size();
  for (size_t i = 0; in_order && i < to.fields.size(); ++i) in_order = SourceOf(from, to, i) == static_cast<int>(i);
  if (in_order) {
    for (size_t i = 0; i < from.children.size(); ++i) {
      if (!ConvertValue(from.children[i], to.children[i], in, out)) return false;
    }
    return true;
  }
  std::vector<int> reader_of(from.children.size(), -1);
  for (size_t i = 0; i < to.fields.size(); ++i) {
    if (const int source = SourceOf(from, to, i); source >= 0) reader_of[source] = static_cast<int>(i);
  }
  for (size_t j = 0; j < from.children.size(); ++j) {
    begins.push_back(in);
    ByteWriter ignored;
    // Opaque values are skipped by converting them: only the reader knows how long they are.
    const bool skipped = reader_of[j] >= 0 ? ConvertValue(from.children[j], to.children[reader_of[j]], in, ignored)
                                           : Skip(from.children[j], in);
    if (!skipped) return false;
  }
  for (size_t i = 0; i < to.fields.size(); ++i) {
    const int source = SourceOf(from, to, i);
    if (source < 0) {
      out.Put(to.fields[i].default_bytes.data(), to.fields[i].default_bytes.size());
    } else if (!ConvertValue(from.children[source], to.children[i], begins[source], out)) {
      return false;
    }
  }
  return true;
}

}  // namespace penstock
