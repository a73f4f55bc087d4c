// A default of a schema, which is JSON, as the bytes by which the field's type encodes it.
#ifndef PENSTOCK_CONNECTORS_FORMATS_AVRO_DEFAULT_VALUE_H_
#define PENSTOCK_CONNECTORS_FORMATS_AVRO_DEFAULT_VALUE_H_

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "penstock/formats/avro/schema.h"

namespace penstock::avro {

// Where the value of a record lacks a field, that field's default stands in: `defaults` finds it, by node and field
// index; null: none. A union takes the first branch that the value fits.
class DefaultEncoder {
 public:
  using FieldDefaults = std::vector<std::vector<const nlohmann::ordered_json*>>;  // by node, by field
  DefaultEncoder(const std::vector<Node>& nodes, const FieldDefaults& defaults) : nodes_(nodes), defaults_(defaults) {}

  absl::Status Encode(const nlohmann::ordered_json& value, int node, std::string& out, int depth = 0) const;

 private:
  absl::Status EncodeInteger(const nlohmann::ordered_json& value, Type type, std::string& out) const;
  absl::Status EncodeNamed(const nlohmann::ordered_json& value, const Node& node, std::string& out) const;
  absl::Status EncodeItems(const nlohmann::ordered_json& value, const Node& node, std::string& out, int depth) const;
  absl::Status EncodeUnion(const nlohmann::ordered_json& value, const Node& node, std::string& out, int depth) const;
  absl::Status EncodeRecord(const nlohmann::ordered_json& value, int node, std::string& out, int depth) const;

  const std::vector<Node>& nodes_;
  const FieldDefaults& defaults_;
};

}  // namespace penstock::avro

#endif  // PENSTOCK_CONNECTORS_FORMATS_AVRO_DEFAULT_VALUE_H_
