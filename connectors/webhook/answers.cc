#include "connectors/webhook/answers.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>

namespace penstock::webhook {

Verdict VerdictOf(int status) {
  if (status >= 200 && status < 300) return Verdict::kDelivered;
  if (status == 408 || status == 425 || status == 429 || status >= 500) return Verdict::kMayPass;
  return Verdict::kRefused;
}

int64_t RetryAfterMs(const std::string& header, int64_t now_ms) {
  int64_t seconds = 0;
  const char* const end = header.data() + header.size();
  const auto [stop, error] = std::from_chars(header.data(), end, seconds);
  if (error == std::errc() && stop == end && seconds >= 0) return std::min(seconds, kRetryAfterMaxMs / 1000) * 1000;
  const time_t date = header.empty() ? -1 : curl_getdate(header.c_str(), nullptr);
  if (date < 0) return -1;
  return std::clamp<int64_t>(static_cast<int64_t>(date) * 1000 - now_ms, 0, kRetryAfterMaxMs);
}

}  // namespace penstock::webhook
