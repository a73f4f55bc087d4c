#include <penstock/args.h>

#include <catch2/catch.hpp>

namespace penstock {
namespace {

using Texts = std::vector<std::string>;

TEST_CASE("Args: --name value, --name=value and flags", "[api]") {
  const Args args({"--brokers", "b:1", "--n=5", "--dry-run"});
  CHECK(args["brokers"] == "b:1");
  CHECK(args.get_int("n", 1) == 5);
  CHECK(args.has("dry-run"));
  CHECK_FALSE(args.has("other"));
  CHECK(args.get("absent", "this") == "this");
  CHECK(args.errors().empty());
}

TEST_CASE("Args: all that is wrong is named at once", "[api]") {
  const Args args({"stray", "--n", "five", "--mode", "fast", "--brokres", "b:1"});
  CHECK(args["brokers"] == "");
  CHECK(args["brokers"] == "");  // asked for twice, reported once
  CHECK(args.get_int("n", 1) == 1);
  args.get_choice("mode", "slow", {"slow", "slower"});
  CHECK(args.errors() == Texts{"argument 'stray' is not understood: write --name value",
                               "argument --brokers is missing", "argument --n is 'five', which is no whole number",
                               "argument --mode is 'fast', which is none of slow, slower",
                               "argument --brokres is not known to this job (nearest: --brokers)"});
}

TEST_CASE("Args: a job that asks for nothing takes nothing", "[api]") {
  CHECK(Args({"--x"}).errors() == Texts{"argument --x is not known: the job takes none"});
}

}  // namespace
}  // namespace penstock
