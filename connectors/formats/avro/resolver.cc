#include "connectors/formats/avro/resolver.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "connectors/formats/avro/binding.h"

namespace penstock::avro {
namespace {

constexpr size_t kStepsMax = 100'000;

bool Contains(const std::vector<std::string>& list, std::string_view text) {
  return std::find(list.begin(), list.end(), text) != list.end();
}

// By the specification's list of promotions; equal types are none.
bool Promotes(Type from, Type to) {
  switch (from) {
    case Type::kInt:
      return to == Type::kLong || to == Type::kFloat || to == Type::kDouble;
    case Type::kLong:
      return to == Type::kFloat || to == Type::kDouble;
    case Type::kFloat:
      return to == Type::kDouble;
    case Type::kString:
      return to == Type::kBytes;
    case Type::kBytes:
      return to == Type::kString;
    default:
      return false;
  }
}

std::string NameOf(const Node& node) {
  if (IsNamed(node.type)) return fmt::format("the {} {}", TypeName(node.type), node.name);
  const bool vowel = node.type == Type::kInt || node.type == Type::kArray;
  return fmt::format("{} {}", vowel ? "an" : "a", TypeName(node.type));
}

Step::Op OpOf(Type written) {
  switch (written) {
    case Type::kNull:
      return Step::Op::kNull;
    case Type::kBoolean:
      return Step::Op::kBoolean;
    case Type::kInt:
    case Type::kLong:
      return Step::Op::kInteger;
    case Type::kFloat:
      return Step::Op::kFloat;
    case Type::kDouble:
      return Step::Op::kDouble;
    default:
      return Step::Op::kString;  // bytes, too
  }
}

}  // namespace

// A piece of the path, for as long as it lives. Conditional: not all data comes by.
class Resolver::Place {
 public:
  Place(Resolver& resolver, std::string_view piece, bool conditional)
      : resolver_(resolver), size_(resolver.path_.size()), conditional_(conditional) {
    if (piece.starts_with('.') && resolver.path_.empty()) piece.remove_prefix(1);
    resolver_.path_ += piece;
    resolver_.maybe_ += conditional_ ? 1 : 0;
  }
  ~Place() {
    resolver_.path_.resize(size_);
    resolver_.maybe_ -= conditional_ ? 1 : 0;
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  Resolver& resolver_;
  const size_t size_;
  const bool conditional_;
};

int Resolver::Add(Step step) {
  steps_.push_back(std::move(step));
  return static_cast<int>(steps_.size()) - 1;
}

void Resolver::Fail(Step& step, std::string message) {
  (maybe_ > 0 ? risks_ : errors_).push_back(path_.empty() ? message : fmt::format("{}: {}", path_, message));
  step.op = Step::Op::kFail;
  step.message = std::move(message);
}

// Types may contain themselves: the step exists before it is filled.
int Resolver::Resolve(int writer, int reader, const Shape* shape) {
  const auto key = std::make_tuple(static_cast<const void*>(from_), writer, reader, shape);
  if (const auto found = known_.find(key); found != known_.end()) return found->second;
  const int index = Add({});
  known_[key] = index;
  Step step;
  step.shape = shape;
  if (steps_.size() > kStepsMax) {
    Fail(step, "the schemas are too large");
  } else {
    Fill(step, writer, reader, shape);
  }
  steps_[static_cast<size_t>(index)] = std::move(step);
  return index;
}

void Resolver::Fill(Step& step, int writer_index, int reader_index, const Shape* shape) {
  const Node& writer = from_->node(writer_index);
  const Node& reader = reader_.node(reader_index);
  step.as = reader.type;
  if (writer.type == Type::kUnion) return FillUnion(step, writer, reader_index, shape);
  if (reader.type == Type::kUnion) return FillReaderUnion(step, writer_index, reader_index, shape);
  if (shape != nullptr && (shape->kind == ShapeKind::kOptional || shape->kind == ShapeKind::kVariant)) {
    return FillWrapped(step, writer_index, reader_index, shape);
  }
  if (writer.type != reader.type) {
    if (!Promotes(writer.type, reader.type)) {
      return Fail(step, fmt::format("{} cannot be read as {}", NameOf(writer), NameOf(reader)));
    }
    return FillPrimitive(step, writer, reader);
  }
  if (IsNamed(reader.type) && !NamesMatch(writer, reader)) {
    return Fail(step, fmt::format("{} cannot be read as {}: another name", NameOf(writer), NameOf(reader)));
  }
  switch (reader.type) {
    case Type::kArray:
    case Type::kMap: {
      step.op = reader.type == Type::kArray ? Step::Op::kArray : Step::Op::kMap;
      const Place place(*this, "[]", false);
      step.child = Resolve(writer.children[0], reader.children[0], shape == nullptr ? nullptr : shape->element);
      return;
    }
    case Type::kFixed:
      return FillNamed(step, writer, reader);
    case Type::kEnum:
      return FillEnum(step, writer, reader);
    case Type::kRecord:
      return FillRecord(step, writer, reader, shape);
    default:
      return FillPrimitive(step, writer, reader);
  }
}

void Resolver::FillUnion(Step& step, const Node& writer, int reader, const Shape* shape) {
  step.op = Step::Op::kUnion;
  const size_t risks = risks_.size();
  bool any = false;
  for (const int branch : writer.children) {
    const Place place(*this, "", true);
    step.branches.push_back(Resolve(branch, reader, shape));
    any = any || steps_[static_cast<size_t>(step.branches.back())].op != Step::Op::kFail;
  }
  // When no branch can be read, nothing can.
  if (any || writer.children.empty() || maybe_ > 0) return;
  errors_.insert(errors_.end(), risks_.begin() + static_cast<std::ptrdiff_t>(risks), risks_.end());
  risks_.resize(risks);
}

void Resolver::FillReaderUnion(Step& step, int writer_index, int reader_index, const Shape* shape) {
  const Node& writer = from_->node(writer_index);
  const Node& reader = reader_.node(reader_index);
  const int branch = BranchFor(writer, reader);
  if (branch < 0) return Fail(step, fmt::format("no branch of the reader's union takes {}", NameOf(writer)));
  Fill(step, writer_index, branch, shape);
}

void Resolver::FillWrapped(Step& step, int writer, int reader, const Shape* shape) {
  const bool is_null = reader_.node(reader).type == Type::kNull;
  if (shape->kind == ShapeKind::kOptional) {
    if (is_null && from_->node(writer).type == Type::kNull) {
      step.op = Step::Op::kNull;
      return;
    }
    step.op = Step::Op::kOptional;
    step.child = Resolve(writer, reader, shape->element);
    return;
  }
  const int alternative = AlternativeOf(reader_, reader, *shape, Direction::kRead);
  if (alternative < 0) return Fail(step, fmt::format("no alternative takes {}", NameOf(reader_.node(reader))));
  step.op = Step::Op::kAlternative;
  step.number = static_cast<size_t>(alternative);
  step.child = Resolve(writer, reader, shape->alternatives[step.number]);
}

void Resolver::FillPrimitive(Step& step, const Node& writer, const Node& reader) {
  step.op = OpOf(writer.type);
  step.as = reader.type;
  step.narrow = writer.type == Type::kInt;
}

void Resolver::FillNamed(Step& step, const Node& writer, const Node& reader) {
  if (writer.size_bytes != reader.size_bytes) {
    return Fail(step, fmt::format("the fixed {} has {} bytes, and {} in the reader's schema", writer.name,
                                  writer.size_bytes, reader.size_bytes));
  }
  step.op = Step::Op::kFixed;
  step.number = writer.size_bytes;
}

void Resolver::FillEnum(Step& step, const Node& writer, const Node& reader) {
  step.op = Step::Op::kEnum;
  const bool typed = step.shape != nullptr && step.shape->kind == ShapeKind::kEnum;
  const Place place(*this, "", true);
  for (const std::string& symbol : writer.symbols) {
    SymbolTarget target{.written = symbol};
    if (Contains(reader.symbols, symbol)) {
      target.symbol = symbol;
    } else if (reader.default_symbol >= 0) {
      target.symbol = reader.symbols[static_cast<size_t>(reader.default_symbol)];
    }
    if (typed && !target.symbol.empty()) {
      const reflect::EnumName* const name = step.shape->EnumByName(target.symbol);
      if (name == nullptr) target.symbol.clear();
      if (name != nullptr) target.value = name->value;
    }
    if (target.symbol.empty()) {
      Step ignored;
      Fail(ignored, fmt::format("the symbol {} of {} is none of the reader's", symbol, writer.name));
    }
    step.symbols.push_back(std::move(target));
  }
}

void Resolver::FillRecord(Step& step, const Node& writer, const Node& reader, const Shape* shape) {
  step.op = Step::Op::kRecord;
  if (shape == nullptr) {
    RecordNames names{.name = reader.name};
    for (const Field& field : reader.fields) names.fields.push_back(field.name);
    step.names = std::make_shared<const RecordNames>(std::move(names));
  }
  std::vector<bool> read(reader.fields.size(), false);
  const auto find = [&](auto matches) { return std::find_if(reader.fields.begin(), reader.fields.end(), matches); };
  for (const Field& field : writer.fields) {
    FieldStep next{.name = field.name, .skip_node = field.node};
    auto found = find([&](const Field& each) { return each.name == field.name; });
    if (found == reader.fields.end()) {
      // By alias, unless the reader's field has its namesake among the writer's.
      found = find([&](const Field& each) {
        return Contains(each.aliases, field.name) &&
               std::none_of(writer.fields.begin(), writer.fields.end(),
                            [&](const Field& other) { return other.name == each.name; });
      });
    }
    const auto index = static_cast<size_t>(found - reader.fields.begin());
    const ShapeMember* member = nullptr;
    if (shape != nullptr && found != reader.fields.end()) {
      for (const ShapeMember& each : shape->members) {
        if (each.name == found->name) member = &each;
      }
    }
    if (found != reader.fields.end() && !read[index]) {
      read[index] = true;
      const Place place(*this, "." + found->name, false);
      if (shape == nullptr || member != nullptr) {
        next.step = Resolve(field.node, found->node, shape == nullptr ? nullptr : member->shape);
        next.target = shape == nullptr ? index : member->offset;
      }
    }
    step.fields.push_back(std::move(next));
  }
  FillDefaults(step, reader, read, shape);
}

// For the reader's fields that the writer has not.
void Resolver::FillDefaults(Step& step, const Node& reader, const std::vector<bool>& read, const Shape* shape) {
  for (size_t i = 0; i < reader.fields.size(); ++i) {
    if (read[i]) continue;
    const Field& field = reader.fields[i];
    if (!field.default_bytes) {
      Step ignored;
      Fail(ignored, fmt::format("the writer has no field '{}' of {}, and the reader no default for it", field.name,
                                reader.name));
      step.op = Step::Op::kFail;
      step.message = ignored.message;
      continue;
    }
    const ShapeMember* member = nullptr;
    for (size_t m = 0; shape != nullptr && m < shape->members.size(); ++m) {
      if (shape->members[m].name == field.name) member = &shape->members[m];
    }
    if (shape != nullptr && member == nullptr) continue;
    const Schema* const outer = std::exchange(from_, &reader_);
    step.defaults.push_back({*field.default_bytes,
                             Resolve(field.node, field.node, member == nullptr ? nullptr : member->shape),
                             member == nullptr ? i : member->offset});
    from_ = outer;
  }
}

// The reader's branch for a writer's type that is no union: of the same type, else the first it promotes to.
int Resolver::BranchFor(const Node& writer, const Node& reader) const {
  for (const int branch : reader.children) {
    const Node& node = reader_.node(branch);
    if (node.type == writer.type && (!IsNamed(node.type) || NamesMatch(writer, node))) return branch;
  }
  for (const int branch : reader.children) {
    if (Promotes(writer.type, reader_.node(branch).type)) return branch;
  }
  return -1;
}

bool Resolver::NamesMatch(const Node& writer, const Node& reader) const {
  if (!options_.match_names || Unqualified(writer.name) == Unqualified(reader.name)) return true;
  return std::any_of(reader.aliases.begin(), reader.aliases.end(), [&](const std::string& alias) {
    return alias == writer.name || Unqualified(alias) == Unqualified(writer.name);
  });
}

std::vector<std::string> Incompatibilities(const SchemaPtr& writer, const SchemaPtr& reader,
                                           const ResolveOptions& options) {
  Resolver resolver(*writer, *reader, options);
  resolver.Run(nullptr);
  std::vector<std::string> all = resolver.errors();
  all.insert(all.end(), resolver.risks().begin(), resolver.risks().end());
  return all;
}

}  // namespace penstock::avro
