#include "runtime/core/storage/s3/answers.h"

#include <catch2/catch.hpp>

namespace penstock::s3 {

TEST_CASE("answers: a page of a list", "[s3]") {
  const auto page = ParseList(R"(<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><IsTruncated>true</IsTruncated>
<NextContinuationToken>1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=</NextContinuationToken>
<Contents><Key>a/b&amp;c</Key><LastModified>2009-10-12T17:50:30.250Z</LastModified><Size>434234</Size></Contents>
<Contents><Key>empty</Key><LastModified>2009-10-12T17:50:30Z</LastModified><Size>0</Size></Contents>
</ListBucketResult>)");
  REQUIRE(page.ok());
  REQUIRE(page->objects.size() == 2);
  CHECK(page->objects[0].key == "a/b&c");
  CHECK(page->objects[0].size_bytes == 434234);
  CHECK(page->objects[0].modified_ms == 1255369830250);
  CHECK(page->continuation == "1ueGcxLPRx1Tr/XYExHnhbYLgveDs2J/wm36Hy4vbOwM=");
  CHECK(ParseList("<ListBucketResult><IsTruncated>false</IsTruncated></ListBucketResult>")->continuation.empty());
  CHECK_FALSE(ParseList("<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>").ok());
  CHECK_FALSE(ParseList("<html>a login page</html>").ok());
  CHECK_FALSE(ParseList("<ListBucketResult><Contents>").ok());
}

TEST_CASE("answers: errors", "[s3]") {
  const ErrorAnswer error = ParseError(
      "<?xml version=\"1.0\"?><Error><Code>AuthorizationHeaderMalformed</Code><Message>the region 'us-east-1' is wrong"
      "</Message><Region>eu-west-1</Region></Error>");
  CHECK(error.code == "AuthorizationHeaderMalformed");
  CHECK(error.message == "the region 'us-east-1' is wrong");
  CHECK(error.region == "eu-west-1");
  CHECK(ParseError("").code.empty());
  CHECK(ParseError("Bad Gateway").code.empty());
}

TEST_CASE("answers: uploads and deletions", "[s3]") {
  CHECK(*ParseUploadId("<InitiateMultipartUploadResult><UploadId>VXB-1</UploadId></InitiateMultipartUploadResult>") ==
        "VXB-1");
  CHECK_FALSE(ParseUploadId("<InitiateMultipartUploadResult/>").ok());
  CHECK(CompleteUploadBody({"\"a\"", "\"b\""}) ==
        "<?xml version=\"1.0\"?><CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">"
        "<Part><PartNumber>1</PartNumber><ETag>\"a\"</ETag></Part>"
        "<Part><PartNumber>2</PartNumber><ETag>\"b\"</ETag></Part></CompleteMultipartUpload>");
  CHECK(DeleteBody({"a<b"}).find("<Quiet>true</Quiet><Object><Key>a&lt;b</Key></Object>") != std::string::npos);
  const auto failures = ParseDeleteFailures(
      "<DeleteResult><Error><Key>k</Key><Code>AccessDenied</Code><Message>no</Message></Error></DeleteResult>");
  REQUIRE(failures.ok());
  REQUIRE(failures->size() == 1);
  CHECK(failures->at(0).key == "k");
  CHECK(failures->at(0).error.code == "AccessDenied");
  CHECK(ParseDeleteFailures("<DeleteResult/>")->empty());
  CHECK_FALSE(ParseDeleteFailures("oops").ok());
}

}  // namespace penstock::s3
