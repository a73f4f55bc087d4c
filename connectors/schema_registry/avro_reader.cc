#include <unordered_map>
#include <utility>

#include "connectors/schema_registry/session.h"
#include "connectors/schema_registry/wire_format.h"
#include "penstock/schema_registry.h"
#include "runtime/core/status.h"

namespace penstock::schema_registry {
namespace {

constexpr size_t kShownBytes = 2'000;  // of a schema in a message

// A schema with those it uses.
struct WholeSchema {
  SchemaText schema;
  std::vector<std::string> references;
};

absl::StatusOr<WholeSchema> Fetch(Client& client, absl::StatusOr<SchemaText> found) {
  PENSTOCK_RETURN_IF_ERROR(found.status());
  WholeSchema whole{*std::move(found), {}};
  PENSTOCK_ASSIGN_OR_RETURN(whole.references, client.ReferencesOf(whole.schema));
  return whole;
}

absl::StatusOr<avro::SchemaPtr> Parsed(const WholeSchema& whole) {
  if (whole.schema.type != SchemaType::kAvro) {
    return InvalidArgument("it is a schema of {}", SchemaTypeName(whole.schema.type));
  }
  return avro::Schema::Parse(whole.schema.text, whole.references);
}

}  // namespace

struct AvroReader::State {
  State(const ReadOptions& options, const Shape* shape)
      : options(options), shape(shape), session(options.registry), reader(MakeReader()) {}

  absl::StatusOr<avro::SchemaPtr> MakeReader() const {
    PENSTOCK_RETURN_IF_ERROR(options.registry.Validate());
    std::string text = options.reader_schema;
    if (text.empty() && shape == nullptr) return avro::SchemaPtr();  // each writer's own
    if (text.empty()) text = avro::DerivedSchema(*shape, {.default_fields = options.default_missing_fields});
    PENSTOCK_ASSIGN_OR_RETURN(avro::SchemaPtr schema, avro::Schema::Parse(text));
    // Finds a struct that does not fit.
    PENSTOCK_RETURN_IF_ERROR(avro::Decoder::Make(schema, schema, shape).status());
    return schema;
  }

  avro::ResolveOptions resolution() const { return {.match_names = !options.reader_schema.empty()}; }

  std::string NameOf(int id) const {
    return options.subject.empty() ? fmt::format("schema {}", id)
                                   : fmt::format("schema {} (subject {})", id, options.subject);
  }

  absl::StatusOr<std::shared_ptr<const avro::Decoder>> MakeDecoder(int id) {
    Client& client = session.client();
    const absl::StatusOr<WholeSchema> whole = session.Await(NameOf(id), [&] { return Fetch(client, client.ById(id)); });
    if (absl::IsNotFound(whole.status())) {
      return NotFound("{} is unknown: {} (byte 1)", NameOf(id), MessageOf(whole.status()));
    }
    if (!whole.ok()) {
      return absl::Status(whole.status().code(), fmt::format("{}: {}", NameOf(id), MessageOf(whole.status())));
    }
    absl::StatusOr<avro::SchemaPtr> writer = Parsed(*whole);
    if (!writer.ok()) return InvalidArgument("{}: {} (byte 1)", NameOf(id), MessageOf(writer.status()));
    auto decoder = avro::Decoder::Make(*writer, *reader == nullptr ? *writer : *reader, shape, resolution());
    if (!decoder.ok()) return InvalidArgument("{}: {} (byte 1)", NameOf(id), MessageOf(decoder.status()));
    return decoder;
  }

  absl::Status CheckVersion(const RegisteredSchema& registered) {
    const std::string place = fmt::format("subject {} at {}", options.subject, session.client().url());
    PENSTOCK_ASSIGN_OR_RETURN(const WholeSchema whole, Fetch(session.client(), registered.schema));
    const absl::StatusOr<avro::SchemaPtr> writer = Parsed(whole);
    std::vector<std::string> problems;
    if (!writer.ok()) {
      problems = {MessageOf(writer.status())};
    } else if (*reader != nullptr) {
      problems = avro::Incompatibilities(*writer, *reader, resolution());
    }
    if (problems.empty()) return absl::OkStatus();
    return FailedPrecondition(
        "{}: this job cannot read data of version {} (schema {}): {}\n  registered: {}\n  this job's: {}", place,
        registered.version, registered.id, fmt::join(problems, "; "), registered.schema.text.substr(0, kShownBytes),
        *reader == nullptr ? "" : (*reader)->text().substr(0, kShownBytes));
  }

