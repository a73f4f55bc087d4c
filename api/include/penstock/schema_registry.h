// Formats whose schemas are in a registry: records in Confluent's wire format (a zero byte, the schema's id, the
// payload).
//
//   events.flat_map(schema_registry::parse_avro<Order>({.registry = {.url = args["registry"]}, .subject =
//   "orders-value"})) counts.flat_map(schema_registry::write_avro<Count>({.registry = {.url = args["registry"]},
//   .subject = "counts-value"}))
//
// Reading: the writer's schema is looked up by its id once, and resolved into the struct's (or .reader_schema). An id
// that the registry does not know, and a schema that cannot be read as the reader's, make the record malformed. A
// registry that does not answer fails the task, when the client has given up.
// Writing: the schema is registered when the first record comes (.register_schema = false: looked up).
// At submit: what the subject holds is compared with the job's schema; see CheckAtSubmit.
//
// Each copy of a function has a client of its own, used by one task; lookups run beside the task, which waits as for
// its input. Protobuf: penstock/schema_registry/protobuf.h.
#ifndef PENSTOCK_SCHEMA_REGISTRY_H_
#define PENSTOCK_SCHEMA_REGISTRY_H_

#include <penstock/formats/avro.h>
#include <penstock/formats/json.h>
#include <penstock/formats/payload.h>
#include <penstock/schema_registry/client.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/task/function_context.h"

namespace penstock::schema_registry {

enum class Versions { kLatest, kAll };

struct ReadOptions {
  Registry registry;
  std::string subject;                  // what to check at submit, and for messages; empty: no check
  std::string reader_schema;            // Avro; empty: the struct's own; a Value's: the writer's
  bool default_missing_fields = false;  // of the struct's own schema: members keep what T{} gives them
  Versions check = Versions::kLatest;   // which versions of the subject must be readable at submit
  bool subject_may_be_missing = false;  // at submit
};

struct WriteOptions {
  Registry registry;
  std::string subject;
  std::string schema;                          // empty: the struct's own; needed for JSON and Values
  avro::DerivedOptions derived;                // of the struct's own
  bool register_schema = true;                 // else it must be there
  std::optional<Compatibility> compatibility;  // that the schema must have at submit, whatever the subject's level is
};

// What a format does with its registry while a job runs. One task's; see the top.
class AvroReader {
 public:
  AvroReader(const ReadOptions& options, const Shape* shape);  // shape: null for Values
  AvroReader(const AvroReader& other);
  AvroReader& operator=(const AvroReader&) = delete;
  ~AvroReader();

  absl::Status Validate() const;
  // The subject's latest (or every) version must be readable by the reader's schema; FailedPrecondition names both.
  absl::Status CheckAtSubmit() const;
  std::string Describe() const;
  void Open(Context& context);
  // InvalidArgument: the record. Unavailable and others: the registry. Cancelled: the task ends.
  absl::Status Read(std::string_view record, void* object);

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

// Finds the id that goes before each record of one schema.
class SchemaWriter {
 public:
  // InvalidArgument as `schema`: what is wrong with the options.
  SchemaWriter(const WriteOptions& options, absl::StatusOr<SchemaText> schema);
  SchemaWriter(const SchemaWriter& other);
  SchemaWriter& operator=(const SchemaWriter&) = delete;
  ~SchemaWriter();

  absl::Status Validate() const;
  // The registry must take the schema under the subject, by the level that is set there; FailedPrecondition gives its
  // reason and both schemas.
  absl::Status CheckAtSubmit() const;
  std::string Describe() const;
  void Open(Context& context);
  // Appends what stands before the payload.
  absl::Status AppendHeader(std::string& out);

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

// The schema by which a struct (null: Values) is written.
absl::StatusOr<SchemaText> AvroSchemaFor(const WriteOptions& options, const Shape* shape);

// ---- Avro ----

template <class T>
const Shape* ShapeOrNull() {
  if constexpr (std::is_same_v<T, avro::Value>) {
    return nullptr;
  } else {
    return &ShapeOf<T>();
  }
}

template <class T>
class AvroParser {
 public:
  explicit AvroParser(const ReadOptions& options) : reader_(options, ShapeOrNull<T>()) {}

