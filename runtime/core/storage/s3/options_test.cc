#include "runtime/core/storage/s3/options.h"

#include <catch2/catch.hpp>
#include <map>

#include "runtime/core/config.h"
#include "runtime/core/status.h"

namespace penstock::s3 {
namespace {

Options From(std::vector<std::pair<std::string, std::string>> overrides, std::map<std::string, std::string> variables) {
  const auto config = Config::Load({.overrides = std::move(overrides)});
  REQUIRE(config.ok());
  return Options::From(*config, [&](const char* name) { return variables[name]; });
}

}  // namespace

TEST_CASE("S3 options: the configuration wins over the environment, key and secret together", "[s3]") {
  const std::map<std::string, std::string> environment = {{"AWS_ACCESS_KEY_ID", "env-key"},
                                                          {"AWS_SECRET_ACCESS_KEY", "env-secret"},
                                                          {"AWS_SESSION_TOKEN", "env-token"},
                                                          {"AWS_DEFAULT_REGION", "eu-north-1"},
                                                          {"AWS_ENDPOINT_URL", "http://10.0.0.1:9000"}};
  const Options all = From({}, environment);
  CHECK(all.access_key == "env-key");
  CHECK(all.secret_key == "env-secret");
  CHECK(all.session_token == "env-token");
  CHECK(all.region == "eu-north-1");
  CHECK(all.endpoint == "http://10.0.0.1:9000");
  const Options own =
      From({{"s3.access-key", "key"}, {"s3.secret-key", "secret"}, {"s3.region", "us-west-2"}}, environment);
  CHECK(own.access_key == "key");
  CHECK(own.secret_key == "secret");
  CHECK(own.session_token.empty());
  CHECK(own.region == "us-west-2");
  const Options half = From({{"s3.access-key", "key"}}, environment);
  CHECK(half.secret_key.empty());
}

TEST_CASE("S3 options: secrets are not shown", "[s3]") {
  const auto config = Config::Load({.overrides = {{"s3.secret-key", "hush"}, {"s3.access-key", "key"}}});
  REQUIRE(config.ok());
  CHECK(config->ExplainForPeople("s3.secret-key").value == "(secret)");
  CHECK(config->ExplainForPeople("s3.session-token").value == "");
  CHECK(config->ExplainForPeople("s3.access-key").value == "key");
  CHECK(config->GetString("s3.secret-key") == "hush");
}

TEST_CASE("S3 options: locations", "[s3]") {
  CHECK(Location::Parse("s3://my-bucket")->prefix == "");
  CHECK(Location::Parse("s3://my-bucket/")->prefix == "");
  CHECK(Location::Parse("s3://my-bucket/a/b/")->prefix == "a/b/");
  CHECK(Location::Parse("s3://my-bucket/a/b")->bucket == "my-bucket");
  for (const char* wrong : {"s3://", "s3:///a", "s3://My-Bucket", "s3://b", "s3://bucket/a//b", "s3://bucket/../x"}) {
    INFO(wrong);
    CHECK(absl::IsInvalidArgument(Location::Parse(wrong).status()));
  }
}

TEST_CASE("S3 options: where requests go", "[s3]") {
  const auto amazon = Endpoint::Of({.region = "eu-west-1"}, "bucket");
  CHECK(amazon->base == "https://bucket.s3.eu-west-1.amazonaws.com");
  CHECK(amazon->host == "bucket.s3.eu-west-1.amazonaws.com");
  CHECK(amazon->path_prefix == "/");
  const auto dotted = Endpoint::Of({.region = "eu-west-1"}, "my.bucket");  // breaks the certificate of its own host
  CHECK(dotted->base == "https://s3.eu-west-1.amazonaws.com");
  CHECK(dotted->path_prefix == "/my.bucket/");
  const auto own = Endpoint::Of({.endpoint = "https://storage.example.com:9000/", .path_style = true}, "bucket");
  CHECK(own->base == "https://storage.example.com:9000");
  CHECK(own->path_prefix == "/bucket/");
  CHECK(Endpoint::Of({.endpoint = "http://127.0.0.1:7070"}, "bucket")->path_prefix == "/bucket/");
  CHECK(Endpoint::Of({.endpoint = "http://localhost:7070"}, "bucket")->host == "localhost:7070");
  for (const char* wrong : {"storage.example.com", "ftp://x", "http://", "http://user@host", "http://host/path"}) {
    INFO(wrong);
    CHECK(absl::IsInvalidArgument(Endpoint::Of({.endpoint = wrong}, "bucket").status()));
  }
}

}  // namespace penstock::s3
