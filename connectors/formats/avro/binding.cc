#include "connectors/formats/avro/binding.h"

#include <fmt/format.h>

#include <algorithm>

namespace penstock::avro {
namespace {

bool PrimitiveFits(Type type, const Shape& shape, Direction direction) {
  switch (type) {
    case Type::kNull:
      return shape.kind == ShapeKind::kNull;
    case Type::kBoolean:
      return shape.kind == ShapeKind::kBool;
    case Type::kInt:
    case Type::kLong:
      return IsInteger(shape.kind);
    case Type::kFloat:
      return shape.kind == ShapeKind::kFloat || (direction == Direction::kRead && shape.kind == ShapeKind::kDouble);
    case Type::kDouble:
      return shape.kind == ShapeKind::kDouble || (direction == Direction::kWrite && shape.kind == ShapeKind::kFloat);
    case Type::kBytes:
    case Type::kString:
    case Type::kFixed:
      return shape.kind == ShapeKind::kString;
    case Type::kEnum:
      return shape.kind == ShapeKind::kEnum || shape.kind == ShapeKind::kString;
    default:
      return false;
  }
}

std::string RecordProblem(const Schema& schema, const Node& node, const Shape& shape, Direction direction,
                          const std::string& path) {
  for (const ShapeMember& member : shape.members) {
    const auto field = std::find_if(node.fields.begin(), node.fields.end(),
                                    [&](const Field& each) { return each.name == member.name; });
    const std::string place = path.empty() ? member.name : path + "." + member.name;
    if (field == node.fields.end()) {
      if (direction == Direction::kRead && member.shape->kind == ShapeKind::kOptional) continue;
      return fmt::format("{}: the record {} of the schema has no such field", place, node.name);
    }
    std::string problem = BindingProblem(schema, field->node, *member.shape, direction, place);
    if (!problem.empty()) return problem;
  }
  if (direction == Direction::kRead) return "";
  for (const Field& field : node.fields) {
    const bool is_member = std::any_of(shape.members.begin(), shape.members.end(),
                                       [&](const ShapeMember& each) { return each.name == field.name; });
    if (!is_member && !field.default_bytes) {
      return fmt::format("{}{}{}: {} has no such member, and the schema no default", path, path.empty() ? "" : ".",
                         field.name, shape.name);
    }
  }
  return "";
}

std::string UnionProblem(const Schema& schema, const Node& node, const Shape& shape, Direction direction,
                         const std::string& path) {
  if (direction == Direction::kWrite && shape.kind != ShapeKind::kVariant) {
    // One of the branches takes it.
    const Shape& inner = shape.kind == ShapeKind::kOptional ? *shape.element : shape;
    bool takes = false, takes_null = shape.kind != ShapeKind::kOptional;
    for (const int branch : node.children) {
      takes_null = takes_null || schema.node(branch).type == Type::kNull;
      takes = takes || BindingProblem(schema, branch, inner, direction, path).empty();
    }
    if (inner.kind == ShapeKind::kVariant) return UnionProblem(schema, node, inner, direction, path);
    return takes && takes_null ? "" : fmt::format("{}: no branch of the schema's union takes it", path);
  }
  if (direction == Direction::kWrite) {
    for (const Shape* alternative : shape.alternatives) {
      std::string problem = UnionProblem(schema, node, *alternative, direction, path);
      if (!problem.empty()) return problem;
    }
    return "";
  }
  for (const int branch : node.children) {
    const bool is_null = schema.node(branch).type == Type::kNull;
    if (is_null && shape.kind == ShapeKind::kOptional) continue;
    if (is_null && shape.kind != ShapeKind::kVariant) {
      return fmt::format("{}: the schema allows null, so the member must be a std::optional", path);
    }
    std::string problem = BindingProblem(schema, branch, shape, direction, path);
    if (!problem.empty()) return problem;
  }
  return "";
}

}  // namespace

std::string BindingProblem(const Schema& schema, int index, const Shape& shape, Direction direction,
                           const std::string& path) {
  const Node& node = schema.node(index);
  if (node.type == Type::kUnion) return UnionProblem(schema, node, shape, direction, path);
  if (shape.kind == ShapeKind::kOptional && direction == Direction::kRead) {
    return node.type == Type::kNull ? "" : BindingProblem(schema, index, *shape.element, direction, path);
  }
  if (shape.kind == ShapeKind::kVariant && direction == Direction::kRead) {
    if (AlternativeOf(schema, index, shape, direction) >= 0) return "";
    return fmt::format("{}: no alternative of the variant takes the schema's {}", path, TypeName(node.type));
  }
  const bool same = (node.type == Type::kArray && shape.kind == ShapeKind::kList) ||
                    (node.type == Type::kMap && shape.kind == ShapeKind::kMap);
  if (same) return BindingProblem(schema, node.children[0], *shape.element, direction, path + "[]");
  if (node.type == Type::kRecord && shape.kind == ShapeKind::kStruct) {
    return RecordProblem(schema, node, shape, direction, path);
  }
  if (PrimitiveFits(node.type, shape, direction)) return "";
  return fmt::format("{}: the schema's {} does not fit a {}", path, TypeName(node.type), ShapeKindName(shape.kind));
}

int AlternativeOf(const Schema& schema, int node, const Shape& variant, Direction direction) {
  for (size_t i = 0; i < variant.alternatives.size(); ++i) {
    if (BindingProblem(schema, node, *variant.alternatives[i], direction, "").empty()) return static_cast<int>(i);
  }
  return -1;
}

}  // namespace penstock::avro
