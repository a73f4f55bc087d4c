// Every v1 answer, in every job state, against tests/schema/rest_v1.json.
#include <catch2/catch.hpp>
#include <fstream>
#include <nlohmann/json.hpp>

#include "jobmanager/rest/testing/fake_cluster.h"
#include "tests/support/raw_http.h"

namespace penstock::jobmanager {
namespace {

using nlohmann::json;

class SchemaChecker {
 public:
  explicit SchemaChecker(const json& schema) : schema_(schema) {}

  // Empty when `value` has the shape; else where it differs.
  std::string Check(const json& shape, const json& value, const std::string& at) const {
    if (shape.is_string()) return CheckNamed(shape.get<std::string>(), value, at);
    if (shape.is_array()) {
      if (!value.is_array()) return at + " is no array";
      for (size_t i = 0; i < value.size(); ++i) {
        if (auto problem = Check(shape[0], value[i], at + "[" + std::to_string(i) + "]"); !problem.empty()) {
          return problem;
        }
      }
      return "";
    }
    return CheckObject(shape, value, at);
  }

 private:
  std::string CheckNamed(const std::string& type, const json& value, const std::string& at) const {
    if (type.back() == '?') return value.is_null() ? "" : CheckNamed(type.substr(0, type.size() - 1), value, at);
    if (type[0] == '$') return Check(schema_["types"][type.substr(1)], value, at);
    const bool fits = type == "any" || (type == "int" && value.is_number_integer()) ||
                      (type == "num" && value.is_number()) || (type == "str" && value.is_string()) ||
                      (type == "bool" && value.is_boolean());
    return fits ? "" : at + " is no " + type + ": " + value.dump();
  }

  std::string CheckObject(const json& shape, const json& value, const std::string& at) const {
    if (!value.is_object()) return at + " is no object";
    const auto any = shape.find("*");
    for (const auto& [name, member] : value.items()) {
      const json* expected = any != shape.end() ? &*any : shape.contains(name) ? &shape[name] : nullptr;
      if (expected == nullptr) {
        const auto& extra = schema_["extra"];
        if (std::find(extra.begin(), extra.end(), name) == extra.end())
          return at + "." + name + " is not in the schema";
        continue;
      }
      if (auto problem = Check(*expected, member, at + "." + name); !problem.empty()) return problem;
    }
    for (const auto& [name, ignored] : shape.items()) {
      if (name != "*" && !value.contains(name)) return at + "." + name + " is missing";
    }
    return "";
  }

  const json& schema_;
};

std::string Fill(std::string path) {
  for (const auto& [param, value] : {std::pair<std::string, std::string>{":jobid", testing::kJobId},
                                     {":vertexid", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},
                                     {":taskmanagerid", "tm-1"}}) {
    if (const size_t at = path.find(param); at != std::string::npos) path.replace(at, param.size(), value);
  }
  return path;
}

}  // namespace

TEST_CASE("Every v1 answer has exactly the schema's fields, in every job state", "[rest]") {
  std::ifstream file(PENSTOCK_SOURCE_DIR "/tests/schema/rest_v1.json");
  const json schema = json::parse(file);
  const SchemaChecker checker(schema);
  testing::FakeCluster cluster;
  penstock::testing::RawHttp client(cluster.server().port());
  for (const JobState state :
       {JobState::kInitializing, JobState::kCreated, JobState::kRunning, JobState::kFailing, JobState::kFailed,
        JobState::kCancelling, JobState::kCanceled, JobState::kFinished, JobState::kRestarting}) {
    cluster.ShowJob(state);
    for (const auto& [path, shape] : schema["routes"].items()) {
      for (const std::string prefix : {"", "/v1"}) {
        INFO(JobStateName(state) << " " << prefix << path);
        const auto response = client.Call("GET", prefix + Fill(path));
        REQUIRE(response.status == 200);
        CHECK(checker.Check(shape, json::parse(response.body), "answer") == "");
      }
    }
  }
}

TEST_CASE("The answers of an empty cluster fit the schema", "[rest]") {
  std::ifstream file(PENSTOCK_SOURCE_DIR "/tests/schema/rest_v1.json");
  const json schema = json::parse(file);
  const SchemaChecker checker(schema);
  testing::FakeCluster cluster;
  penstock::testing::RawHttp client(cluster.server().port());
  for (const char* path : {"/config", "/overview", "/jobs", "/jobs/overview", "/taskmanagers"}) {
    const auto response = client.Call("GET", path);
    REQUIRE(response.status == 200);
    CHECK(checker.Check(schema["routes"][path], json::parse(response.body), path) == "");
  }
}

}  // namespace penstock::jobmanager
