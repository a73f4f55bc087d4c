// How an S3 storage is reached. Plain data.
#ifndef PENSTOCK_RUNTIME_CORE_STORAGE_S3_OPTIONS_H_
#define PENSTOCK_RUNTIME_CORE_STORAGE_S3_OPTIONS_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"

namespace penstock {
class Config;
}

namespace penstock::s3 {

inline constexpr int64_t kPartBytesMin = 5 << 20;  // S3 takes no smaller part but the last
inline constexpr int64_t kPartsMax = 10'000;       // of one object

// The value of an environment variable; empty when there is none.
using Environment = std::function<std::string(const char* name)>;
Environment ProcessEnvironment();

struct Options {
  std::string endpoint;  // http(s)://host[:port]; empty: Amazon's of the region
  std::string region;
  std::string access_key;
  std::string secret_key;
  std::string session_token;
  bool path_style = false;   // endpoint/bucket/object instead of bucket.endpoint/object
  int connections_max = 16;  // open at once; further calls wait

  // An object beyond part_bytes is uploaded in parts, parts_in_flight_max of one object at a time: a writer holds at
  // most (parts_in_flight_max + 1) × part_bytes.
  int64_t part_bytes = 8 << 20;
  int parts_in_flight_max = 3;
  // Full jitter: a pause is random below min(backoff_max_ms, backoff_min_ms × 2^n).
  int tries_max = 9;
  int64_t backoff_min_ms = 100;
  int64_t backoff_max_ms = 5'000;
  int64_t connect_timeout_ms = 5'000;
  int64_t stall_timeout_s = 20;  // below stall_bytes_per_s for so long
  int64_t stall_bytes_per_s = 1'000;

  // The keys s3.*; what they leave open comes from AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN,
  // AWS_REGION (AWS_DEFAULT_REGION) and AWS_ENDPOINT_URL_S3 (AWS_ENDPOINT_URL).
  static Options From(const Config& config, const Environment& environment);
};

// s3://bucket/prefix
struct Location {
  std::string bucket;
  std::string prefix;  // "" or "a/b/"

  // InvalidArgument: not of that form.
  static absl::StatusOr<Location> Parse(const std::string& uri);
};

// Where requests go.
struct Endpoint {
  std::string base;         // http://host:port
  std::string host;         // as the header Host says it
  std::string path_prefix;  // "/" or "/bucket/"

  // InvalidArgument: the endpoint is no http(s):// address.
  static absl::StatusOr<Endpoint> Of(const Options& options, const std::string& bucket);
};

}  // namespace penstock::s3

#endif  // PENSTOCK_RUNTIME_CORE_STORAGE_S3_OPTIONS_H_
