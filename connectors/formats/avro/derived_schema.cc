#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "penstock/formats/avro/schema.h"
#include "penstock/formats/json.h"

namespace penstock::avro {
namespace {

using Json = nlohmann::ordered_json;

class Derivation {
 public:
  explicit Derivation(const DerivedOptions& options) : options_(options) {}

  // sample: an object of the shape as T{} makes it, for defaults; null inside of what T{} leaves empty.
  Json Of(const Shape& shape, const void* sample) {
    switch (shape.kind) {
      case ShapeKind::kNull:
        return "null";
      case ShapeKind::kBool:
        return "boolean";
      case ShapeKind::kInt8:
      case ShapeKind::kInt16:
      case ShapeKind::kInt32:
      case ShapeKind::kUint8:
      case ShapeKind::kUint16:
        return "int";
      case ShapeKind::kInt64:
      case ShapeKind::kUint32:
      case ShapeKind::kUint64:
        return "long";
      case ShapeKind::kFloat:
        return "float";
      case ShapeKind::kDouble:
        return "double";
      case ShapeKind::kString:
        return "string";
      case ShapeKind::kEnum:
        return EnumOf(shape);
      case ShapeKind::kOptional:
        return OptionalOf(shape);
      case ShapeKind::kList:
        return {{"type", "array"}, {"items", Of(*shape.element, nullptr)}};
      case ShapeKind::kMap:
        return {{"type", "map"}, {"values", Of(*shape.element, nullptr)}};
      case ShapeKind::kVariant:
        return VariantOf(shape);
      case ShapeKind::kStruct:
        return RecordOf(shape, sample);
    }
    return nullptr;
  }

 private:
  // The name of a type; whether it still has to be defined. Types of different namespaces may share a short name.
  std::pair<std::string, bool> Name(const Shape& shape) {
    const auto found = names_.find(&shape);
    if (found != names_.end()) return {found->second, false};
    std::string stem = shape.name;
    std::replace_if(
        stem.begin(), stem.end(), [](unsigned char c) { return std::isalnum(c) == 0 && c != '_'; }, '_');
    std::string name = stem;
    for (int i = 2; !taken_.insert(name).second; ++i) name = stem + "_" + std::to_string(i);
    names_[&shape] = name;
    return {name, true};
  }

  Json Named(const char* type, const std::string& name) const {
    Json json = {{"type", type}, {"name", name}};
    if (!options_.name_space.empty()) json["namespace"] = options_.name_space;
    return json;
  }

  Json EnumOf(const Shape& shape) {
    const auto [name, is_new] = Name(shape);
    if (!is_new) return name;
    Json json = Named("enum", name);
    json["symbols"] = Json::array();
    for (const reflect::EnumName& each : shape.enum_names) json["symbols"].push_back(std::string(each.name));
    return json;
  }

  Json OptionalOf(const Shape& shape) {
    Json json = Json::array({"null"});
    Json value = Of(*shape.element, nullptr);
    if (!value.is_array()) {
      json.push_back(std::move(value));
      return json;
    }
    for (Json& branch : value) {  // of a variant
      if (branch != "null") json.push_back(std::move(branch));
    }
    return json;
  }

  Json VariantOf(const Shape& shape) {
    Json json = Json::array();
    for (const Shape* alternative : shape.alternatives) json.push_back(Of(*alternative, nullptr));
    return json;
  }

  Json RecordOf(const Shape& shape, const void* sample) {
    const auto [name, is_new] = Name(shape);
    if (!is_new) return name;
    Json json = Named("record", name);
    json["fields"] = Json::array();
    void* const made = sample == nullptr ? shape.make() : nullptr;
    const auto* const object = static_cast<const char*>(sample == nullptr ? made : sample);
    for (const ShapeMember& member : shape.members) {
      const void* const value = object + member.offset;
      Json field = {{"name", member.name}, {"type", Of(*member.shape, value)}};
      // The default of a union belongs to its first branch.
      if (member.shape->kind == ShapeKind::kOptional) {
        field["default"] = nullptr;
      } else if (options_.default_fields && member.shape->kind != ShapeKind::kVariant) {
        std::string text;
        json::Append(*member.shape, value, text);
        field["default"] = Json::parse(text);
      }
      json["fields"].push_back(std::move(field));
    }
    if (made != nullptr) shape.destroy(made);
    return json;
  }

  const DerivedOptions& options_;
  std::map<const Shape*, std::string> names_;
  std::set<std::string> taken_;
};

}  // namespace

std::string DerivedSchema(const Shape& shape, const DerivedOptions& options) {
  return Derivation(options).Of(shape, nullptr).dump();
}

}  // namespace penstock::avro
