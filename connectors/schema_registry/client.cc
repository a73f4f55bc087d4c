#include "penstock/schema_registry/client.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "connectors/schema_registry/cache.h"
#include "connectors/schema_registry/compatibility.h"
#include "runtime/core/clock.h"
#include "runtime/core/mutex.h"
#include "runtime/core/secret.h"
#include "runtime/core/status.h"

namespace penstock::schema_registry {
namespace {

using Json = nlohmann::json;

constexpr std::chrono::milliseconds kPauseMax{5'000};
constexpr size_t kShownBytes = 500;  // of what a registry says
constexpr int kReferencesMax = 100;

constexpr std::array kLevels = {
    std::pair{Compatibility::kNone, "NONE"},
    std::pair{Compatibility::kBackward, "BACKWARD"},
    std::pair{Compatibility::kBackwardTransitive, "BACKWARD_TRANSITIVE"},
    std::pair{Compatibility::kForward, "FORWARD"},
    std::pair{Compatibility::kForwardTransitive, "FORWARD_TRANSITIVE"},
    std::pair{Compatibility::kFull, "FULL"},
    std::pair{Compatibility::kFullTransitive, "FULL_TRANSITIVE"},
};

std::vector<std::string> Split(std::string_view list) {
  std::vector<std::string> parts;
  while (!list.empty()) {
    const size_t comma = list.find(',');
    std::string_view part = list.substr(0, comma);
    while (part.ends_with('/') || part.ends_with(' ')) part.remove_suffix(1);
    while (part.starts_with(' ')) part.remove_prefix(1);
    if (!part.empty()) parts.emplace_back(part);
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
  }
  return parts;
}

// A subject as a part of a path.
std::string Escaped(std::string_view text) {
  std::string escaped;
  for (const char c : text) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || c == '.' || c == '~') {
      escaped += c;
    } else {
      escaped += fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    }
  }
  return escaped;
}

std::string BodyOf(const SchemaText& schema) {
  Json json = {{"schema", schema.text}};
  if (schema.type != SchemaType::kAvro) json["schemaType"] = SchemaTypeName(schema.type);
  if (!schema.references.empty()) json["references"] = Json::array();
  for (const Reference& each : schema.references) {
    json["references"].push_back({{"name", each.name}, {"subject", each.subject}, {"version", each.version}});
  }
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// nullopt: the answer is none.
std::optional<SchemaText> SchemaOf(const Json& json) {
  if (!json.is_object() || !json.contains("schema") || !json["schema"].is_string()) return std::nullopt;
  SchemaText schema{.text = json["schema"].get<std::string>()};
  const Json type = json.value("schemaType", Json("AVRO"));
  if (type == "PROTOBUF") schema.type = SchemaType::kProtobuf;
  if (type == "JSON") schema.type = SchemaType::kJson;
  const Json references = json.value("references", Json());
  if (!references.is_array()) return schema;
  for (const Json& each : references) {
    schema.references.push_back({each.at("name"), each.at("subject"), each.at("version")});
  }
  return schema;
}

std::string ReasonIn(const std::string& body) {
  const Json json = Json::parse(body, nullptr, false);
  if (json.is_object() && json.contains("message") && json["message"].is_string()) return json["message"];
  return body.substr(0, kShownBytes);
}

}  // namespace

absl::Status Registry::Validate() const {
  const std::vector<std::string> urls = Split(url);
  if (urls.empty()) return InvalidArgument("schema registry: .url is empty: give http://host:port");
  for (const std::string& each : urls) {
    if (!each.starts_with("http://") && !each.starts_with("https://")) {
      return InvalidArgument("schema registry: '{}' begins neither with http:// nor with https://", each);
    }
    if (each.find('@') != std::string::npos) {
      return InvalidArgument("schema registry: put user and password into .user and .password, not into .url");
    }
  }
  for (const std::string* each : {&user, &password}) {
    if (absl::Status status = CheckSecretReferences(*each); !status.ok()) {
      return InvalidArgument("schema registry: {}", MessageOf(status));
    }
  }
  if (timeout.count() <= 0) return InvalidArgument("schema registry: .timeout is not positive");
  if (tries_max < 1) return InvalidArgument("schema registry: .tries_max is below 1");
  if (pause_min.count() < 0) return InvalidArgument("schema registry: .pause_min is negative");
  return absl::OkStatus();
}

const char* SchemaTypeName(SchemaType type) {
  constexpr const char* kNames[] = {"AVRO", "PROTOBUF", "JSON"};
  return kNames[static_cast<size_t>(type)];
}

const char* CompatibilityName(Compatibility level) { return kLevels[static_cast<size_t>(level)].second; }

struct Client::State {
  const Registry registry;
  const std::vector<std::string> urls;
  const std::unique_ptr<HttpTransport> transport;
  const Clock& clock;
  Cache cache;
  Mutex mutex;
  CondVar stop_requested;
  bool stopped ABSL_GUARDED_BY(mutex) = false;

