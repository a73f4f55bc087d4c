// The webhook sink: its description, and what makes requests of batches.
#include <algorithm>
#include <atomic>
#include <cctype>
#include <utility>

#include "connectors/batching/batch_writer.h"
#include "connectors/webhook/answers.h"
#include "connectors/webhook/http_client.h"
#include "penstock/connectors/webhook.h"
#include "runtime/core/log.h"
#include "runtime/core/random.h"
#include "runtime/core/secret.h"
#include "runtime/core/status.h"

namespace penstock::webhook {
namespace {

constexpr int kInFlightMax = 64;
constexpr size_t kShownBytesMax = 200;  // of a refusing answer's body

// A request's body, and the key that tells it from others.
class Request {
 public:
  size_t records() const { return records_; }
  size_t bytes() const { return text_.size(); }
  void Add(Body kind, std::string_view record) {
    if (kind == Body::kJsonArray) text_ += records_ == 0 ? '[' : ',';
    text_ += record;
    if (kind == Body::kLines) text_ += '\n';
    ++records_;
  }
  std::string_view text() const { return text_; }
  void Finish(Body kind, std::string key) {
    if (kind == Body::kJsonArray) text_ += ']';
    key_ = std::move(key);
  }
  const std::string& key() const { return key_; }

 private:
  std::string text_;
  std::string key_;
  size_t records_ = 0;
};

const char* ContentTypeOf(Body body) {
  switch (body) {
    case Body::kJsonArray:
      return "application/json";
    case Body::kLines:
      return "application/x-ndjson";
    case Body::kSingle:
      return "application/octet-stream";
  }
  return "";
}

std::string Printable(std::string text) {
  text.resize(std::min(text.size(), kShownBytesMax));
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return std::iscntrl(c) != 0; }, ' ');
  return text;
}

template <class T>
class Target final : public BatchTarget<T, Request> {
 public:
  explicit Target(const Sink& sink) : sink_(sink), clients_(static_cast<size_t>(sink.in_flight_max)) {}

  absl::Status Open(Context& context) override {
    clock_ = &context.clock();
    key_prefix_ = fmt::format("{}-{}-", RandomHex(8), context.subtask());
    http_ = {.method = sink_.method,
             .connect_timeout_ms = sink_.connect_timeout.count(),
             .request_timeout_ms = sink_.request_timeout.count(),
             .ca_file = sink_.ca_file};
    PENSTOCK_ASSIGN_OR_RETURN(http_.url, ResolveSecrets(sink_.url));
    PENSTOCK_ASSIGN_OR_RETURN(http_.username, ResolveSecrets(sink_.username));
    PENSTOCK_ASSIGN_OR_RETURN(http_.password, ResolveSecrets(sink_.password));
    http_.headers.push_back(
        fmt::format("Content-Type: {}", sink_.content_type.empty() ? ContentTypeOf(sink_.body) : sink_.content_type));
    if (!sink_.bearer_token.empty())
      PENSTOCK_RETURN_IF_ERROR(AddHeader("Authorization", "Bearer " + sink_.bearer_token));
    for (const auto& [name, value] : sink_.headers) PENSTOCK_RETURN_IF_ERROR(AddHeader(name, value));
    return absl::OkStatus();
  }

  absl::Status Append(const T& value, TimestampMs, Request& request) override {
    std::string_view record;
    if constexpr (std::same_as<T, Bytes>) {
      record = value.view();
    } else {
      record = value;
    }
    if (sink_.body == Body::kLines && record.find('\n') != std::string_view::npos) {
      return InvalidArgument("webhook sink: a record has a line break; write another body");
    }
    request.Add(sink_.body, record);
    return absl::OkStatus();
  }
  void Finish(Request& request) override { request.Finish(sink_.body, fmt::format("{}{}", key_prefix_, ++batches_)); }

