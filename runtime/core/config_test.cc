#include "runtime/core/config.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <set>

namespace penstock {
namespace {

class YamlFile {
 public:
  explicit YamlFile(const std::string& text)
      : path_(std::filesystem::temp_directory_path() / ("penstock-config-" + std::to_string(getpid()) + ".yaml")) {
    std::ofstream(path_) << text;
  }
  ~YamlFile() { std::filesystem::remove(path_); }
  std::string path() const { return path_.string(); }

 private:
  const std::filesystem::path path_;
};

std::string ErrorOf(const ConfigSources& sources) {
  const auto config = Config::Load(sources);
  REQUIRE_FALSE(config.ok());
  return std::string(config.status().message());
}

}  // namespace

TEST_CASE("Every default is a valid value of its key", "[config]") {
  std::set<std::string_view> names;
  for (const ConfigKey& key : ConfigKeys()) {
    INFO(key.name);
    CHECK(names.insert(key.name).second);
    CHECK(Config::Load({.overrides = {{std::string(key.name), std::string(key.default_value)}}}).ok());
    CHECK_FALSE(key.help.empty());
  }
  CHECK(names.size() <= 80);
}

TEST_CASE("Later sources win and Explain says where a value came from", "[config]") {
  const YamlFile file("rest:\n  port: 1000\n  address: localhost\nheartbeat.timeout: 9 s\nlog:\n  level: debug\n");
  const auto config = Config::Load({.file = file.path(),
                                    .environment = {{"PENSTOCK_REST_PORT", "2000"}, {"PENSTOCK_LOG_LEVEL", "warn"}},
                                    .overrides = {{"log.level", "error"}}});
  REQUIRE(config.ok());
  CHECK(config->GetInt("rest.port") == 2000);
  CHECK(config->Explain("rest.port").origin == "environment PENSTOCK_REST_PORT");
  CHECK(config->GetString("rest.address") == "localhost");
  CHECK(config->Explain("rest.address").origin == "file " + file.path());
  CHECK(config->GetDurationMs("heartbeat.timeout") == 9000);
  CHECK(config->GetString("log.level") == "error");
  CHECK(config->Explain("log.level").origin == "-D");
  CHECK(config->Explain("parallelism.default").origin == "default");
  CHECK(config->NonDefault() == std::map<std::string, std::string>{{"heartbeat.timeout", "9 s"},
                                                                   {"log.level", "error"},
                                                                   {"rest.address", "localhost"},
                                                                   {"rest.port", "2000"}});
}

TEST_CASE("Camel case and dashes have one environment name", "[config]") {
  CHECK(EnvironmentNameOf("taskmanager.numberOfTaskSlots") == "PENSTOCK_TASKMANAGER_NUMBEROFTASKSLOTS");
  const auto config = Config::Load(
      {.environment = {{"PENSTOCK_TASKMANAGER_NUMBEROFTASKSLOTS", "7"}, {"PENSTOCK_SERVICE_HOST", "10.0.0.1"}}});
  REQUIRE(config.ok());
  CHECK(config->GetInt("taskmanager.numberOfTaskSlots") == 7);
}

TEST_CASE("An unknown key is refused with the nearest one", "[config]") {
  CHECK(ErrorOf({.overrides = {{"rest.prot", "1"}}}) ==
        "unknown config key 'rest.prot' (-D); the nearest is 'rest.port'");
  CHECK(ErrorOf({.environment = {{"PENSTOCK_REST_PROT", "1"}}}).find("PENSTOCK_REST_PORT") != std::string::npos);
  const YamlFile file("rest:\n  bort: 1\n");
  CHECK(ErrorOf({.file = file.path()}).find("'rest.bort' (file " + file.path() + ")") != std::string::npos);
}

TEST_CASE("A value of the wrong type or out of range is refused with its source", "[config]") {
  CHECK(ErrorOf({.overrides = {{"rest.port", "eighty"}}}).find("'eighty' is not an integer") != std::string::npos);
  CHECK(ErrorOf({.overrides = {{"rest.port", "70000"}}}).find("at most 65535") != std::string::npos);
  CHECK(ErrorOf({.overrides = {{"heartbeat.interval", "soon"}}}).find("not a duration") != std::string::npos);
  CHECK(ErrorOf({.overrides = {{"insecure", "yes"}}}).find("neither true nor false") != std::string::npos);
  CHECK(ErrorOf({.overrides = {{"restart-strategy.type", "sometimes"}}}).find("none|fixed-delay") != std::string::npos);
}

TEST_CASE("A missing or broken file is named", "[config]") {
  CHECK(ErrorOf({.file = "/no/such/penstock.yaml"}).find("/no/such/penstock.yaml") != std::string::npos);
  const YamlFile broken("rest: [1, 2\n");
  CHECK(ErrorOf({.file = broken.path()}).find("line") != std::string::npos);
  const YamlFile empty("");
  CHECK(Config::Load({.file = empty.path()}).ok());
}

}  // namespace penstock