  absl::Status CheckSubject() {
    if (options.subject.empty()) return absl::OkStatus();
    PENSTOCK_RETURN_IF_ERROR(reader.status());
    Client& client = session.client();
    const absl::StatusOr<RegisteredSchema> latest = client.Latest(options.subject);
    if (absl::IsNotFound(latest.status())) {
      if (options.subject_may_be_missing) return absl::OkStatus();
      return NotFound("{}; set .subject_may_be_missing if it comes later", MessageOf(latest.status()));
    }
    PENSTOCK_RETURN_IF_ERROR(latest.status());
    PENSTOCK_RETURN_IF_ERROR(CheckVersion(*latest));
    if (options.check == Versions::kLatest) return absl::OkStatus();
    PENSTOCK_ASSIGN_OR_RETURN(const std::vector<int> versions, client.Versions(options.subject));
    for (const int version : versions) {
      if (version == latest->version) continue;
      PENSTOCK_ASSIGN_OR_RETURN(const RegisteredSchema registered, client.Version(options.subject, version));
      PENSTOCK_RETURN_IF_ERROR(CheckVersion(registered));
    }
    return absl::OkStatus();
  }

  const ReadOptions options;
  const Shape* const shape;
  Session session;
  const absl::StatusOr<avro::SchemaPtr> reader;                                            // null: each writer's own
  std::unordered_map<int, absl::StatusOr<std::shared_ptr<const avro::Decoder>>> decoders;  // by id
  int last_id = -1;
  const avro::Decoder* last = nullptr;  // of last_id
};

AvroReader::AvroReader(const ReadOptions& options, const Shape* shape)
    : state_(std::make_unique<State>(options, shape)) {}
AvroReader::AvroReader(const AvroReader& other) : AvroReader(other.state_->options, other.state_->shape) {}
AvroReader::~AvroReader() = default;

absl::Status AvroReader::Validate() const { return state_->reader.status(); }
absl::Status AvroReader::CheckAtSubmit() const { return State(state_->options, state_->shape).CheckSubject(); }
std::string AvroReader::Describe() const {
  return fmt::format("Avro of {} at {}", state_->options.subject.empty() ? "any subject" : state_->options.subject,
                     state_->options.registry.url);
}
void AvroReader::Open(Context& context) { state_->session.Open(context); }

absl::Status AvroReader::Read(std::string_view record, void* object) {
  PENSTOCK_RETURN_IF_ERROR(state_->reader.status());
  PENSTOCK_ASSIGN_OR_RETURN(const Header header, ReadHeader(record));
  if (state_->last != nullptr && header.id == state_->last_id) {
    return state_->last->Read(header.payload, object, header.payload_at);
  }
  auto found = state_->decoders.find(header.id);
  if (found == state_->decoders.end()) {
    auto decoder = state_->MakeDecoder(header.id);
    // What the registry may answer otherwise another time is asked again; its client bounds how often.
    if (!decoder.ok() && !absl::IsInvalidArgument(decoder.status())) return decoder.status();
    if (state_->decoders.size() >= Client::kCachedMax) {
      state_->last = nullptr;
      state_->decoders.clear();
    }
    found = state_->decoders.emplace(header.id, std::move(decoder)).first;
  }
  PENSTOCK_RETURN_IF_ERROR(found->second.status());
  state_->last_id = header.id;
  state_->last = found->second->get();
  return state_->last->Read(header.payload, object, header.payload_at);
}

absl::StatusOr<std::string_view> JsonPayload(std::string_view record) {
  PENSTOCK_ASSIGN_OR_RETURN(const Header header, ReadHeader(record));
  return header.payload;
}

}  // namespace penstock::schema_registry