  TryResult Try(int lane, const Request& request, const StopRequest& stop) override {
    auto& client = clients_[static_cast<size_t>(lane)];
    if (client == nullptr) client = std::make_unique<HttpClient>();
    const std::string key =
        sink_.idempotency_header.empty() ? "" : fmt::format("{}: {}", sink_.idempotency_header, request.key());
    const auto answer = client->Send(http_, key, request.text(), stop);
    if (!answer.ok()) return {.status = answer.status(), .retry = absl::IsUnavailable(answer.status())};
    switch (VerdictOf(answer->status)) {
      case Verdict::kDelivered:
        return {};
      case Verdict::kMayPass:
        return {.status = Unavailable("answered {}", answer->status),
                .retry = true,
                .retry_after_ms = RetryAfterMs(answer->retry_after, clock_->NowMs())};
      case Verdict::kRefused:
        break;
    }
    return Refused(*answer, request);
  }

 private:
  absl::Status AddHeader(const std::string& name, const std::string& value) {
    PENSTOCK_ASSIGN_OR_RETURN(const std::string resolved, ResolveSecrets(value));
    if (resolved.find_first_of("\r\n") != std::string::npos) {
      return InvalidArgument("webhook sink: the value of header '{}' has a line break", name);
    }
    http_.headers.push_back(name + ": " + resolved);
    return absl::OkStatus();
  }

  TryResult Refused(const HttpAnswer& answer, const Request& request) const {
    const std::string text =
        fmt::format("{} records were refused with {}: {}", request.records(), answer.status, Printable(answer.body));
    if (sink_.when_refused == WhenRefused::kFail) return {.status = InvalidArgument("{}", text)};
    PENSTOCK_LOG(warn, "webhook sink {}: {}; skipped", sink_.url, text);
    return {.skipped = static_cast<int64_t>(request.records())};
  }

  const Sink sink_;
  const Clock* clock_ = nullptr;
  HttpOptions http_;
  std::string key_prefix_;
  int64_t batches_ = 0;
  std::vector<std::unique_ptr<HttpClient>> clients_;  // by lane; each its lane's
};

bool IsToken(const std::string& name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 ||
           std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
  });
}

template <class T>
std::unique_ptr<SinkWriter<T>> MakeWriter(const Sink& sink) {
  Batching batching = sink.batching;
  if (sink.body == Body::kSingle) batching.records_max = 1;
  return std::make_unique<BatchWriter<T, Request>>(std::make_unique<Target<T>>(sink), "webhook " + sink.url,
                                                   sink.in_flight_max, batching, sink.retrying);
}

}  // namespace

absl::Status Sink::Validate() const {
  std::string problems = ProblemsOf(batching, retrying);
  const auto require = [&](bool holds, const std::string& text) {
    if (!holds) problems += (problems.empty() ? "" : "; ") + text;
  };
  const auto check_references = [&](const char* member, const std::string& value) {
    if (absl::Status status = CheckSecretReferences(value); !status.ok()) {
      require(false, fmt::format("{} has {}", member, MessageOf(status)));
    }
  };
  require(url.starts_with("http://") || url.starts_with("https://") || url.starts_with("${"),
          ".url does not begin with http:// or https://");
  require(method == "POST" || method == "PUT" || method == "PATCH", ".method is not POST, PUT or PATCH");
  for (const auto& [name, value] : headers) {
    require(IsToken(name), fmt::format(".headers: '{}' is no name of a header", name));
    check_references(".headers", value);
  }
  require(idempotency_header.empty() || IsToken(idempotency_header), ".idempotency_header is no name of a header");
  require(bearer_token.empty() || username.empty(), "give .bearer_token or .username, not both");
  check_references(".url", url);
  check_references(".username", username);
  check_references(".password", password);
  check_references(".bearer_token", bearer_token);
  require(in_flight_max >= 1 && in_flight_max <= kInFlightMax,
          fmt::format(".in_flight_max is not within 1 to {}", kInFlightMax));
  require(connect_timeout.count() >= 1, ".connect_timeout is below 1 ms");
  require(request_timeout.count() >= 1, ".request_timeout is below 1 ms");
  return problems.empty() ? absl::OkStatus() : InvalidArgument("webhook sink: {}", problems);
}

std::string Sink::Describe() const { return fmt::format("webhook {} {}", method, url); }

template <>
std::unique_ptr<SinkWriter<std::string>> Sink::CreateWriter() const {
  return MakeWriter<std::string>(*this);
}
template <>
std::unique_ptr<SinkWriter<Bytes>> Sink::CreateWriter() const {
  return MakeWriter<Bytes>(*this);
}

}  // namespace penstock::webhook
