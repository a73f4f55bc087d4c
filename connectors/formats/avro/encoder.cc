// Writes structs and Values by a schema.
#include <algorithm>
#include <deque>
#include <limits>

#include "connectors/formats/avro/binding.h"
#include "connectors/formats/avro/wire.h"
#include "penstock/formats/avro/codec.h"
#include "penstock/formats/avro/value.h"
#include "runtime/core/status.h"

namespace penstock::avro {
namespace {

// How an object of one shape is written as one type. A tree, as shapes are.
struct WriteStep {
  Type type = Type::kNull;
  const Shape* shape = nullptr;
  std::string name;       // of what it belongs to, for messages
  size_t size_bytes = 0;  // fixed
  const Node* node = nullptr;
  const WriteStep* child = nullptr;  // array, map
  std::vector<int64_t> symbols;      // enum: by index in the shape's enum_names; -1: none
  // Union: by alternative (a variant), [none, value] (an optional), [value] (others).
  struct Branch {
    int64_t index = 0;
    const WriteStep* step = nullptr;
  };
  std::vector<Branch> branches;
  struct Part {
    size_t offset = 0;
    const WriteStep* step = nullptr;  // null: the default stands in
    std::string default_bytes;
  };
  std::vector<Part> parts;  // record, in the schema's order
};

class StructEncoder final : public Encoder {
 public:
  StructEncoder(SchemaPtr schema, const Shape& shape) : schema_(std::move(schema)) {
    root_ = Plan(schema_->root_index(), shape, shape.name);
  }

  absl::Status Write(const void* object, std::string& out) const override { return Put(*root_, object, out); }

 private:
  const WriteStep* Plan(int index, const Shape& shape, const std::string& name) {
    const Node& node = schema_->node(index);
    WriteStep& step = steps_.emplace_back();
    step.type = node.type;
    step.shape = &shape;
    step.name = name;
    step.node = &node;
    step.size_bytes = node.size_bytes;
    if (node.type == Type::kUnion) PlanUnion(step, node);
    if (node.type == Type::kArray || node.type == Type::kMap) {
      step.child = Plan(node.children[0], *shape.element, name + "[]");
    }
    if (node.type == Type::kRecord) PlanRecord(step, node);
    if (node.type == Type::kEnum && shape.kind == ShapeKind::kEnum) {
      for (const reflect::EnumName& each : shape.enum_names) step.symbols.push_back(SymbolOf(node, each.name));
    }
    return &step;
  }

  static int64_t SymbolOf(const Node& node, std::string_view symbol) {
    const auto found = std::find(node.symbols.begin(), node.symbols.end(), symbol);
    return found == node.symbols.end() ? -1 : found - node.symbols.begin();
  }

  // The binding has been checked: there is a branch.
  WriteStep::Branch BranchFor(const Node& node, const Shape& shape, const std::string& name) {
    for (size_t i = 0; i < node.children.size(); ++i) {
      if (BindingProblem(*schema_, node.children[i], shape, Direction::kWrite, "").empty()) {
        return {static_cast<int64_t>(i), Plan(node.children[i], shape, name)};
      }
    }
    return {};
  }

  void PlanUnion(WriteStep& step, const Node& node) {
    const Shape* shape = step.shape;
    if (shape->kind == ShapeKind::kOptional) {
      step.branches.push_back(BranchFor(node, ShapeOf<std::monostate>(), step.name));
      // A variant inside has branches of this same union.
      if (shape->element->kind == ShapeKind::kVariant) {
        step.branches.push_back({-1, Plan(static_cast<int>(&node - &schema_->node(0)), *shape->element, step.name)});
      } else {
        step.branches.push_back(BranchFor(node, *shape->element, step.name));
      }
    } else if (shape->kind == ShapeKind::kVariant) {
      for (const Shape* each : shape->alternatives) step.branches.push_back(BranchFor(node, *each, step.name));
    } else {
      step.branches.push_back(BranchFor(node, *shape, step.name));
    }
  }

  void PlanRecord(WriteStep& step, const Node& node) {
    for (const Field& field : node.fields) {
      WriteStep::Part part;
      for (const ShapeMember& member : step.shape->members) {
        if (member.name != field.name) continue;
        part.offset = member.offset;
        part.step = Plan(field.node, *member.shape, step.name + "." + member.name);
      }
      if (part.step == nullptr) part.default_bytes = *field.default_bytes;
      step.parts.push_back(std::move(part));
    }
  }