  absl::Status Validate() const { return reader_.Validate(); }
  absl::Status CheckAtSubmit() const { return reader_.CheckAtSubmit(); }
  std::string Describe() const { return reader_.Describe(); }
  void open(Context& context) { reader_.Open(context); }

  template <Payload P>
  absl::StatusOr<T> operator()(const P& payload) {
    const std::optional<std::string_view> record = PayloadOf(payload);
    if (!record) return NoValue();
    absl::StatusOr<T> result{T{}};
    if (absl::Status status = reader_.Read(*record, &*result); !status.ok()) return status;
    return result;
  }

 private:
  AvroReader reader_;
};

template <class T>
AvroParser<T> parse_avro(const ReadOptions& options) {
  return AvroParser<T>(options);
}

template <class T>
class AvroWriter {
 public:
  explicit AvroWriter(const WriteOptions& options)
      : writer_(options, AvroSchemaFor(options, ShapeOrNull<T>())), encoder_(MakeEncoder(options)) {}

  absl::Status Validate() const {
    if (absl::Status status = writer_.Validate(); !status.ok()) return status;
    return encoder_.status();
  }
  absl::Status CheckAtSubmit() const { return writer_.CheckAtSubmit(); }
  std::string Describe() const { return writer_.Describe(); }
  void open(Context& context) { writer_.Open(context); }

  absl::StatusOr<std::string> operator()(const T& value) {
    if (!encoder_.ok()) return encoder_.status();
    absl::StatusOr<std::string> bytes{std::string()};
    absl::Status status = writer_.AppendHeader(*bytes);
    if (status.ok()) status = (*encoder_)->Write(&value, *bytes);
    if (!status.ok()) return status;
    return bytes;
  }

 private:
  static absl::StatusOr<std::shared_ptr<const avro::Encoder>> MakeEncoder(const WriteOptions& options) {
    absl::StatusOr<SchemaText> schema = AvroSchemaFor(options, ShapeOrNull<T>());
    if (!schema.ok()) return schema.status();
    return avro::MakeEncoder(schema->text, ShapeOrNull<T>());
  }

  SchemaWriter writer_;
  absl::StatusOr<std::shared_ptr<const avro::Encoder>> encoder_;
};

template <class T>
AvroWriter<T> write_avro(const WriteOptions& options) {
  return AvroWriter<T>(options);
}

// ---- JSON ----

// OK: where the payload begins. The schema of JSON records says nothing that reading them needs.
absl::StatusOr<std::string_view> JsonPayload(std::string_view record);

template <class T>
class JsonParser {
 public:
  explicit JsonParser(json::Options options) : parser_(options) {}

  absl::Status Validate() const { return parser_.Validate(); }

  template <Payload P>
  absl::StatusOr<T> operator()(const P& payload) {
    const std::optional<std::string_view> record = PayloadOf(payload);
    if (!record) return NoValue();
    const absl::StatusOr<std::string_view> text = JsonPayload(*record);
    if (!text.ok()) return text.status();
    return parser_(*text);
  }

 private:
  json::Parser<T> parser_;
};

template <class T>
JsonParser<T> parse_json(json::Options options = {}) {
  return JsonParser<T>(options);
}

// options.schema: a JSON Schema.
absl::StatusOr<SchemaText> JsonSchemaFor(const WriteOptions& options);

template <class T>
class JsonWriter {
 public:
  explicit JsonWriter(const WriteOptions& options) : writer_(options, JsonSchemaFor(options)) {}

  absl::Status Validate() const { return writer_.Validate(); }
  absl::Status CheckAtSubmit() const { return writer_.CheckAtSubmit(); }
  std::string Describe() const { return writer_.Describe(); }
  void open(Context& context) { writer_.Open(context); }

  absl::StatusOr<std::string> operator()(const T& value) {
    absl::StatusOr<std::string> bytes{std::string()};
    if (absl::Status status = writer_.AppendHeader(*bytes); !status.ok()) return status;
    json::Append(ShapeOf<T>(), &value, *bytes);
    return bytes;
  }

 private:
  SchemaWriter writer_;
};

template <class T>
JsonWriter<T> write_json(const WriteOptions& options) {
  return JsonWriter<T>(options);
}

}  // namespace penstock::schema_registry

#endif  // PENSTOCK_SCHEMA_REGISTRY_H_
