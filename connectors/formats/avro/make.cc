#include "penstock/formats/avro.h"
#include "runtime/core/status.h"

namespace penstock::avro {

absl::StatusOr<std::shared_ptr<const Decoder>> MakeDecoder(const ParseOptions& options, const Shape* shape) {
  const bool own = options.reader_schema.empty() && shape != nullptr;
  const std::string reader_text = own ? DerivedSchema(*shape, {.default_fields = options.default_missing_fields})
                                      : (options.reader_schema.empty() ? options.writer_schema : options.reader_schema);
  if (reader_text.empty()) return InvalidArgument("Avro: give .writer_schema");
  PENSTOCK_ASSIGN_OR_RETURN(SchemaPtr reader, Schema::Parse(reader_text));
  SchemaPtr writer = reader;
  if (!options.writer_schema.empty()) {
    PENSTOCK_ASSIGN_OR_RETURN(writer, Schema::Parse(options.writer_schema));
  }
  return Decoder::Make(std::move(writer), std::move(reader), shape, {.match_names = !own});
}

absl::StatusOr<std::shared_ptr<const Encoder>> MakeEncoder(const std::string& schema, const Shape* shape) {
  if (schema.empty() && shape == nullptr) return InvalidArgument("Avro: a schema is missing");
  PENSTOCK_ASSIGN_OR_RETURN(SchemaPtr parsed, Schema::Parse(schema.empty() ? DerivedSchema(*shape) : schema));
  return Encoder::Make(std::move(parsed), shape);
}

}  // namespace penstock::avro
