#include "runtime/core/secret.h"

#include <catch2/catch.hpp>
#include <cstdlib>

#include "tests/support/temp_dir.h"

namespace penstock {
namespace {

TEST_CASE("references are replaced where they are used", "[secret]") {
  const testing::TempDir dir;
  const std::string path = dir.Write("token", "from the file\n");
  setenv("PENSTOCK_SECRET_TEST", "from ${env:HOME}", 1);
  CHECK(*ResolveSecrets("") == "");
  CHECK(*ResolveSecrets("plain $ {x} }") == "plain $ {x} }");
  CHECK(*ResolveSecrets("a ${env:PENSTOCK_SECRET_TEST} b ${file:" + path + "}") ==
        "a from ${env:HOME} b from the file");
}

TEST_CASE("a reference that leads nowhere is named, and no value is", "[secret]") {
  unsetenv("PENSTOCK_SECRET_NONE");
  const auto unset = ResolveSecrets("password ${env:PENSTOCK_SECRET_NONE}");
  CHECK(absl::IsFailedPrecondition(unset.status()));
  CHECK_THAT(std::string(unset.status().message()),
             Catch::Contains("PENSTOCK_SECRET_NONE") && !Catch::Contains("password"));
  CHECK(absl::IsFailedPrecondition(ResolveSecrets("${file:/nowhere/at/all}").status()));
  for (const char* malformed : {"${", "${env:", "${env:}", "${file:}", "${other:x}", "${x}"}) {
    CHECK(absl::IsInvalidArgument(ResolveSecrets(malformed).status()));
    CHECK(absl::IsInvalidArgument(CheckSecretReferences(malformed)));
  }
  CHECK(CheckSecretReferences("${env:PENSTOCK_SECRET_NONE}").ok());
}

}  // namespace
}  // namespace penstock
