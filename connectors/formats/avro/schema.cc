#include "penstock/formats/avro/schema.h"

#include <algorithm>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "connectors/formats/avro/default_value.h"
#include "runtime/core/status.h"

namespace penstock::avro {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kTypeNames[] = {"null",   "boolean", "int", "long",  "float", "double", "bytes",
                                      "string", "array",   "map", "union", "fixed", "enum",   "record"};
constexpr int64_t kFixedBytesMax = 64 << 20;

bool IsName(std::string_view text) {
  const auto is_letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  if (text.empty() || !is_letter(text.front())) return false;
  return std::all_of(text.begin(), text.end(), [&](char c) { return is_letter(c) || (c >= '0' && c <= '9'); });
}

bool IsFullName(std::string_view text) {
  while (true) {
    const size_t dot = text.find('.');
    if (!IsName(text.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    text.remove_prefix(dot + 1);
  }
}

std::string_view NamespaceOf(std::string_view name) {
  const size_t dot = name.rfind('.');
  return dot == std::string_view::npos ? std::string_view() : name.substr(0, dot);
}

std::string Qualified(std::string_view name, std::string_view name_space) {
  if (name_space.empty() || name.find('.') != std::string_view::npos) return std::string(name);
  return fmt::format("{}.{}", name_space, name);
}

std::optional<Type> PrimitiveOf(std::string_view name) {
  for (size_t i = 0; i <= static_cast<size_t>(Type::kString); ++i) {
    if (name == kTypeNames[i]) return static_cast<Type>(i);
  }
  return std::nullopt;
}

std::string StringAt(const Json& json, const char* key) {
  const auto found = json.find(key);
  return found != json.end() && found->is_string() ? found->get<std::string>() : "";
}

}  // namespace

const char* TypeName(Type type) { return kTypeNames[static_cast<size_t>(type)]; }

std::string_view Unqualified(std::string_view name) { return name.substr(name.rfind('.') + 1); }

std::string Schema::Title() const { return IsNamed(root().type) ? root().name : TypeName(root().type); }

// One parse. Defaults are encoded when all types are known.
class SchemaParser {
 public:
  absl::StatusOr<SchemaPtr> Run(std::string_view text, const std::vector<std::string>& references) {
    for (const std::string& reference : references) {
      PENSTOCK_RETURN_IF_ERROR(ParseText(reference).status());
    }
    PENSTOCK_ASSIGN_OR_RETURN(schema_->root_, ParseText(text));
    PENSTOCK_RETURN_IF_ERROR(EncodeDefaults());
    schema_->text_ = text;
    return SchemaPtr(std::move(schema_));
  }

 private:
  absl::StatusOr<int> ParseText(std::string_view text) {
    documents_.push_back(Json::parse(text, nullptr, false));
    const Json& json = documents_.back();
    // A name alone is a schema too, and registries may keep it without quotes.
    if (json.is_discarded()) {
      if (!IsFullName(text)) return InvalidArgument("Avro schema: it is no JSON: {}", text.substr(0, 100));
      return FromName(std::string(text), "");
    }
    return From(json, "", 0);
  }

  template <class... Args>
  static absl::Status Bad(fmt::format_string<Args...> format, Args&&... args) {
    return InvalidArgument("Avro schema: {}", fmt::format(format, std::forward<Args>(args)...));
  }

  absl::StatusOr<int> Add(Node node) {
    if (schema_->nodes_.size() >= kNodesMax) return Bad("more than {} types", kNodesMax);
    schema_->nodes_.push_back(std::move(node));
    defaults_.emplace_back();
    return static_cast<int>(schema_->nodes_.size()) - 1;
  }
  Node& At(int index) { return schema_->nodes_[static_cast<size_t>(index)]; }

  absl::StatusOr<int> From(const Json& json, const std::string& name_space, int depth) {
    if (depth > kDepthMax) return Bad("types are nested more than {} deep", kDepthMax);
    if (json.is_string()) return FromName(json.get<std::string>(), name_space);
    if (json.is_array()) return FromUnion(json, name_space, depth);
    if (!json.is_object()) return Bad("{} is no type", json.dump());
    const auto type = json.find("type");
    if (type == json.end()) return Bad("a type without \"type\": {}", json.dump().substr(0, 100));
    if (!type->is_string()) return From(*type, name_space, depth + 1);
    const std::string name = type->get<std::string>();
    if (name == "record" || name == "error") return FromRecord(json, name_space, depth);
    if (name == "enum") return FromEnum(json, name_space);
    if (name == "fixed") return FromFixed(json, name_space);
    if (name == "array" || name == "map") return FromItems(json, name, name_space, depth);
    const std::optional<Type> primitive = PrimitiveOf(name);
    if (!primitive) return FromName(name, name_space);
    return Add({.type = *primitive, .logical_type = StringAt(json, "logicalType")});
  }

  absl::StatusOr<int> FromName(const std::string& name, const std::string& name_space) {
    if (const std::optional<Type> primitive = PrimitiveOf(name)) return Add({.type = *primitive});
    auto found = names_.find(Qualified(name, name_space));
    if (found == names_.end()) found = names_.find(name);
    if (found == names_.end()) return Bad("there is no type '{}'", name);
    return found->second;
  }

  absl::StatusOr<int> FromUnion(const Json& json, const std::string& name_space, int depth) {
    PENSTOCK_ASSIGN_OR_RETURN(const int index, Add({.type = Type::kUnion}));
    std::set<std::string> seen;
    for (const Json& each : json) {
      PENSTOCK_ASSIGN_OR_RETURN(const int branch, From(each, name_space, depth + 1));
      const Node& node = At(branch);
      if (node.type == Type::kUnion) return Bad("a union directly inside of a union");
      if (!seen.insert(IsNamed(node.type) ? node.name : TypeName(node.type)).second) {
        return Bad("a union has two branches of {}", IsNamed(node.type) ? node.name : TypeName(node.type));
      }
      At(index).children.push_back(branch);
    }
    return index;
  }

  absl::StatusOr<int> FromItems(const Json& json, const std::string& type, const std::string& name_space, int depth) {
    const char* const key = type == "array" ? "items" : "values";
    const auto items = json.find(key);
    if (items == json.end()) return Bad("{} without \"{}\"", type, key);
    PENSTOCK_ASSIGN_OR_RETURN(const int index, Add({.type = type == "array" ? Type::kArray : Type::kMap,
                                                    .logical_type = StringAt(json, "logicalType")}));
    PENSTOCK_ASSIGN_OR_RETURN(const int child, From(*items, name_space, depth + 1));
    At(index).children = {child};
    return index;
  }

  // A named type, known from here on.
  absl::StatusOr<int> AddNamed(const Json& json, Type type, const std::string& outer) {
    const std::string given = StringAt(json, "name");
    if (!IsFullName(given)) return Bad("'{}' is no name for a {}", given, TypeName(type));
    const auto name_space = json.find("namespace");
    const bool has_own = name_space != json.end() && name_space->is_string();
    Node node{.type = type,
              .name = Qualified(given, has_own ? name_space->get<std::string>() : outer),
              .logical_type = StringAt(json, "logicalType")};
    if (!IsFullName(node.name)) return Bad("'{}' is no name", node.name);
    if (PrimitiveOf(node.name)) return Bad("'{}' is the name of a type of Avro's own", node.name);
    for (const Json& alias : json.value("aliases", Json::array())) {
      if (!alias.is_string()) return Bad("an alias of {} is no name", node.name);
      node.aliases.push_back(Qualified(alias.get<std::string>(), NamespaceOf(node.name)));
    }
    const std::string name = node.name;
    PENSTOCK_ASSIGN_OR_RETURN(const int index, Add(std::move(node)));
    if (!names_.emplace(name, index).second) return Bad("the type '{}' is defined twice", name);
    return index;
  }

  absl::StatusOr<int> FromFixed(const Json& json, const std::string& name_space) {
    PENSTOCK_ASSIGN_OR_RETURN(const int index, AddNamed(json, Type::kFixed, name_space));
    const auto size = json.find("size");
    if (size == json.end() || !size->is_number_integer() || size->get<int64_t>() < 0 ||
        size->get<int64_t>() > kFixedBytesMax) {
      return Bad("the fixed {} has no good size", At(index).name);
    }
    At(index).size_bytes = size->get<size_t>();
    return index;
  }

  absl::StatusOr<int> FromEnum(const Json& json, const std::string& name_space) {
    PENSTOCK_ASSIGN_OR_RETURN(const int index, AddNamed(json, Type::kEnum, name_space));
    Node& node = At(index);
    for (const Json& symbol : json.value("symbols", Json::array())) {
      if (!symbol.is_string() || !IsName(symbol.get<std::string>())) {
        return Bad("{} is no symbol (enum {})", symbol.dump(), node.name);
      }
      const auto& text = symbol.get_ref<const std::string&>();
      if (std::find(node.symbols.begin(), node.symbols.end(), text) != node.symbols.end()) {
        return Bad("the enum {} has the symbol '{}' twice", node.name, text);
      }
      node.symbols.push_back(text);
    }
    const auto given = json.find("default");
    if (given == json.end()) return index;
    const auto found = std::find(node.symbols.begin(), node.symbols.end(), StringAt(json, "default"));
    if (found == node.symbols.end()) return Bad("the default of the enum {} is none of its symbols", node.name);
    node.default_symbol = static_cast<int>(found - node.symbols.begin());
    return index;
  }

  absl::StatusOr<int> FromRecord(const Json& json, const std::string& name_space, int depth) {
    PENSTOCK_ASSIGN_OR_RETURN(const int index, AddNamed(json, Type::kRecord, name_space));
    const std::string name = At(index).name;
    const auto fields = json.find("fields");
    if (fields == json.end() || !fields->is_array()) return Bad("the record {} has no \"fields\"", name);
    std::set<std::string> seen;
    for (const Json& each : *fields) {
      Field field{.name = each.is_object() ? StringAt(each, "name") : ""};
      if (!IsName(field.name)) return Bad("the record {}: '{}' is no name for a field", name, field.name);
      if (!seen.insert(field.name).second) return Bad("the record {} has the field '{}' twice", name, field.name);
      const auto type = each.find("type");
      if (type == each.end()) return Bad("the field {}.{} has no type", name, field.name);
      for (const Json& alias : each.value("aliases", Json::array())) {
        if (!alias.is_string()) return Bad("an alias of {}.{} is no name", name, field.name);
        field.aliases.push_back(alias.get<std::string>());
      }
      PENSTOCK_ASSIGN_OR_RETURN(field.node, From(*type, std::string(NamespaceOf(name)), depth + 1));
      const auto given = each.find("default");
      defaults_[static_cast<size_t>(index)].push_back(given == each.end() ? nullptr : &*given);
      At(index).fields.push_back(std::move(field));
    }
    return index;
  }

  absl::Status EncodeDefaults() {
    const DefaultEncoder encoder(schema_->nodes_, defaults_);
    for (size_t node = 0; node < defaults_.size(); ++node) {
      for (size_t i = 0; i < defaults_[node].size(); ++i) {
        if (defaults_[node][i] == nullptr) continue;
        Field& field = schema_->nodes_[node].fields[i];
        std::string bytes;
        if (absl::Status status = encoder.Encode(*defaults_[node][i], field.node, bytes); !status.ok()) {
          return Bad("{}.{}: {}", schema_->nodes_[node].name, field.name, MessageOf(status));
        }
        field.default_bytes = std::move(bytes);
      }
    }
    return absl::OkStatus();
  }

  std::shared_ptr<Schema> schema_{new Schema()};
  std::deque<Json> documents_;  // which defaults_ points into
  std::map<std::string, int> names_;
  DefaultEncoder::FieldDefaults defaults_;
};

absl::StatusOr<SchemaPtr> Schema::Parse(std::string_view text, const std::vector<std::string>& references) {
  try {
    return SchemaParser().Run(text, references);
  } catch (const Json::exception& e) {  // a known key with a value of another type
    return InvalidArgument("Avro schema: {}", e.what());
  }
}

}  // namespace penstock::avro
