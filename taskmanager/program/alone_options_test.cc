#include "taskmanager/program/alone_options.h"

#include <catch2/catch.hpp>

#include "runtime/core/status.h"

namespace penstock::program {
namespace {

TEST_CASE("what a program run alone takes stands beside the job's own arguments", "[alone]") {
  const auto options = ParseAloneOptions(
      {"-p", "3", "--brokers", "b:1", "-r", "0", "-Dexecution.checkpointing.dir=/tmp/x=y", "--bounded"});
  REQUIRE(options.ok());
  CHECK(options->parallelism == 3);
  CHECK(options->rest_port == 0);
  CHECK(options->overrides ==
        std::vector<std::pair<std::string, std::string>>{{"execution.checkpointing.dir", "/tmp/x=y"}});
  CHECK(options->job == std::vector<std::string>{"--brokers", "b:1", "--bounded"});
  CHECK_FALSE(ParseAloneOptions({})->rest_port);
}

TEST_CASE("what is wrong with it is named", "[alone]") {
  CHECK(MessageOf(ParseAloneOptions({"-p", "none"}).status()).find("'none'") != std::string::npos);
  CHECK(MessageOf(ParseAloneOptions({"-p"}).status()).find("-p takes") != std::string::npos);
  CHECK(MessageOf(ParseAloneOptions({"-r", "70000"}).status()).find("'70000'") != std::string::npos);
  CHECK(MessageOf(ParseAloneOptions({"-Dkey"}).status()).find("-Dkey=value") != std::string::npos);
}

}  // namespace
}  // namespace penstock::program
