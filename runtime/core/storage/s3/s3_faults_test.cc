// The storage over a fake S3 that misbehaves as ordered; what a real server does is in s3_server_test.cc.
#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <numeric>

#include "runtime/core/status.h"
#include "runtime/core/storage/s3/s3_storage.h"
#include "runtime/core/storage/s3/testing/fake_s3.h"
#include "tests/support/storage_conformance.h"

namespace penstock::s3 {
namespace {

using testing::FakeS3;
using testing::Fault;
using Kind = Fault::Kind;

constexpr int kTriesMax = 4;

struct Fixture {
  explicit Fixture(int64_t part_bytes = 8 << 20) {
    Options options;
    options.endpoint = "http://127.0.0.1:1";
    options.access_key = "key";
    options.secret_key = "very-secret";
    options.part_bytes = part_bytes;
    options.tries_max = kTriesMax;
    options.backoff_min_ms = 100;
    options.backoff_max_ms = 250;
    auto opened = S3Storage::Open("s3://bucket/some/where", options, std::make_unique<testing::FakeTransport>(s3),
                                  {clock, [this] { return next_random--; },
                                   [this](int64_t ms) {
                                     MutexLock lock(&mutex);
                                     pauses_ms.push_back(ms);
                                   }});
    REQUIRE(opened.ok());
    storage = *std::move(opened);
  }
  size_t CallsOf(const std::string& method) const {
    const std::vector<std::string> calls = s3->Calls();
    return static_cast<size_t>(
        std::count_if(calls.begin(), calls.end(), [&](const std::string& call) { return call.starts_with(method); }));
  }

