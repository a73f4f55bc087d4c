#include "runtime/core/storage/s3/curl_transport.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <utility>

#include "runtime/core/status.h"

namespace penstock::s3 {
namespace {

constexpr int64_t kReserveBytesMax = 64 << 20;  // for a body of which the answer says the length

void InitializeOnce() {
  static const CURLcode done = curl_global_init(CURL_GLOBAL_DEFAULT);
  static_cast<void>(done);
}

size_t OnHeader(char* line, size_t size, size_t count, void* user) {
  auto* answer = static_cast<HttpAnswer*>(user);
  const std::string_view text(line, size * count);
  const size_t colon = text.find(':');
  if (text.starts_with("HTTP/")) answer->headers.clear();  // of "100 Continue"
  if (colon == std::string_view::npos) return text.size();
  std::string name(text.substr(0, colon));
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  std::string_view value = text.substr(colon + 1);
  while (!value.empty() && std::isspace(static_cast<unsigned char>(value.front()))) value.remove_prefix(1);
  while (!value.empty() && std::isspace(static_cast<unsigned char>(value.back()))) value.remove_suffix(1);
  answer->headers[name] = value;
  return text.size();
}

size_t OnBody(char* bytes, size_t size, size_t count, void* user) {
  auto* answer = static_cast<HttpAnswer*>(user);
  if (answer->body.empty()) {
    const auto length = answer->headers.find("content-length");
    if (length != answer->headers.end()) {
      answer->body.reserve(
          static_cast<size_t>(std::clamp<int64_t>(std::atoll(length->second.c_str()), 0, kReserveBytesMax)));
    }
  }
  answer->body.append(bytes, size * count);
  return size * count;
}

size_t OnUpload(char* into, size_t size, size_t count, void* user) {
  auto* rest = static_cast<std::string_view*>(user);
  const size_t taken = std::min(size * count, rest->size());
  std::copy_n(rest->data(), taken, into);
  rest->remove_prefix(taken);
  return taken;
}

bool IsHopeless(CURLcode code) {
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_OUT_OF_MEMORY:
      return true;
    default:
      return false;
  }
}

}  // namespace

// A curl handle with the connection it keeps. One user at a time.
class CurlTransport::Handle {
 public:
  Handle() : curl_(curl_easy_init()) {}
  ~Handle() { curl_easy_cleanup(curl_); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  absl::Status Send(const Options& options, const HttpRequest& request, HttpAnswer* answer) {
    char problem[CURL_ERROR_SIZE] = "";
    std::string_view unsent = request.body;
    curl_easy_reset(curl_);  // keeps the connection
    curl_slist* headers = nullptr;
    for (const auto& [name, value] : request.headers) {
      headers = curl_slist_append(headers, fmt::format("{}: {}", name, value).c_str());
    }
    headers = curl_slist_append(headers, "Expect:");
    curl_easy_setopt(curl_, CURLOPT_ERRORBUFFER, problem);
    curl_easy_setopt(curl_, CURLOPT_URL, request.url.c_str());
    curl_easy_setopt(curl_, CURLOPT_PATH_AS_IS, 1L);  // signed as it is
    curl_easy_setopt(curl_, CURLOPT_HTTPHEADER, headers);
    curl_easy_setopt(curl_, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl_, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options.connect_timeout_ms));
    curl_easy_setopt(curl_, CURLOPT_LOW_SPEED_LIMIT, static_cast<long>(options.stall_bytes_per_s));
    curl_easy_setopt(curl_, CURLOPT_LOW_SPEED_TIME, static_cast<long>(options.stall_timeout_s));
    curl_easy_setopt(curl_, CURLOPT_HEADERFUNCTION, &OnHeader);
    curl_easy_setopt(curl_, CURLOPT_HEADERDATA, answer);
    curl_easy_setopt(curl_, CURLOPT_WRITEFUNCTION, &OnBody);
    curl_easy_setopt(curl_, CURLOPT_WRITEDATA, answer);
    SetBody(request, &unsent);
    const CURLcode code = curl_easy_perform(curl_);
    curl_slist_free_all(headers);
    long status = 0;
    curl_easy_getinfo(curl_, CURLINFO_RESPONSE_CODE, &status);
    answer->status = static_cast<int>(status);
    if (code == CURLE_OK) return absl::OkStatus();
    const char* text = problem[0] != '\0' ? problem : curl_easy_strerror(code);
    if (IsHopeless(code)) return FailedPrecondition("{}", text);
    return Unavailable("{}", text);
  }

 private:
  void SetBody(const HttpRequest& request, std::string_view* unsent) {
    if (request.method == "HEAD") {
      curl_easy_setopt(curl_, CURLOPT_NOBODY, 1L);
    } else if (request.method == "PUT") {
      curl_easy_setopt(curl_, CURLOPT_UPLOAD, 1L);
      curl_easy_setopt(curl_, CURLOPT_INFILESIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
      curl_easy_setopt(curl_, CURLOPT_READFUNCTION, &OnUpload);
      curl_easy_setopt(curl_, CURLOPT_READDATA, unsent);
      curl_easy_setopt(curl_, CURLOPT_UPLOAD_BUFFERSIZE, 256L << 10);
    } else if (request.method == "POST") {
      curl_easy_setopt(curl_, CURLOPT_POST, 1L);
      curl_easy_setopt(curl_, CURLOPT_POSTFIELDS, request.body.empty() ? "" : request.body.data());
      curl_easy_setopt(curl_, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(request.body.size()));
    } else {
      curl_easy_setopt(curl_, CURLOPT_CUSTOMREQUEST, request.method.c_str());
    }
  }

  CURL* const curl_;
};

CurlTransport::CurlTransport(const Options& options) : options_(options) { InitializeOnce(); }

CurlTransport::~CurlTransport() = default;

std::unique_ptr<CurlTransport::Handle> CurlTransport::Take() {
  MutexLock lock(&mutex_);
  while (taken_ >= options_.connections_max) freed_.Wait(&mutex_);
  ++taken_;
  if (idle_.empty()) return std::make_unique<Handle>();
  std::unique_ptr<Handle> handle = std::move(idle_.back());
  idle_.pop_back();
  return handle;
}

void CurlTransport::GiveBack(std::unique_ptr<Handle> handle) {
  MutexLock lock(&mutex_);
  --taken_;
  idle_.push_back(std::move(handle));
  freed_.NotifyOne();
}

absl::Status CurlTransport::Send(const HttpRequest& request, HttpAnswer* answer) {
  std::unique_ptr<Handle> handle = Take();
  const absl::Status status = handle->Send(options_, request, answer);
  GiveBack(std::move(handle));
  return status;
}

}  // namespace penstock::s3
