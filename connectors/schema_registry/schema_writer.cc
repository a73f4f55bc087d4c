#include <utility>

#include "connectors/schema_registry/compatibility.h"
#include "connectors/schema_registry/session.h"
#include "connectors/schema_registry/wire_format.h"
#include "penstock/schema_registry.h"
#include "runtime/core/status.h"

namespace penstock::schema_registry {
namespace {

constexpr size_t kShownBytes = 2'000;  // of a schema in a message

}  // namespace

struct SchemaWriter::State {
  State(const WriteOptions& options, absl::StatusOr<SchemaText> schema)
      : options(options), schema(std::move(schema)), session(options.registry) {}

  absl::StatusOr<int> FindId() {
    PENSTOCK_RETURN_IF_ERROR(schema.status());
    Client& client = session.client();
    return session.Await("subject " + options.subject, [&] {
      return options.register_schema ? client.Register(options.subject, *schema)
                                     : client.IdOf(options.subject, *schema);
    });
  }

  absl::Status Refused(const std::string& why) {
    Client& client = session.client();
    const absl::StatusOr<RegisteredSchema> latest = client.Latest(options.subject);
    const std::string registered = latest.ok() ? fmt::format("version {}, schema {}: {}", latest->version, latest->id,
                                                             latest->schema.text.substr(0, kShownBytes))
                                               : MessageOf(latest.status());
    return FailedPrecondition("subject {} at {}: {}\n  registered: {}\n  this job's: {}", options.subject, client.url(),
                              why, registered, schema->text.substr(0, kShownBytes));
  }

  absl::Status CheckSubject() {
    PENSTOCK_RETURN_IF_ERROR(schema.status());
    Client& client = session.client();
    if (!options.register_schema) {
      const absl::StatusOr<int> id = client.IdOf(options.subject, *schema);
      if (absl::IsNotFound(id.status())) {
        return Refused(
            fmt::format("the schema is not registered, and .register_schema is false ({})", MessageOf(id.status())));
      }
      PENSTOCK_RETURN_IF_ERROR(id.status());
    }
    PENSTOCK_ASSIGN_OR_RETURN(const Verdict verdict, client.Check(options.subject, *schema));
    if (!verdict.compatible) {
      const absl::StatusOr<Compatibility> level = client.LevelOf(options.subject);
      return Refused(fmt::format("the registry refuses the schema by its level {}: {}",
                                 level.ok() ? CompatibilityName(*level) : "?",
                                 verdict.reason.empty() ? "it gives no reason" : verdict.reason));
    }
    return options.compatibility ? CheckDemand(*options.compatibility) : absl::OkStatus();
  }

  absl::Status CheckDemand(Compatibility level) {
    Client& client = session.client();
    const absl::StatusOr<std::vector<int>> versions = client.Versions(options.subject);
    if (absl::IsNotFound(versions.status())) return absl::OkStatus();
    PENSTOCK_RETURN_IF_ERROR(versions.status());
    std::vector<avro::SchemaPtr> earlier;
    for (const int version : *versions) {
      PENSTOCK_ASSIGN_OR_RETURN(const RegisteredSchema registered, client.Version(options.subject, version));
      PENSTOCK_ASSIGN_OR_RETURN(const std::vector<std::string> references, client.ReferencesOf(registered.schema));
      PENSTOCK_ASSIGN_OR_RETURN(avro::SchemaPtr parsed, avro::Schema::Parse(registered.schema.text, references));
      earlier.push_back(std::move(parsed));
    }
    PENSTOCK_ASSIGN_OR_RETURN(const avro::SchemaPtr next, avro::Schema::Parse(schema->text));
    const std::vector<std::string> problems = CompatibilityProblems(level, next, earlier);
    if (problems.empty()) return absl::OkStatus();
    return Refused(fmt::format("the schema is not {}: {}", CompatibilityName(level), fmt::join(problems, "; ")));
  }

  const WriteOptions options;
  const absl::StatusOr<SchemaText> schema;
  Session session;
  std::optional<int> id;
};

SchemaWriter::SchemaWriter(const WriteOptions& options, absl::StatusOr<SchemaText> schema)
    : state_(std::make_unique<State>(options, std::move(schema))) {}
SchemaWriter::SchemaWriter(const SchemaWriter& other) : SchemaWriter(other.state_->options, other.state_->schema) {}
SchemaWriter::~SchemaWriter() = default;

absl::Status SchemaWriter::Validate() const {
  const WriteOptions& options = state_->options;
  PENSTOCK_RETURN_IF_ERROR(options.registry.Validate());
  if (options.subject.empty()) return InvalidArgument("schema registry: .subject is empty: give <topic>-value");
  PENSTOCK_RETURN_IF_ERROR(state_->schema.status());
  if (options.compatibility && state_->schema->type != SchemaType::kAvro) {
    return InvalidArgument("schema registry: .compatibility is for Avro; set the level at the registry");
  }
  return absl::OkStatus();
}

absl::Status SchemaWriter::CheckAtSubmit() const {
  PENSTOCK_RETURN_IF_ERROR(Validate());
  return State(state_->options, state_->schema).CheckSubject();
}

std::string SchemaWriter::Describe() const {
  return fmt::format("{} of {} at {}", state_->schema.ok() ? SchemaTypeName(state_->schema->type) : "records",
                     state_->options.subject, state_->options.registry.url);
}

void SchemaWriter::Open(Context& context) { state_->session.Open(context); }

absl::Status SchemaWriter::AppendHeader(std::string& out) {
  if (!state_->id) {
    const absl::StatusOr<int> found = state_->FindId();
    // Whatever it is, it is not the record.
    if (absl::IsInvalidArgument(found.status()) || absl::IsNotFound(found.status())) {
      return FailedPrecondition("{}", MessageOf(found.status()));
    }
    PENSTOCK_RETURN_IF_ERROR(found.status());
    state_->id = *found;
  }
  schema_registry::AppendHeader(*state_->id, out);
  return absl::OkStatus();
}

absl::StatusOr<SchemaText> AvroSchemaFor(const WriteOptions& options, const Shape* shape) {
  if (options.schema.empty() && shape == nullptr) return InvalidArgument("schema registry: .schema is empty");
  SchemaText schema{.text = options.schema.empty() ? avro::DerivedSchema(*shape, options.derived) : options.schema};
  PENSTOCK_RETURN_IF_ERROR(avro::Schema::Parse(schema.text).status());
  return schema;
}

absl::StatusOr<SchemaText> JsonSchemaFor(const WriteOptions& options) {
  if (options.schema.empty()) return InvalidArgument("schema registry: .schema is empty: give a JSON Schema");
  return SchemaText{.text = options.schema, .type = SchemaType::kJson};
}

}  // namespace penstock::schema_registry
