// The vectors are those AWS publishes: the Signature Version 4 test suite and the examples of the S3 API reference.
#include "runtime/core/storage/s3/signature.h"

#include <catch2/catch.hpp>

#include "runtime/core/digest.h"

namespace penstock::s3 {
namespace {

const std::string kEmptySha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
constexpr int64_t kSuiteMs = 1440938160000;  // 2015-08-30 12:36:00 UTC
constexpr int64_t kS3Ms = 1369353600000;     // 2013-05-24 00:00:00 UTC

std::string SuiteSignature(std::string_view method, std::string_view path, const Query& query,
                           std::map<std::string, std::string> headers = {}) {
  const std::string canonical = CanonicalQuery(query);
  headers["host"] = "example.amazonaws.com";
  headers["x-amz-date"] = AmzDate(kSuiteMs);
  return Authorization(
      {.method = method, .path = path, .query = canonical, .headers = headers, .payload_sha256 = kEmptySha256},
      {"AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", ""}, {"us-east-1", "service", kSuiteMs});
}

std::string S3Signature(std::string_view method, std::string_view path, const Query& query,
                        std::map<std::string, std::string> headers, const std::string& payload = kEmptySha256) {
  const std::string canonical = CanonicalQuery(query);
  headers["host"] = "examplebucket.s3.amazonaws.com";
  headers["x-amz-date"] = AmzDate(kS3Ms);
  headers["x-amz-content-sha256"] = payload;
  const std::string value = Authorization(
      {.method = method, .path = path, .query = canonical, .headers = headers, .payload_sha256 = payload},
      {"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""}, {"us-east-1", "s3", kS3Ms});
  return value.substr(value.rfind('=') + 1);
}

}  // namespace

TEST_CASE("signature: the test suite of AWS", "[s3]") {
  const std::string credential =
      "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=";
  CHECK(SuiteSignature("GET", "/", {}) ==
        credential + "host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
  CHECK(SuiteSignature("GET", "/", {{"Param2", "value2"}, {"Param1", "value1"}}) ==
        credential + "host;x-amz-date, Signature=b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
  CHECK(SuiteSignature("POST", "/", {}) ==
        credential + "host;x-amz-date, Signature=5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
  CHECK(SuiteSignature("GET", "/", {}, {{"my-header1", " value1"}, {"my-header2", " \"a   b   c\""}}) ==
        credential +
            "host;my-header1;my-header2;x-amz-date, "
            "Signature=acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736");
}

TEST_CASE("signature: the examples of the S3 reference", "[s3]") {
  CHECK(S3Signature("GET", "/test.txt", {}, {{"range", "bytes=0-9"}}) ==
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  CHECK(S3Signature("PUT", EncodeUri("/test$file.text", true), {},
                    {{"date", "Fri, 24 May 2013 00:00:00 GMT"}, {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
                    Sha256Of("Welcome to Amazon S3.")) ==
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
  CHECK(S3Signature("GET", "/", {{"lifecycle", ""}}, {}) ==
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
  CHECK(S3Signature("GET", "/", {{"prefix", "J"}, {"max-keys", "2"}}, {}) ==
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST_CASE("signature: encoding", "[s3]") {
  CHECK(EncodeUri("a/b c+d~e.f_g-h%\xC3\xA4", true) == "a/b%20c%2Bd~e.f_g-h%25%C3%A4");
  CHECK(EncodeUri("a/b", false) == "a%2Fb");
  CHECK(CanonicalQuery({{"b", "2 2"}, {"a", "z"}, {"a", "b"}, {"A", ""}}) == "A=&a=b&a=z&b=2%202");
  CHECK(AmzDate(kSuiteMs) == "20150830T123600Z");
}

}  // namespace penstock::s3