  // True: it was stopped instead.
  bool Pause(std::chrono::milliseconds pause) ABSL_LOCKS_EXCLUDED(mutex) {
    MutexLock lock(&mutex);
    if (!stopped && pause.count() > 0) stop_requested.WaitFor(&mutex, pause);
    return stopped;
  }

  // A call, tried as often as that can help. what: "schema 7", "subject orders-value".
  absl::StatusOr<Json> Call(std::string_view method, const std::string& path, const std::string& what,
                            const std::string& body = {}) {
    std::chrono::milliseconds pause = registry.pause_min;
    std::string problem;
    for (int tried = 0; tried < registry.tries_max; ++tried) {
      if (Pause(tried == 0 ? std::chrono::milliseconds(0) : pause)) {
        return Cancelled("schema registry {}: {}: stopped", registry.url, what);
      }
      if (tried > 0) pause = std::min(pause * 2, kPauseMax);
      const std::string& url = urls[static_cast<size_t>(tried) % urls.size()];
      HttpAnswer answer;
      const absl::Status sent = transport->Send({std::string(method), url + path, body}, &answer);
      if (sent.ok() && answer.status < 500 && answer.status != 408 && answer.status != 429) {
        return Judge(answer, what);
      }
      if (absl::IsFailedPrecondition(sent)) {
        return FailedPrecondition("schema registry {}: {}: {}", url, what, MessageOf(sent));
      }
      problem = sent.ok() ? fmt::format("HTTP {}: {}", answer.status, ReasonIn(answer.body)) : MessageOf(sent);
    }
    if (Pause(std::chrono::milliseconds(0))) return Cancelled("schema registry {}: {}: stopped", registry.url, what);
    return Unavailable("schema registry {}: {}: {} (given up after {} tries)", registry.url, what, problem,
                       registry.tries_max);
  }

  absl::StatusOr<Json> Judge(const HttpAnswer& answer, const std::string& what) const {
    if (answer.status >= 200 && answer.status < 300) {
      Json json = Json::parse(answer.body, nullptr, false);
      if (!json.is_discarded()) return json;
      return FailedPrecondition("schema registry {}: {}: the answer is no JSON: {}", registry.url, what,
                                answer.body.substr(0, kShownBytes));
    }
    const std::string reason = ReasonIn(answer.body);
    const auto status = [&](absl::StatusCode code) {
      return MakeStatus(code, "schema registry {}: {}: {} (HTTP {})", registry.url, what, reason, answer.status);
    };
    switch (answer.status) {
      case 401:
        return status(absl::StatusCode::kUnauthenticated);
      case 403:
        return status(absl::StatusCode::kPermissionDenied);
      case 404:
        return status(absl::StatusCode::kNotFound);
      case 422:
        return status(absl::StatusCode::kInvalidArgument);
      default:
        return status(absl::StatusCode::kFailedPrecondition);
    }
  }

