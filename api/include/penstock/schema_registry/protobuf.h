// Protobuf messages whose files are in a schema registry. See penstock/schema_registry.h.
//
//   events.flat_map(schema_registry::parse_protobuf<shop::Order>({.registry = {...}, .subject = "orders-value"}))
//   orders.flat_map(schema_registry::write_protobuf<shop::Order>({.registry = {...}, .subject = "orders-value"}))
//
// A record says by indices which message of its file it is; one that is another message than M is malformed.
// The file that is registered is M's own, unless .schema has a text; files with imports need that.
#ifndef PENSTOCK_SCHEMA_REGISTRY_PROTOBUF_H_
#define PENSTOCK_SCHEMA_REGISTRY_PROTOBUF_H_

#include <google/protobuf/descriptor.h>
#include <penstock/formats/protobuf.h>
#include <penstock/schema_registry.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace penstock::schema_registry {

// The way to a message in its file.
std::vector<int> MessageIndexesOf(const google::protobuf::Descriptor& message);
absl::StatusOr<SchemaText> ProtobufSchemaFor(const WriteOptions& options, const google::protobuf::Descriptor& message);
void AppendMessageIndexes(const std::vector<int>& indexes, std::string& out);

class ProtobufReader {
 public:
  ProtobufReader(const ReadOptions& options, const google::protobuf::Descriptor& message);
  ProtobufReader(const ProtobufReader& other);
  ProtobufReader& operator=(const ProtobufReader&) = delete;
  ~ProtobufReader();

  absl::Status Validate() const;
  // The subject's latest (or every) version must have the message.
  absl::Status CheckAtSubmit() const;
  std::string Describe() const;
  void Open(Context& context);
  // The message's bytes. Errors as of AvroReader::Read.
  absl::StatusOr<std::string_view> Read(std::string_view record);

 private:
  struct State;
  const std::unique_ptr<State> state_;
};

template <ProtobufMessage M>
class ProtobufParser {
 public:
  explicit ProtobufParser(const ReadOptions& options) : reader_(options, *M::descriptor()) {}

  absl::Status Validate() const { return reader_.Validate(); }
  absl::Status CheckAtSubmit() const { return reader_.CheckAtSubmit(); }
  std::string Describe() const { return reader_.Describe(); }
  void open(Context& context) { reader_.Open(context); }

  template <Payload P>
  absl::StatusOr<M> operator()(const P& payload) {
    const std::optional<std::string_view> record = PayloadOf(payload);
    if (!record) return NoValue();
    const absl::StatusOr<std::string_view> bytes = reader_.Read(*record);
    if (!bytes.ok()) return bytes.status();
    return protobuf::Decode<M>(*bytes);
  }

 private:
  ProtobufReader reader_;
};

template <ProtobufMessage M>
ProtobufParser<M> parse_protobuf(const ReadOptions& options) {
  return ProtobufParser<M>(options);
}

template <ProtobufMessage M>
class ProtobufWriter {
 public:
  explicit ProtobufWriter(const WriteOptions& options)
      : writer_(options, ProtobufSchemaFor(options, *M::descriptor())), indexes_(MessageIndexesOf(*M::descriptor())) {}

  absl::Status Validate() const { return writer_.Validate(); }
  absl::Status CheckAtSubmit() const { return writer_.CheckAtSubmit(); }
  std::string Describe() const { return writer_.Describe(); }
  void open(Context& context) { writer_.Open(context); }

  absl::StatusOr<std::string> operator()(const M& message) {
    absl::StatusOr<std::string> bytes{std::string()};
    if (absl::Status status = writer_.AppendHeader(*bytes); !status.ok()) return status;
    AppendMessageIndexes(indexes_, *bytes);
    if (message.AppendToString(&*bytes)) return bytes;
    return absl::InvalidArgumentError("protobuf: the message lacks required fields");
  }

 private:
  SchemaWriter writer_;
  std::vector<int> indexes_;
};

template <ProtobufMessage M>
ProtobufWriter<M> write_protobuf(const WriteOptions& options) {
  return ProtobufWriter<M>(options);
}

}  // namespace penstock::schema_registry

#endif  // PENSTOCK_SCHEMA_REGISTRY_PROTOBUF_H_
