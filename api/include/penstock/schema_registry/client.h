// A client of a schema registry that speaks Confluent's HTTP interface (Confluent's own, Apicurio under
// /apis/ccompat/v7, Karapace, Redpanda's).
//
// Thread-safe; calls block the calling thread. What the network did not carry, 5xx, 408 and 429 are tried again, at
// most .tries_max times in all, with pauses that double, on each of the addresses in turn. Errors name the address, the
// subject or id, and what the registry said: Unavailable (given up), Unauthenticated, PermissionDenied, NotFound,
// FailedPrecondition (refused as incompatible; the configuration), InvalidArgument (no schema).
#ifndef PENSTOCK_SCHEMA_REGISTRY_CLIENT_H_
#define PENSTOCK_SCHEMA_REGISTRY_CLIENT_H_

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace penstock {
class Clock;
}

namespace penstock::schema_registry {

class HttpTransport;

// Where a registry is.
struct Registry {
  std::string url;   // http://host:port/path; several, separated by commas, are one registry
  std::string user;  // these two may have references: "${file:/run/secrets/registry}" (runtime/core/secret.h)
  std::string password;
  std::string ca_file;                       // PEM; empty: the system's authorities
  std::chrono::milliseconds timeout{5'000};  // of one try
  int tries_max = 5;
  std::chrono::milliseconds pause_min{100};  // before the second try; doubles, up to 5 s
  std::function<std::unique_ptr<HttpTransport>(const Registry&)> transport;  // empty: libcurl

  absl::Status Validate() const;
};

enum class SchemaType { kAvro, kProtobuf, kJson };
const char* SchemaTypeName(SchemaType type);

// A schema that another one uses, by its place in the registry.
struct Reference {
  std::string name;
  std::string subject;
  int version = 0;
  bool operator==(const Reference&) const = default;
};

struct SchemaText {
  std::string text;
  SchemaType type = SchemaType::kAvro;
  std::vector<Reference> references;
  bool operator==(const SchemaText&) const = default;
};

struct RegisteredSchema {
  std::string subject;
  int version = 0;
  int id = 0;
  SchemaText schema;
};

enum class Compatibility {
  kNone,
  kBackward,
  kBackwardTransitive,
  kForward,
  kForwardTransitive,
  kFull,
  kFullTransitive,
};
const char* CompatibilityName(Compatibility level);  // BACKWARD_TRANSITIVE

struct Verdict {
  bool compatible = true;
  std::string reason;  // of the registry
};

// ---- what carries requests; tests have their own ----

struct HttpRequest {
  std::string method;
  std::string url;
  std::string body;
};
struct HttpAnswer {
  int status = 0;
  std::string body;
};
class HttpTransport {
 public:
  virtual ~HttpTransport() = default;
  // One try. Unavailable: not carried. FailedPrecondition: trying again cannot help (a certificate). Thread-safe.
  virtual absl::Status Send(const HttpRequest& request, HttpAnswer* answer) = 0;
  // Sends under way and later ones return Unavailable soon.
  virtual void Stop() = 0;
};
std::unique_ptr<HttpTransport> MakeCurlTransport(const Registry& registry);

class Client {
 public:
  static constexpr size_t kCachedMax = 1'000;         // schemas; more empty the cache
  static constexpr int kUnknownTries = 3;             // of an id: registries have replicas
  static constexpr int64_t kUnknownAgainMs = 10'000;  // until an id is asked for again that was unknown

  explicit Client(const Registry& registry);
  Client(const Registry& registry, std::unique_ptr<HttpTransport> transport, const Clock& clock);
  ~Client();

  // Registers it, or finds it registered: its id. Cached.
  absl::StatusOr<int> Register(const std::string& subject, const SchemaText& schema);
  // The id of a schema that is registered under the subject; NotFound. Cached.
  absl::StatusOr<int> IdOf(const std::string& subject, const SchemaText& schema);
  // Cached: a schema's id stays its own. NotFound, for kUnknownAgainMs without asking.
  absl::StatusOr<SchemaText> ById(int id);
  absl::StatusOr<RegisteredSchema> Latest(const std::string& subject);
  absl::StatusOr<RegisteredSchema> Version(const std::string& subject, int version);
  absl::StatusOr<std::vector<int>> Versions(const std::string& subject);
  // The texts of what a schema refers to, each behind those that it uses itself.
  absl::StatusOr<std::vector<std::string>> ReferencesOf(const SchemaText& schema);

  // By the level that is set for the subject. A subject that does not exist takes any schema.
  absl::StatusOr<Verdict> Check(const std::string& subject, const SchemaText& schema);
  absl::StatusOr<Compatibility> LevelOf(const std::string& subject);
  absl::Status SetLevel(const std::string& subject, Compatibility level);

  // Calls under way and later ones end soon, with Cancelled.
  void Stop();
  const std::string& url() const;

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

}  // namespace penstock::schema_registry

#endif  // PENSTOCK_SCHEMA_REGISTRY_CLIENT_H_