  absl::Status Strange(const std::string& what, const Json& json) const {
    return FailedPrecondition("schema registry {}: {}: an answer of another form: {}", registry.url, what,
                              json.dump().substr(0, kShownBytes));
  }

  absl::StatusOr<int> PostForId(const std::string& path, const std::string& subject, const SchemaText& schema) {
    if (const std::optional<int> known = cache.IdOf(subject, schema)) return *known;
    const std::string what = "subject " + subject;
    PENSTOCK_ASSIGN_OR_RETURN(const Json json, Call("POST", path, what, BodyOf(schema)));
    if (!json.is_object() || !json.contains("id") || !json["id"].is_number_integer()) return Strange(what, json);
    const int id = json["id"].get<int>();
    cache.PutId(subject, schema, id);
    cache.Put(id, schema);
    return id;
  }

  absl::StatusOr<RegisteredSchema> GetVersion(const std::string& subject, const std::string& version) {
    const std::string what = fmt::format("subject {}, version {}", subject, version);
    PENSTOCK_ASSIGN_OR_RETURN(const Json json,
                              Call("GET", fmt::format("/subjects/{}/versions/{}", Escaped(subject), version), what));
    const std::optional<SchemaText> schema = SchemaOf(json);
    if (!schema || !json.contains("id") || !json.contains("version")) return Strange(what, json);
    return RegisteredSchema{subject, json["version"].get<int>(), json["id"].get<int>(), *schema};
  }