  const std::shared_ptr<FakeS3> s3 = std::make_shared<FakeS3>();
  ManualClock clock{1'700'000'000'000};
  Mutex mutex;
  std::vector<int64_t> pauses_ms;
  std::atomic<uint64_t> next_random{~uint64_t{0}};
  std::unique_ptr<S3Storage> storage;
};

}  // namespace

TEST_CASE("S3 storage conforms, over a fake", "[s3]") {
  Fixture fixture(GENERATE(64 << 10, 8 << 20));
  penstock::testing::RequireStorageConforms(*fixture.storage);
  CHECK(fixture.s3->OpenUploads() == 0);
}

TEST_CASE("S3 storage: what the network or a busy server spoils is tried again, after growing pauses", "[s3]") {
  Fixture fixture;
  const Fault fault =
      GENERATE(Fault{"", "", Kind::kUnreachable}, Fault{"", "", Kind::kAnswerLost},
               Fault{"", "", Kind::kAnswer, 500, "InternalError"}, Fault{"", "", Kind::kAnswer, 503, "SlowDown"},
               Fault{"", "", Kind::kAnswer, 502, ""}, Fault{"", "", Kind::kAnswer, 400, "RequestTimeout"});
  REQUIRE(fixture.storage->Write("a", "bytes").ok());
  fixture.s3->Order(fault, kTriesMax - 1);
  CHECK(fixture.storage->Write("a", "other").ok());
  fixture.s3->Order(fault, kTriesMax - 1);
  CHECK(*fixture.storage->ReadAll("a") == "other");
  fixture.s3->Order(fault, kTriesMax - 1);
  CHECK(fixture.storage->List("")->size() == 1);
  fixture.s3->Order(fault, kTriesMax - 1);
  CHECK(fixture.storage->Delete({"a", "b"}).ok());
  CHECK(fixture.s3->FaultsLeft() == 0);
  CHECK(std::vector(fixture.pauses_ms.begin(), fixture.pauses_ms.begin() + kTriesMax - 1) ==
        std::vector<int64_t>{16, 15, 114});  // 2^64 and less, modulo 100, 200, 250, and one
}

TEST_CASE("S3 storage: tries are bounded, and the error says where", "[s3]") {
  Fixture fixture;
  fixture.s3->Order({"", "", Kind::kAnswer, 503, "SlowDown"}, kTriesMax);
  const absl::Status status = fixture.storage->Write("a", "bytes");
  CHECK(absl::IsUnavailable(status));
  CHECK(MessageOf(status) ==
        "PUT s3://bucket/some/where/a at http://127.0.0.1:1: 503 SlowDown: as ordered; given up after 4 tries");
  CHECK(fixture.s3->Calls().size() == kTriesMax);
}

TEST_CASE("S3 storage: what a retry does not help is said at once, with what to do", "[s3]") {
  struct Case {
    int status;
    std::string code;
    absl::StatusCode expected;
    std::string advice;
  };
  const Case given = GENERATE(
      Case{403, "SignatureDoesNotMatch", absl::StatusCode::kPermissionDenied, "check s3.access-key and s3.secret-key"},
      Case{403, "InvalidAccessKeyId", absl::StatusCode::kPermissionDenied, "check s3.access-key and s3.secret-key"},
      Case{403, "RequestTimeTooSkewed", absl::StatusCode::kPermissionDenied, "set the clock"},
      Case{403, "AccessDenied", absl::StatusCode::kPermissionDenied, "must be allowed"},
      Case{400, "ExpiredToken", absl::StatusCode::kPermissionDenied, "session token"},
      Case{404, "NoSuchBucket", absl::StatusCode::kFailedPrecondition, "create the bucket"},
      Case{301, "PermanentRedirect", absl::StatusCode::kFailedPrecondition, "set s3.region"},
      Case{507, "InsufficientStorage", absl::StatusCode::kResourceExhausted, "make room"},
      Case{404, "XAdminUserNotFound", absl::StatusCode::kFailedPrecondition, "XAdminUserNotFound"},
      Case{400, "EntityTooLarge", absl::StatusCode::kFailedPrecondition, "EntityTooLarge"});
  Fixture fixture;
  fixture.s3->Order({"", "", Kind::kAnswer, given.status, given.code});
  const absl::Status status = fixture.storage->Write("a", "bytes");
  INFO(status);
  CHECK(status.code() == given.expected);
  CHECK(MessageOf(status).find(given.code) != std::string::npos);
  CHECK(MessageOf(status).find(given.advice) != std::string::npos);
  CHECK(MessageOf(status).find("s3://bucket/some/where/a at http://127.0.0.1:1") != std::string::npos);
  CHECK(MessageOf(status).find("very-secret") == std::string::npos);
  CHECK(fixture.s3->Calls().size() == 1);
}

TEST_CASE("S3 storage: a body that breaks off is taken up where it broke", "[s3]") {
  Fixture fixture;
  std::string bytes(100'000, ' ');
  std::iota(bytes.begin(), bytes.end(), 0);
  REQUIRE(fixture.storage->Write("a", bytes).ok());
  fixture.s3->Order({"GET", "", Kind::kCutBody}, kTriesMax - 1);
  CHECK((*fixture.storage->ReadAll("a") == bytes));
  fixture.s3->Order({"GET", "", Kind::kCutBody}, kTriesMax - 1);
  CHECK((*fixture.storage->Read("a", 10, 70'000) == bytes.substr(10, 70'000)));
  CHECK(fixture.s3->FaultsLeft() == 0);
}

TEST_CASE("S3 storage: an object replaced between two tries is read anew, not half and half", "[s3]") {
  const auto s3 = std::make_shared<FakeS3>();
  class ReplacingTransport final : public HttpTransport {
   public:
    explicit ReplacingTransport(std::shared_ptr<FakeS3> s3) : s3_(std::move(s3)) {}
    absl::Status Send(const HttpRequest& request, HttpAnswer* answer) override {
      const absl::Status status = s3_->Handle(request, answer);
      if (!status.ok()) s3_->Replace("a", "new new new!");
      return status;
    }

   private:
    const std::shared_ptr<FakeS3> s3_;
  };
  Options options;
  options.endpoint = "http://127.0.0.1:1";
  options.access_key = options.secret_key = "key";
  auto storage = S3Storage::Open("s3://bucket", options, std::make_unique<ReplacingTransport>(s3),
                                 {Clock::System(), [] { return uint64_t{0}; }, [](int64_t) {}});
  REQUIRE(storage.ok());
  REQUIRE((*storage)->Write("a", "old old old").ok());
  s3->Order({"GET", "", Kind::kCutBody});
  CHECK(*(*storage)->ReadAll("a") == "new new new!");
}

TEST_CASE("S3 storage: a decision whose answer is lost is not said to be lost or won", "[s3]") {
  Fixture fixture;
  fixture.s3->Order({"PUT", "", Kind::kAnswerLost});
  CHECK(absl::IsUnavailable(fixture.storage->WriteIfAbsent("a", "mine").status()));
  CHECK(*fixture.storage->ReadAll("a") == "mine");
  fixture.s3->Order({"PUT", "", Kind::kUnreachable});
  CHECK(*fixture.storage->WriteIfAbsent("b", "mine"));
  fixture.s3->Order({"PUT", "", Kind::kAnswer, 409, "ConditionalRequestConflict"});
  CHECK_FALSE(*fixture.storage->WriteIfAbsent("b", "late"));  // a clear refusal, then a clear answer
  fixture.s3->Order({"PUT", "", Kind::kAnswer, 409, "ConditionalRequestConflict"});
  CHECK(*fixture.storage->WriteIfAbsent("c", "first"));
}

TEST_CASE("S3 storage: an upload in parts gets over faults in each of its steps", "[s3]") {
  constexpr int64_t kPart = 1 << 10;
  Fixture fixture(kPart);
  const std::string bytes(10 * kPart + 7, 'x');
  const Kind kind = GENERATE(Kind::kUnreachable, Kind::kAnswer, Kind::kAnswerLost);
  const char* step = GENERATE("uploads=", "partNumber=1&", "partNumber=4", "partNumber=11");
  fixture.s3->Order({"", step, kind});
  REQUIRE(fixture.storage->Write("a", bytes).ok());
  CHECK((*fixture.storage->ReadAll("a") == bytes));
  CHECK(fixture.s3->FaultsLeft() == 0);
}

TEST_CASE("S3 storage: the completion of an upload whose answer is lost or late is known again", "[s3]") {
  Fixture fixture(1 << 10);
  const std::string bytes(5'000, 'x');
  fixture.s3->Order({"POST", "uploadId=", GENERATE(Kind::kAnswerLost, Kind::kUnreachable)});
  CHECK(fixture.storage->Write("a", bytes).ok());
  fixture.s3->Order({"POST", "uploadId=", Kind::kLateError, 200, "InternalError"});
  CHECK(fixture.storage->Write("b", bytes).ok());
  CHECK((*fixture.storage->ReadAll("b") == bytes));
  // An object of that name which somebody else's upload made does not count.
  REQUIRE(fixture.storage->Write("c", bytes).ok());
  fixture.s3->Order({"POST", "uploadId=", Kind::kAnswer, 404, "NoSuchUpload"});
  CHECK(absl::IsUnavailable(fixture.storage->Write("c", bytes)));
}

TEST_CASE("S3 storage: an upload that fails or is dropped is aborted", "[s3]") {
  Fixture fixture(1 << 10);
  const std::string bytes(20'000, 'x');
  {
    auto writer = fixture.storage->Create("a");
    REQUIRE((*writer)->Append(bytes).ok());
    CHECK(fixture.s3->OpenUploads() == 1);
  }
  CHECK(fixture.s3->OpenUploads() == 0);
  fixture.s3->Order({"PUT", "partNumber=3", Kind::kAnswer, 403, "AccessDenied"});
  CHECK(absl::IsPermissionDenied(fixture.storage->Write("a", bytes)));
  CHECK(fixture.s3->OpenUploads() == 0);
  CHECK(absl::IsNotFound(fixture.storage->ReadAll("a").status()));
}

TEST_CASE("S3 storage: long lists come in pages, long deletions in batches", "[s3]") {
  Fixture fixture;
  fixture.s3->SetPageKeys(100);
  if (GENERATE(false, true)) fixture.s3->RefuseMultiDelete();
  std::vector<std::string> names;
  for (int i = 0; i < 1234; ++i) {
    names.push_back("n/" + std::to_string(i));
    REQUIRE(fixture.storage->Write(names.back(), "").ok());
  }
  CHECK(fixture.storage->List("n/")->size() == 1234);
  CHECK(fixture.CallsOf("GET") == 13);
  CHECK(fixture.storage->Delete(names).ok());
  CHECK(fixture.storage->List("n/")->empty());
}

TEST_CASE("S3 storage: a server without conditional writes is refused by the probe", "[s3]") {
  Fixture good;
  CHECK(ProbeStorage(*good.storage).ok());
  CHECK(good.storage->List("")->empty());
  Fixture bad;
  bad.s3->IgnoreConditions();
  const absl::Status refused = ProbeStorage(*bad.storage);
  CHECK(absl::IsFailedPrecondition(refused));
  CHECK(MessageOf(refused).find("s3://bucket/some/where ignores 'If-None-Match: *'") != std::string::npos);
  bad.s3->Order({"PUT", "", Kind::kAnswer, 501, "NotImplemented"});
  CHECK_FALSE(ProbeStorage(*bad.storage).ok());
}

TEST_CASE("S3 storage: credentials are asked for", "[s3]") {
  const auto storage = OpenStorage("s3://bucket/x", {});
  CHECK(absl::IsFailedPrecondition(storage.status()));
  CHECK(MessageOf(storage.status()).find("set s3.access-key and s3.secret-key") != std::string::npos);
}

}  // namespace penstock::s3
