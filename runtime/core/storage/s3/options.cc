#include "runtime/core/storage/s3/options.h"

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "runtime/core/config.h"
#include "runtime/core/status.h"

namespace penstock::s3 {
namespace {

constexpr size_t kBucketCharsMin = 3;
constexpr size_t kBucketCharsMax = 63;

bool IsBucketName(const std::string& name) {
  return name.size() >= kBucketCharsMin && name.size() <= kBucketCharsMax &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return std::islower(static_cast<unsigned char>(c)) || std::isdigit(static_cast<unsigned char>(c)) ||
                  c == '-' || c == '.' || c == '_';
         });
}

// bucket.127.0.0.1 is no name, and bucket.localhost none that many machines know.
bool TakesNoBucketInFront(const std::string& host) {
  const std::string name = host.substr(0, host.find(':'));
  return host.starts_with("[") || name == "localhost" || name.find_first_not_of("0123456789.") == std::string::npos;
}

}  // namespace

Environment ProcessEnvironment() {
  return [](const char* name) {
    const char* value = std::getenv(name);
    return std::string(value != nullptr ? value : "");
  };
}

Options Options::From(const Config& config, const Environment& environment) {
  const auto from = [&](std::string_view key, std::initializer_list<const char*> variables) {
    std::string value = key.empty() ? "" : config.GetString(key);
    for (const char* variable : variables) {
      if (value.empty()) value = environment(variable);
    }
    return value;
  };
  Options options;
  options.endpoint = from("s3.endpoint", {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"});
  options.region = from("s3.region", {"AWS_REGION", "AWS_DEFAULT_REGION"});
  options.access_key = from("s3.access-key", {});
  options.secret_key = from("s3.secret-key", {});
  options.session_token = from("s3.session-token", {});
  if (options.access_key.empty() && options.secret_key.empty()) {  // a pair is never mixed from two sources
    options.access_key = from("", {"AWS_ACCESS_KEY_ID"});
    options.secret_key = from("", {"AWS_SECRET_ACCESS_KEY"});
    if (options.session_token.empty()) options.session_token = from("", {"AWS_SESSION_TOKEN"});
  }
  options.path_style = config.GetBool("s3.path.style.access");
  options.connections_max = static_cast<int>(config.GetInt("s3.connection.maximum"));
  return options;
}

absl::StatusOr<Location> Location::Parse(const std::string& uri) {
  constexpr std::string_view kScheme = "s3://";
  if (!uri.starts_with(kScheme)) return InvalidArgument("'{}' is no s3://bucket/prefix", uri);
  const std::string rest = uri.substr(kScheme.size());
  const size_t slash = rest.find('/');
  Location location;
  location.bucket = rest.substr(0, slash);
  if (!IsBucketName(location.bucket)) {
    return InvalidArgument("storage '{}': '{}' is no name of a bucket; use s3://bucket/prefix", uri, location.bucket);
  }
  if (slash != std::string::npos) location.prefix = rest.substr(slash + 1);
  while (location.prefix.ends_with('/')) location.prefix.pop_back();
  const std::string framed = "/" + location.prefix + "/";
  for (const char* wrong : {"//", "/./", "/../"}) {
    if (!location.prefix.empty() && framed.find(wrong) != std::string::npos) {
      return InvalidArgument("storage '{}': the prefix has an empty part, '.' or '..'", uri);
    }
  }
  if (!location.prefix.empty()) location.prefix += '/';
  return location;
}

absl::StatusOr<Endpoint> Endpoint::Of(const Options& options, const std::string& bucket) {
  const std::string region = options.region.empty() ? "us-east-1" : options.region;
  const std::string text =
      options.endpoint.empty() ? fmt::format("https://s3.{}.amazonaws.com", region) : options.endpoint;
  const size_t host_at = text.starts_with("https://") ? 8 : text.starts_with("http://") ? 7 : 0;
  std::string host = text.substr(host_at);
  while (host.ends_with('/')) host.pop_back();
  if (host_at == 0 || host.empty() || host.find_first_of("/?#@ ") != std::string::npos) {
    return InvalidArgument("s3.endpoint '{}' is no address such as https://storage.example.com:9000", text);
  }
  const std::string scheme = text.substr(0, host_at);
  // A dot in the bucket's name breaks the certificate of its own host name.
  const bool dotted = scheme == "https://" && bucket.find('.') != std::string::npos;
  if (options.path_style || dotted || TakesNoBucketInFront(host)) {
    return Endpoint{scheme + host, host, "/" + bucket + "/"};
  }
  return Endpoint{scheme + bucket + "." + host, bucket + "." + host, "/"};
}

}  // namespace penstock::s3
