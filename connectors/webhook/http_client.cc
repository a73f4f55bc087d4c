#include "connectors/webhook/http_client.h"

#include <curl/curl.h>

#include <algorithm>

#include "runtime/core/status.h"

namespace penstock::webhook {
namespace {

void InitializeOnce() {
  static const CURLcode done = curl_global_init(CURL_GLOBAL_DEFAULT);
  static_cast<void>(done);
}

size_t OnBody(char* bytes, size_t size, size_t count, void* user) {
  std::string& body = static_cast<HttpAnswer*>(user)->body;
  body.append(bytes, std::min(size * count, kAnswerBytesMax - body.size()));
  return size * count;
}

size_t OnHeader(char* line, size_t size, size_t count, void* user) {
  static constexpr std::string_view kRetryAfter = "retry-after:";
  std::string_view text(line, size * count);
  if (text.size() > kRetryAfter.size() && curl_strnequal(text.data(), kRetryAfter.data(), kRetryAfter.size()) != 0) {
    text.remove_prefix(kRetryAfter.size());
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
    while (!text.empty() && (text.back() == '\r' || text.back() == '\n' || text.back() == ' ')) text.remove_suffix(1);
    static_cast<HttpAnswer*>(user)->retry_after = text;
  }
  return size * count;
}

int OnProgress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const StopRequest*>(user)->requested() ? 1 : 0;
}

bool IsHopeless(CURLcode code) {
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return true;
    default:
      return false;
  }
}

}  // namespace

struct HttpClient::Handle {
  CURL* const curl = curl_easy_init();
  curl_slist* headers = nullptr;
  ~Handle() {
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
  }
  void SetHeaders(const HttpOptions& options, const std::string& extra) {
    curl_slist_free_all(headers);
    headers = curl_slist_append(nullptr, "Expect:");
    for (const std::string& header : options.headers) headers = curl_slist_append(headers, header.c_str());
    if (!extra.empty()) headers = curl_slist_append(headers, extra.c_str());
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
  }
  void SetOptions(const HttpOptions& options) const {
    curl_easy_setopt(curl, CURLOPT_URL, options.url.c_str());
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout_ms));
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(options.request_timeout_ms));
    if (!options.ca_file.empty()) curl_easy_setopt(curl, CURLOPT_CAINFO, options.ca_file.c_str());
    if (!options.username.empty()) {
      curl_easy_setopt(curl, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
      curl_easy_setopt(curl, CURLOPT_USERNAME, options.username.c_str());
      curl_easy_setopt(curl, CURLOPT_PASSWORD, options.password.c_str());
    }
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, options.method.c_str());
  }
};

HttpClient::HttpClient() {
  InitializeOnce();
  handle_ = std::make_unique<Handle>();
}
HttpClient::~HttpClient() = default;

absl::StatusOr<HttpAnswer> HttpClient::Send(const HttpOptions& options, const std::string& extra_header,
                                            std::string_view body, const StopRequest& stop) {
  CURL* const curl = handle_->curl;
  HttpAnswer answer;
  char problem[CURL_ERROR_SIZE] = "";
  curl_easy_reset(curl);  // keeps the connection
  handle_->SetOptions(options);
  handle_->SetHeaders(options, extra_header);
  curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, problem);
  curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.empty() ? "" : body.data());
  curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &OnHeader);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &answer);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &OnBody);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &answer);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &OnProgress);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, const_cast<StopRequest*>(&stop));
  const CURLcode code = curl_easy_perform(curl);
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  answer.status = static_cast<int>(status);
  if (code == CURLE_OK) return answer;
  if (stop.requested()) return Cancelled("the task is to stop");
  const char* const text = problem[0] != '\0' ? problem : curl_easy_strerror(code);
  if (IsHopeless(code)) return FailedPrecondition("{}", text);
  return Unavailable("{}", text);
}

}  // namespace penstock::webhook
