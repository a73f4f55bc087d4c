#include "connectors/schema_registry/compatibility.h"

#include <fmt/format.h>

#include "penstock/formats/avro/codec.h"

namespace penstock::schema_registry {

std::vector<std::string> CompatibilityProblems(Compatibility level, const avro::SchemaPtr& next,
                                               const std::vector<avro::SchemaPtr>& earlier) {
  std::vector<std::string> problems;
  const auto add = [&](const char* what, size_t version, const std::vector<std::string>& found) {
    for (const std::string& each : found) {
      problems.push_back(fmt::format("{} (version {} of {}): {}", what, version + 1, earlier.size(), each));
    }
  };
  for (size_t i = IsTransitive(level) || earlier.empty() ? 0 : earlier.size() - 1; i < earlier.size(); ++i) {
    if (IsBackward(level)) add("new reads old", i, avro::Incompatibilities(earlier[i], next));
    if (IsForward(level)) add("old reads new", i, avro::Incompatibilities(next, earlier[i]));
  }
  return problems;
}

}  // namespace penstock::schema_registry
