// HTTP as a sink: records are posted to a URL in batches.
//
//   rows.sink("alerts", webhook::Sink{.url = "https://alerts.example/in", .bearer_token =
//   "${file:/run/secrets/alerts}"}) orders.sink("orders", webhook::SinkOf<Order>{.sink = {.url = url}, .body = [](const
//   Order& o) { return json::Write(o); }})
//
// url, header values, user name, password and token may hold references ${env:NAME} and ${file:/path}, which are
// replaced in the worker.
#ifndef PENSTOCK_CONNECTORS_WEBHOOK_H_
#define PENSTOCK_CONNECTORS_WEBHOOK_H_

#include <chrono>
#include <concepts>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "penstock/connectors/batching.h"
#include "runtime/record/bytes.h"
#include "runtime/task/sink.h"

namespace penstock::webhook {

// What a request's body is made of.
enum class Body {
  kJsonArray,  // [record,record,...]: records are JSON texts; application/json
  kLines,      // record "\n" record "\n": application/x-ndjson
  kSingle,     // one record a request, as it is: application/octet-stream
};

// What becomes of a batch that the server refuses for good: status 4xx, but for 408, 425 and 429.
enum class WhenRefused {
  kFail,  // the task fails
  kSkip,  // counted as recordsSkipped, and logged by status
};

template <class T>
concept Text = std::same_as<T, std::string> || std::same_as<T, Bytes>;

// At least once: a checkpoint waits until every batch is answered with 2xx. Errors that may pass are tried again
// (.retrying): no connection, a broken one, a timeout, 408, 425, 429 and 5xx; the server's Retry-After is waited for.
// Redirects are not followed: they are refusals. Up to in_flight_max requests are on their way at a time, so batches
// may arrive in another order; 1 keeps the order. Certificates are checked against the system's, or against ca_file.
struct Sink {
  std::string url;  // http:// or https://
  std::string method = "POST";
  Body body = Body::kJsonArray;
  std::string content_type;  // empty: the body's
  std::vector<std::pair<std::string, std::string>> headers;
  std::string username;  // basic authentication, with password
  std::string password;
  std::string bearer_token;
  // Each batch has a key of its own, the same in each try, so that a server can tell a repetition. After a restart
  // records come in other batches with other keys. Empty: no such header.
  std::string idempotency_header = "Idempotency-Key";
  WhenRefused when_refused = WhenRefused::kFail;
  int in_flight_max = 4;
  Batching batching;
  Retrying retrying;
  std::chrono::milliseconds connect_timeout{10'000};
  std::chrono::milliseconds request_timeout{30'000};
  std::string ca_file;  // PEM; empty: what the system trusts

  absl::Status Validate() const;
  std::string Describe() const;
  Delivery DeliveryGuarantee() const { return Delivery::at_least_once; }
  template <Text T>
  std::unique_ptr<SinkWriter<T>> CreateWriter() const;
};

template <>
std::unique_ptr<SinkWriter<std::string>> Sink::CreateWriter() const;
template <>
std::unique_ptr<SinkWriter<Bytes>> Sink::CreateWriter() const;

// A sink of your own type.
template <class T>
struct SinkOf {
  Sink sink;
  std::function<std::string(const T&)> body;  // of one record

  absl::Status Validate() const {
    if (!body) return absl::InvalidArgumentError("webhook::SinkOf: .body is missing: say how a record becomes text");
    return sink.Validate();
  }
  std::string Describe() const { return sink.Describe(); }
  Delivery DeliveryGuarantee() const { return sink.DeliveryGuarantee(); }

  template <class U>
  requires std::same_as<T, U> std::unique_ptr<SinkWriter<U>> CreateWriter()
  const { return std::make_unique<Writer>(*this); }

 private:
  class Writer final : public SinkWriter<T> {
   public:
    explicit Writer(const SinkOf& description)
        : body_(description.body), writer_(description.sink.template CreateWriter<std::string>()) {}
    absl::Status Open(Context& context) override { return writer_->Open(context); }
    absl::Status Write(const T& value, TimestampMs timestamp) override {
      return writer_->Write(body_(value), timestamp);
    }
    absl::Status Tick() override { return writer_->Tick(); }
    absl::Status Flush() override { return writer_->Flush(); }
    void Close() override { writer_->Close(); }

   private:
    const std::function<std::string(const T&)> body_;
    const std::unique_ptr<SinkWriter<std::string>> writer_;
  };
};

}  // namespace penstock::webhook

#endif  // PENSTOCK_CONNECTORS_WEBHOOK_H_
