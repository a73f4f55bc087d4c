// AWS Signature Version 4 in headers, as S3 wants it. Pure: the same input gives the same signature.
#ifndef PENSTOCK_RUNTIME_CORE_STORAGE_S3_SIGNATURE_H_
#define PENSTOCK_RUNTIME_CORE_STORAGE_S3_SIGNATURE_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace penstock::s3 {

using Query = std::vector<std::pair<std::string, std::string>>;  // not encoded

struct Credentials {
  std::string access_key;
  std::string secret_key;
  std::string session_token;  // empty: none
};

struct SigningScope {
  std::string region;
  std::string service = "s3";
  int64_t now_ms = 0;  // since the epoch
};

struct RequestToSign {
  std::string_view method;
  std::string_view path;                       // encoded, as it is sent
  std::string_view query;                      // of CanonicalQuery
  std::map<std::string, std::string> headers;  // names in lower case; all are signed, "host" must be there
  std::string_view payload_sha256;             // lower-case hex
};

// Everything but A-Z a-z 0-9 - _ . ~ as %XX; with keep_slashes '/' stays, too.
std::string EncodeUri(std::string_view text, bool keep_slashes);
// Encoded and in the order that is signed; also what is sent.
std::string CanonicalQuery(const Query& query);
// 20150830T123600Z, the value of x-amz-date.
std::string AmzDate(int64_t now_ms);

// The value of the header Authorization. x-amz-date and x-amz-security-token are the caller's to add to the headers.
std::string Authorization(const RequestToSign& request, const Credentials& credentials, const SigningScope& scope);

}  // namespace penstock::s3

#endif  // PENSTOCK_RUNTIME_CORE_STORAGE_S3_SIGNATURE_H_