  absl::Status Put(const WriteStep& step, const void* object, std::string& out) const {
    switch (step.type) {
      case Type::kNull:
        return absl::OkStatus();
      case Type::kBoolean:
        out += *static_cast<const bool*>(object) ? '\1' : '\0';
        return absl::OkStatus();
      case Type::kInt:
      case Type::kLong:
        return PutInteger(step, object, out);
      case Type::kFloat:
        PutFloating(*static_cast<const float*>(object), out);
        return absl::OkStatus();
      case Type::kDouble:
        PutFloating(step.shape->kind == ShapeKind::kFloat ? static_cast<double>(*static_cast<const float*>(object))
                                                          : *static_cast<const double*>(object),
                    out);
        return absl::OkStatus();
      case Type::kBytes:
      case Type::kString:
        PutBytes(*static_cast<const std::string*>(object), out);
        return absl::OkStatus();
      case Type::kFixed: {
        const auto& bytes = *static_cast<const std::string*>(object);
        if (bytes.size() != step.size_bytes) {
          return InvalidArgument("Avro: {}: {} bytes for a fixed of {}", step.name, bytes.size(), step.size_bytes);
        }
        out += bytes;
        return absl::OkStatus();
      }
      case Type::kEnum:
        return PutEnum(step, object, out);
      case Type::kArray:
      case Type::kMap:
        return PutItems(step, object, out);
      case Type::kUnion:
        return PutUnion(step, object, out);
      case Type::kRecord:
        for (const WriteStep::Part& part : step.parts) {
          if (part.step == nullptr) {
            out += part.default_bytes;
          } else {
            PENSTOCK_RETURN_IF_ERROR(Put(*part.step, static_cast<const char*>(object) + part.offset, out));
          }
        }
        return absl::OkStatus();
    }
    return Internal("no such type");
  }

  absl::Status PutInteger(const WriteStep& step, const void* object, std::string& out) const {
    const ShapeKind kind = step.shape->kind;
    const uint64_t bits = IsUnsigned(kind) ? LoadUnsigned(kind, object) : 0;
    const int64_t value = IsUnsigned(kind) ? static_cast<int64_t>(bits) : LoadSigned(kind, object);
    const bool too_large = bits > static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
    if (too_large || (step.type == Type::kInt && value != static_cast<int32_t>(value))) {
      return InvalidArgument("Avro: {}: {} is no {}", step.name,
                             too_large ? fmt::to_string(bits) : fmt::to_string(value), TypeName(step.type));
    }
    PutLong(value, out);
    return absl::OkStatus();
  }

  absl::Status PutEnum(const WriteStep& step, const void* object, std::string& out) const {
    int64_t symbol = -1;
    std::string shown;
    if (step.shape->kind == ShapeKind::kString) {
      shown = *static_cast<const std::string*>(object);
      symbol = SymbolOf(*step.node, shown);
    } else {
      const int64_t value = LoadEnum(*step.shape, object);
      for (size_t i = 0; i < step.symbols.size(); ++i) {
        if (step.shape->enum_names[i].value == value) symbol = step.symbols[i];
      }
      if (symbol < 0) shown = fmt::to_string(value);
    }
    if (symbol < 0) return InvalidArgument("Avro: {}: {} is no symbol of {}", step.name, shown, step.node->name);
    PutLong(symbol, out);
    return absl::OkStatus();
  }

  absl::Status PutItems(const WriteStep& step, const void* object, std::string& out) const {
    const size_t count = step.shape->count(object);
    if (count > 0) PutLong(static_cast<int64_t>(count), out);
    absl::Status status;
    if (step.type == Type::kArray) {
      for (size_t i = 0; i < count && status.ok(); ++i) status = Put(*step.child, step.shape->at(object, i), out);
    } else {
      step.shape->each_entry(object, [&](const std::string& key, const void* value) {
        if (!status.ok()) return;
        PutBytes(key, out);
        status = Put(*step.child, value, out);
      });
    }
    out += '\0';
    return status;
  }

  absl::Status PutUnion(const WriteStep& step, const void* object, std::string& out) const {
    const ShapeKind kind = step.shape->kind;
    size_t which = 0;
    if (kind == ShapeKind::kOptional || kind == ShapeKind::kVariant) {
      which = step.shape->count(object);
      if (kind == ShapeKind::kVariant || which > 0) object = step.shape->at(object, 0);
    }
    if (which >= step.branches.size()) return InvalidArgument("Avro: {}: a variant without a value", step.name);
    const WriteStep::Branch& branch = step.branches[which];
    if (branch.index >= 0) PutLong(branch.index, out);
    return Put(*branch.step, object, out);
  }

  const SchemaPtr schema_;
  std::deque<WriteStep> steps_;  // they point at each other
  const WriteStep* root_ = nullptr;
};

class ValueEncoder final : public Encoder {
 public:
  explicit ValueEncoder(SchemaPtr schema) : schema_(std::move(schema)) {}

  absl::Status Write(const void* object, std::string& out) const override {
    return Put(schema_->root(), *static_cast<const Value*>(object), out);
  }

 private:
  template <class T>
  static bool Takes(const Value& value) {
    return value.get_if<T>() != nullptr;
  }

