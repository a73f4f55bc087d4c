#include <curl/curl.h>

#include <atomic>
#include <memory>

#include "penstock/schema_registry/client.h"
#include "runtime/core/mutex.h"
#include "runtime/core/secret.h"
#include "runtime/core/status.h"

namespace penstock::schema_registry {
namespace {

constexpr size_t kAnswerBytesMax = 16 << 20;

size_t OnBody(char* bytes, size_t size, size_t count, void* user) {
  auto* body = static_cast<std::string*>(user);
  if (body->size() + size * count > kAnswerBytesMax) return 0;
  body->append(bytes, size * count);
  return size * count;
}

int OnProgress(void* user, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<std::atomic<bool>*>(user)->load() ? 1 : 0;
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

// One handle, which keeps its connection; requests wait for each other.
class CurlTransport final : public HttpTransport {
 public:
  explicit CurlTransport(const Registry& registry) : registry_(registry) {
    static const CURLcode done = curl_global_init(CURL_GLOBAL_DEFAULT);
    static_cast<void>(done);
    curl_ = curl_easy_init();
  }
  ~CurlTransport() override { curl_easy_cleanup(curl_); }

  absl::Status Send(const HttpRequest& request, HttpAnswer* answer) override {
    PENSTOCK_ASSIGN_OR_RETURN(const std::string user, ResolveSecrets(registry_.user));
    PENSTOCK_ASSIGN_OR_RETURN(const std::string password, ResolveSecrets(registry_.password));
    MutexLock lock(&mutex_);
    char problem[CURL_ERROR_SIZE] = "";
    curl_easy_reset(curl_);  // keeps the connection
    curl_slist* headers =
        curl_slist_append(nullptr, "Accept: application/vnd.schemaregistry.v1+json, application/json");
    headers = curl_slist_append(headers, "Content-Type: application/vnd.schemaregistry.v1+json");
    headers = curl_slist_append(headers, "Expect:");
    curl_easy_setopt(curl_, CURLOPT_ERRORBUFFER, problem);
    curl_easy_setopt(curl_, CURLOPT_URL, request.url.c_str());
    curl_easy_setopt(curl_, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl_, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl_, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl_, CURLOPT_TIMEOUT_MS, static_cast<long>(registry_.timeout.count()));
    curl_easy_setopt(curl_, CURLOPT_WRITEFUNCTION, &OnBody);
    curl_easy_setopt(curl_, CURLOPT_WRITEDATA, &answer->body);
    curl_easy_setopt(curl_, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl_, CURLOPT_XFERINFOFUNCTION, &OnProgress);
    curl_easy_setopt(curl_, CURLOPT_XFERINFODATA, &stopped_);
    curl_easy_setopt(curl_, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    if (!request.body.empty()) {
      curl_easy_setopt(curl_, CURLOPT_POSTFIELDS, request.body.data());
      curl_easy_setopt(curl_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    }
    if (!user.empty()) {
      curl_easy_setopt(curl_, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
      curl_easy_setopt(curl_, CURLOPT_USERNAME, user.c_str());
      curl_easy_setopt(curl_, CURLOPT_PASSWORD, password.c_str());
    }
    if (!registry_.ca_file.empty()) curl_easy_setopt(curl_, CURLOPT_CAINFO, registry_.ca_file.c_str());
    answer->body.clear();
    const CURLcode code = curl_easy_perform(curl_);
    curl_slist_free_all(headers);
    long status = 0;
    curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &status);
    answer->status = static_cast<int>(status);
    if (code == CURLE_OK) return absl::OkStatus();
    const char* const text = problem[0] != '\0' ? problem : curl_easy_strerror(code);
    if (IsHopeless(code)) return FailedPrecondition("{}", text);
    return Unavailable("{}", text);
  }

  void Stop() override { stopped_.store(true); }

 private:
  const Registry registry_;
  Mutex mutex_;
  CURL* curl_ ABSL_PT_GUARDED_BY(mutex_) = nullptr;
  std::atomic<bool> stopped_{false};
};

}  // namespace

std::unique_ptr<HttpTransport> MakeCurlTransport(const Registry& registry) {
  return std::make_unique<CurlTransport>(registry);
}

}  // namespace penstock::schema_registry
