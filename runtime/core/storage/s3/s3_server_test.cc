// The storage against a real S3 server, also through a proxy that spoils connections.
#include <catch2/catch.hpp>
#include <string>

#include "runtime/core/random.h"
#include "runtime/core/status.h"
#include "runtime/core/storage/s3/curl_transport.h"
#include "runtime/core/storage/s3/s3_storage.h"
#include "tests/support/fault_proxy.h"
#include "tests/support/s3_fixture.h"
#include "tests/support/storage_conformance.h"

namespace penstock::s3 {
namespace {

using penstock::testing::ConnectionFault;
using penstock::testing::FaultProxy;
using penstock::testing::S3Fixture;
using Kind = ConnectionFault::Kind;

Options OptionsFor(int port) {
  Options options;
  options.endpoint = "http://127.0.0.1:" + std::to_string(port);
  options.access_key = S3Fixture::kAccessKey;
  options.secret_key = S3Fixture::kSecretKey;
  options.part_bytes = kPartBytesMin;
  options.backoff_min_ms = 10;
  options.backoff_max_ms = 50;
  options.stall_timeout_s = 1;
  return options;
}

std::unique_ptr<S3Storage> OpenAt(const std::string& uri, const Options& options) {
  auto storage = S3Storage::Open(uri, options, std::make_unique<CurlTransport>(options), Surroundings::System());
  REQUIRE(storage.ok());
  return *std::move(storage);
}

std::string RandomBytes(size_t bytes) {
  std::string text;
  while (text.size() < bytes) text += RandomHex(1 << 16);
  text.resize(bytes);
  return text;
}

}  // namespace

TEST_CASE("S3 storage conforms, on a real server", "[s3]") {
  const auto storage = OpenAt(S3Fixture::Shared().NewUri(), OptionsFor(S3Fixture::Shared().port()));
  penstock::testing::RequireStorageConforms(*storage);
}

TEST_CASE("S3 storage: a real server passes the probe, and leaves nothing behind", "[s3]") {
  StorageOptions options{OptionsFor(S3Fixture::Shared().port())};
  const std::string uri = S3Fixture::Shared().NewUri();
  const auto storage = OpenStorage(uri, options);
  REQUIRE(storage.ok());
  CHECK((*storage)->Describe() == uri);
  CHECK(ProbeStorage(**storage).ok());
  CHECK((*storage)->List("")->empty());
}

TEST_CASE("S3 storage: what a real server refuses is explained", "[s3]") {
  Options options = OptionsFor(S3Fixture::Shared().port());
  options.secret_key = "wrong";
  const absl::Status refused = OpenAt(S3Fixture::Shared().NewUri(), options)->Write("a", "x");
  CHECK(absl::IsPermissionDenied(refused));
  CHECK(MessageOf(refused).find("SignatureDoesNotMatch") != std::string::npos);
  options = OptionsFor(S3Fixture::Shared().port());
  const absl::Status missing = OpenAt("s3://no-such-bucket/x", options)->Write("a", "x");
  CHECK(absl::IsFailedPrecondition(missing));
  CHECK(MessageOf(missing).find("create the bucket") != std::string::npos);
}

TEST_CASE("S3 storage: names with characters that must be encoded", "[s3]") {
  const auto storage = OpenAt(S3Fixture::Shared().NewUri(), OptionsFor(S3Fixture::Shared().port()));
  const std::string name = "jobs/a%20b c+d&e=f/~x'y\"<z>";
  REQUIRE(storage->Write(name, "bytes").ok());
  CHECK(*storage->ReadAll(name) == "bytes");
  CHECK(storage->List("jobs/a%20b c+d&e")->at(0).name == name);
  CHECK(storage->Delete({name, "jobs/none"}).ok());
  CHECK(storage->List("")->empty());
}

TEST_CASE("S3 storage: connections that are spoilt on the way", "[s3]") {
  FaultProxy proxy(S3Fixture::Shared().port());
  const std::string uri = S3Fixture::Shared().NewUri();
  const std::string bytes = RandomBytes(3 * kPartBytesMin + 12'345);
  const ConnectionFault fault = GENERATE(
      ConnectionFault{Kind::kRefuse}, ConnectionFault{Kind::kAnswer503}, ConnectionFault{Kind::kCutRequest, 200},
      ConnectionFault{Kind::kCutRequest, 3'000'000}, ConnectionFault{Kind::kCutAnswer, 10},
      ConnectionFault{Kind::kCutAnswer, 2'000'000}, ConnectionFault{Kind::kStall, 100'000});
  const auto spoilt = [&] {  // a new storage, so that its first connections are new
    proxy.Order(fault, 2);
    return OpenAt(uri, OptionsFor(proxy.port()));
  };
  REQUIRE(spoilt()->Write("large", bytes).ok());
  CHECK((*spoilt()->ReadAll("large") == bytes));
  CHECK((*spoilt()->Read("large", 1'000'000, 9'000'000) == bytes.substr(1'000'000, 9'000'000)));
  REQUIRE(spoilt()->Write("small", "bytes").ok());
  const auto storage = spoilt();
  const absl::StatusOr<bool> decided = storage->WriteIfAbsent("decision", "mine");
  if (decided.ok()) CHECK(*decided);
  CHECK(*storage->ReadAll("decision") == "mine");
  CHECK(spoilt()->List("")->size() == 3);
  CHECK(spoilt()->Delete({"large", "small", "decision"}).ok());
}

TEST_CASE("S3 storage: connections are kept and bounded", "[s3]") {
  FaultProxy proxy(S3Fixture::Shared().port());
  Options options = OptionsFor(proxy.port());
  options.connections_max = 2;
  const auto storage = OpenAt(S3Fixture::Shared().NewUri(), options);
  std::vector<std::thread> threads;
  for (int i = 0; i < 6; ++i) {
    threads.emplace_back([&, i] {
      for (int k = 0; k < 5; ++k) CHECK(storage->Write(std::to_string(i), std::string(1000, 'x')).ok());
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(proxy.connections() <= 2);
}

TEST_CASE("S3 storage: nobody at the endpoint", "[s3]") {
  int port = 0;
  {
    FaultProxy closed(S3Fixture::Shared().port());
    port = closed.port();
  }
  Options options = OptionsFor(port);
  options.tries_max = 2;
  const absl::Status status = OpenAt("s3://penstock/x", options)->Write("a", "x");
  CHECK(absl::IsUnavailable(status));
  CHECK(MessageOf(status).find("at http://127.0.0.1:" + std::to_string(port)) != std::string::npos);
  CHECK(MessageOf(status).find("given up after 2 tries") != std::string::npos);
}

}  // namespace penstock::s3