  // Without looking into arrays, maps and records' fields.
  static bool Takes(const Node& node, const Value& value) {
    switch (node.type) {
      case Type::kNull:
        return value.is_null();
      case Type::kBoolean:
        return Takes<bool>(value);
      case Type::kInt:
        return Takes<int32_t>(value);
      case Type::kLong:
        return Takes<int64_t>(value) || Takes<int32_t>(value);
      case Type::kFloat:
        return Takes<float>(value);
      case Type::kDouble:
        return Takes<double>(value) || Takes<float>(value);
      case Type::kBytes:
        return Takes<Binary>(value);
      case Type::kString:
        return Takes<std::string>(value);
      case Type::kArray:
        return Takes<Array>(value);
      case Type::kMap:
        return Takes<Map>(value);
      case Type::kUnion:
        return true;
      case Type::kFixed:
        return Takes<Fixed>(value) && value.get_if<Fixed>()->bytes.size() == node.size_bytes;
      case Type::kEnum:
        return Takes<Enum>(value) &&
               std::find(node.symbols.begin(), node.symbols.end(), value.get_if<Enum>()->symbol) != node.symbols.end();
      case Type::kRecord:
        return Takes<Record>(value) && value.get_if<Record>()->names != nullptr &&
               Unqualified(value.get_if<Record>()->names->name) == Unqualified(node.name);
    }
    return false;
  }

  absl::Status Put(const Node& node, const Value& value, std::string& out) const {
    if (!Takes(node, value)) return InvalidArgument("Avro: a value that is no {}", TypeName(node.type));
    switch (node.type) {
      case Type::kNull:
        return absl::OkStatus();
      case Type::kBoolean:
        out += *value.get_if<bool>() ? '\1' : '\0';
        return absl::OkStatus();
      case Type::kInt:
      case Type::kLong:
        PutLong(Takes<int32_t>(value) ? *value.get_if<int32_t>() : *value.get_if<int64_t>(), out);
        return absl::OkStatus();
      case Type::kFloat:
        PutFloating(*value.get_if<float>(), out);
        return absl::OkStatus();
      case Type::kDouble:
        PutFloating(Takes<float>(value) ? static_cast<double>(*value.get_if<float>()) : *value.get_if<double>(), out);
        return absl::OkStatus();
      case Type::kBytes:
        PutBytes(value.get_if<Binary>()->bytes, out);
        return absl::OkStatus();
      case Type::kString:
        PutBytes(*value.get_if<std::string>(), out);
        return absl::OkStatus();
      case Type::kFixed:
        out += value.get_if<Fixed>()->bytes;
        return absl::OkStatus();
      case Type::kEnum:
        PutLong(
            std::find(node.symbols.begin(), node.symbols.end(), value.get_if<Enum>()->symbol) - node.symbols.begin(),
            out);
        return absl::OkStatus();
      default:
        return PutNested(node, value, out);
    }
  }

  absl::Status PutNested(const Node& node, const Value& value, std::string& out) const {
    if (node.type == Type::kUnion) return PutUnion(node, value, out);
    if (node.type == Type::kRecord) return PutRecord(node, *value.get_if<Record>(), out);
    const Array* const array = value.get_if<Array>();
    const Map* const map = value.get_if<Map>();
    const size_t count = array != nullptr ? array->size() : map->size();
    if (count > 0) PutLong(static_cast<int64_t>(count), out);
    const Node& child = schema_->node(node.children[0]);
    if (array != nullptr) {
      for (const Value& each : *array) PENSTOCK_RETURN_IF_ERROR(Put(child, each, out));
    } else {
      for (const auto& [key, each] : *map) {
        PutBytes(key, out);
        PENSTOCK_RETURN_IF_ERROR(Put(child, each, out));
      }
    }
    out += '\0';
    return absl::OkStatus();
  }

  absl::Status PutUnion(const Node& node, const Value& value, std::string& out) const {
    for (size_t i = 0; i < node.children.size(); ++i) {
      const Node& branch = schema_->node(node.children[i]);
      if (!Takes(branch, value)) continue;
      PutLong(static_cast<int64_t>(i), out);
      return Put(branch, value, out);
    }
    return InvalidArgument("Avro: a value that no branch of the union takes");
  }

  absl::Status PutRecord(const Node& node, const Record& record, std::string& out) const {
    for (const Field& field : node.fields) {
      const auto& names = record.names->fields;
      const auto found = static_cast<size_t>(std::find(names.begin(), names.end(), field.name) - names.begin());
      if (found < record.fields.size()) {
        PENSTOCK_RETURN_IF_ERROR(Put(schema_->node(field.node), record.fields[found], out));
      } else if (field.default_bytes) {
        out += *field.default_bytes;
      } else {
        return InvalidArgument("Avro: {}: the field '{}' is missing", node.name, field.name);
      }
    }
    return absl::OkStatus();
  }

  const SchemaPtr schema_;
};

}  // namespace

absl::StatusOr<std::shared_ptr<const Encoder>> Encoder::Make(SchemaPtr schema, const Shape* shape) {
  if (shape == nullptr) return std::make_shared<ValueEncoder>(std::move(schema));
  const std::string problem = BindingProblem(*schema, schema->root_index(), *shape, Direction::kWrite, "");
  if (!problem.empty()) {
    return InvalidArgument("Avro: {} cannot be written as {}: {}", shape->name, schema->Title(), problem);
  }
  return std::make_shared<StructEncoder>(std::move(schema), *shape);
}

}  // namespace penstock::avro