  absl::Status Collect(const SchemaText& schema, std::set<std::pair<std::string, int>>& seen,
                       std::vector<std::string>* texts) {
    for (const Reference& each : schema.references) {
      if (!seen.insert({each.subject, each.version}).second) continue;
      if (seen.size() > kReferencesMax) return FailedPrecondition("a schema uses more than {} others", kReferencesMax);
      PENSTOCK_ASSIGN_OR_RETURN(const RegisteredSchema found, GetVersion(each.subject, std::to_string(each.version)));
      PENSTOCK_RETURN_IF_ERROR(Collect(found.schema, seen, texts));
      texts->push_back(found.schema.text);
    }
    return absl::OkStatus();
  }
};

Client::Client(const Registry& registry)
    : Client(registry, registry.transport ? registry.transport(registry) : MakeCurlTransport(registry),
             Clock::System()) {}
Client::Client(const Registry& registry, std::unique_ptr<HttpTransport> transport, const Clock& clock)
    : state_(new State{
          .registry = registry, .urls = Split(registry.url), .transport = std::move(transport), .clock = clock}) {}
Client::~Client() = default;

const std::string& Client::url() const { return state_->registry.url; }

void Client::Stop() {
  state_->transport->Stop();
  MutexLock lock(&state_->mutex);
  state_->stopped = true;
  state_->stop_requested.NotifyAll();
}

absl::StatusOr<int> Client::Register(const std::string& subject, const SchemaText& schema) {
  return state_->PostForId(fmt::format("/subjects/{}/versions", Escaped(subject)), subject, schema);
}

absl::StatusOr<int> Client::IdOf(const std::string& subject, const SchemaText& schema) {
  return state_->PostForId("/subjects/" + Escaped(subject), subject, schema);
}

absl::StatusOr<SchemaText> Client::ById(int id) {
  if (std::optional<SchemaText> known = state_->cache.ById(id)) return *std::move(known);
  const std::string what = fmt::format("schema {}", id);
  const int64_t now_ms = state_->clock.MonotonicMs();
  const int tries = state_->cache.HadUnknown(now_ms) ? 1 : kUnknownTries;
  absl::Status unknown = NotFound("schema registry {}: {}: unknown a short while ago", url(), what);
  if (state_->cache.IsUnknown(id, now_ms)) return unknown;
  for (int tried = 0; tried < tries; ++tried) {
    if (tried > 0 && state_->Pause(state_->registry.pause_min * tried)) break;
    const absl::StatusOr<Json> json = state_->Call("GET", fmt::format("/schemas/ids/{}", id), what);
    if (absl::IsNotFound(json.status())) {
      unknown = json.status();
      continue;
    }
    if (!json.ok()) return json.status();
    const std::optional<SchemaText> schema = SchemaOf(*json);
    if (!schema) return state_->Strange(what, *json);
    state_->cache.Put(id, *schema);
    return *schema;
  }
  state_->cache.PutUnknown(id, state_->clock.MonotonicMs());
  return unknown;
}

absl::StatusOr<RegisteredSchema> Client::Latest(const std::string& subject) {
  return state_->GetVersion(subject, "latest");
}

absl::StatusOr<RegisteredSchema> Client::Version(const std::string& subject, int version) {
  return state_->GetVersion(subject, std::to_string(version));
}

absl::StatusOr<std::vector<int>> Client::Versions(const std::string& subject) {
  const std::string what = "subject " + subject;
  PENSTOCK_ASSIGN_OR_RETURN(const Json json,
                            state_->Call("GET", fmt::format("/subjects/{}/versions", Escaped(subject)), what));
  if (!json.is_array()) return state_->Strange(what, json);
  std::vector<int> versions;
  for (const Json& each : json) {
    if (!each.is_number_integer()) return state_->Strange(what, json);
    versions.push_back(each.get<int>());
  }
  return versions;
}

absl::StatusOr<std::vector<std::string>> Client::ReferencesOf(const SchemaText& schema) {
  std::vector<std::string> texts;
  std::set<std::pair<std::string, int>> seen;
  PENSTOCK_RETURN_IF_ERROR(state_->Collect(schema, seen, &texts));
  return texts;
}

absl::StatusOr<Verdict> Client::Check(const std::string& subject, const SchemaText& schema) {
  const std::string what = "subject " + subject;
  const absl::StatusOr<Compatibility> level = LevelOf(subject);
  if (!level.ok() && !absl::IsNotFound(level.status())) return level.status();
  // Without a version Confluent's registry takes those that the level asks for, but Apicurio takes all.
  const bool all = level.ok() && IsTransitive(*level);
  const absl::StatusOr<Json> json = state_->Call(
      "POST", fmt::format("/compatibility/subjects/{}/versions{}?verbose=true", Escaped(subject), all ? "" : "/latest"),
      what, BodyOf(schema));
  if (absl::IsNotFound(json.status())) return Verdict{};
  if (!json.ok()) return json.status();
  if (!json->is_object() || !json->contains("is_compatible")) return state_->Strange(what, *json);
  Verdict verdict{.compatible = (*json)["is_compatible"] == true};
  // Confluent's gives messages, Apicurio's a reason.
  const Json reason = json->value("reason", Json());
  if (reason.is_string()) verdict.reason = reason.get<std::string>();
  const Json messages = json->value("messages", Json());
  for (size_t i = 0; messages.is_array() && i < messages.size(); ++i) {
    if (messages[i].is_string())
      verdict.reason += (verdict.reason.empty() ? "" : "; ") + messages[i].get<std::string>();
  }
  return verdict;
}

absl::StatusOr<Compatibility> Client::LevelOf(const std::string& subject) {
  const std::string what = "subject " + subject;
  PENSTOCK_ASSIGN_OR_RETURN(
      const Json json, state_->Call("GET", fmt::format("/config/{}?defaultToGlobal=true", Escaped(subject)), what));
  const Json level = json.is_object() ? json.value("compatibilityLevel", Json()) : Json();
  for (const auto& [value, name] : kLevels) {
    if (level == name) return value;
  }
  return state_->Strange(what, json);
}

absl::Status Client::SetLevel(const std::string& subject, Compatibility level) {
  const Json body = {{"compatibility", CompatibilityName(level)}};
  return state_->Call("PUT", "/config/" + Escaped(subject), "subject " + subject, body.dump()).status();
}

}  // namespace penstock::schema_registry
