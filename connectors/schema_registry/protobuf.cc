#include "penstock/schema_registry/protobuf.h"

#include <google/protobuf/compiler/parser.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <algorithm>
#include <map>
#include <utility>

#include "connectors/schema_registry/session.h"
#include "connectors/schema_registry/wire_format.h"
#include "runtime/core/status.h"

namespace penstock::schema_registry {
namespace {

namespace pb = google::protobuf;

class FirstError final : public pb::io::ErrorCollector {
 public:
  void AddError(int line, pb::io::ColumnNumber column, const std::string& message) override {
    if (text.empty()) text = fmt::format("line {}, column {}: {}", line + 1, column + 1, message);
  }
  std::string text;
};

absl::StatusOr<pb::FileDescriptorProto> ParseFile(const std::string& text) {
  pb::io::ArrayInputStream stream(text.data(), static_cast<int>(text.size()));
  FirstError errors;
  pb::io::Tokenizer tokenizer(&stream, &errors);
  pb::compiler::Parser parser;
  parser.RecordErrorsTo(&errors);
  pb::FileDescriptorProto file;
  if (parser.Parse(&tokenizer, &file)) return file;
  return InvalidArgument("it is no Protobuf file: {}", errors.text);
}

// The full name of the message at the end of the way; empty: there is none.
std::string MessageAt(const pb::FileDescriptorProto& file, const std::vector<int>& indexes) {
  const pb::DescriptorProto* message = nullptr;
  std::string name = file.package();
  for (const int index : indexes) {
    const auto& messages = message == nullptr ? file.message_type() : message->nested_type();
    if (index >= messages.size()) return "";
    message = &messages.Get(index);
    name += (name.empty() ? "" : ".") + message->name();
  }
  return name;
}

bool HasMessage(const pb::RepeatedPtrField<pb::DescriptorProto>& messages, const std::string& scope,
                const std::string& name) {
  return std::any_of(messages.begin(), messages.end(), [&](const pb::DescriptorProto& each) {
    const std::string full = scope.empty() ? each.name() : scope + "." + each.name();
    return full == name || HasMessage(each.nested_type(), full, name);
  });
}

}  // namespace

std::vector<int> MessageIndexesOf(const pb::Descriptor& message) {
  std::vector<int> indexes;
  for (const pb::Descriptor* each = &message; each != nullptr; each = each->containing_type()) {
    indexes.insert(indexes.begin(), each->index());
  }
  return indexes;
}

absl::StatusOr<SchemaText> ProtobufSchemaFor(const WriteOptions& options, const pb::Descriptor& message) {
  SchemaText schema{.text = options.schema, .type = SchemaType::kProtobuf};
  if (!schema.text.empty()) return schema;
  for (int i = 0; i < message.file()->dependency_count(); ++i) {
    const std::string& import = message.file()->dependency(i)->name();
    if (import.starts_with("google/protobuf/")) continue;  // registries know these
    return InvalidArgument("schema registry: {} imports {}: give a .schema without imports", message.file()->name(),
                           import);
  }
  schema.text = message.file()->DebugString();
  return schema;
}

struct ProtobufReader::State {
  State(const ReadOptions& options, const pb::Descriptor& message)
      : options(options), message(message), session(options.registry) {}

  // OK: records that say so are of the message.
  absl::Status Judge(int id, const std::vector<int>& indexes) {
    const std::string name = fmt::format("schema {}", id);
    Client& client = session.client();
    const absl::StatusOr<SchemaText> schema = session.Await(name, [&] { return client.ById(id); });
    if (absl::IsNotFound(schema.status())) {
      return NotFound("{} is unknown: {} (byte 1)", name, MessageOf(schema.status()));
    }
    PENSTOCK_RETURN_IF_ERROR(schema.status());
    if (schema->type != SchemaType::kProtobuf) {
      return InvalidArgument("{} is a schema of {} (byte 1)", name, SchemaTypeName(schema->type));
    }
    const absl::StatusOr<pb::FileDescriptorProto> file = ParseFile(schema->text);
    if (!file.ok()) return InvalidArgument("{}: {} (byte 1)", name, MessageOf(file.status()));
    const std::string found = MessageAt(*file, indexes);
    if (found == message.full_name()) return absl::OkStatus();
    return InvalidArgument("the record is a {}, not a {} ({}, byte {})",
                           found.empty() ? "message that is not there" : found, message.full_name(), name,
                           kHeaderBytes);
  }

  absl::Status CheckVersion(const RegisteredSchema& registered) const {
    absl::StatusOr<pb::FileDescriptorProto> file = ParseFile(registered.schema.text);
    std::string problem;
    if (registered.schema.type != SchemaType::kProtobuf) {
      problem = fmt::format("is a schema of {}", SchemaTypeName(registered.schema.type));
    } else if (!file.ok()) {
      problem = MessageOf(file.status());
    } else if (!HasMessage(file->message_type(), file->package(), message.full_name())) {
      problem = fmt::format("has no message {}", message.full_name());
    }
    if (problem.empty()) return absl::OkStatus();
    return FailedPrecondition("subject {} at {}: version {} (schema {}) {}\n  registered: {}\n  this job's: {}",
                              options.subject, options.registry.url, registered.version, registered.id, problem,
                              registered.schema.text, message.DebugString());
  }

  absl::Status CheckSubject() {
    if (options.subject.empty()) return absl::OkStatus();
    const absl::StatusOr<RegisteredSchema> latest = session.client().Latest(options.subject);
    if (absl::IsNotFound(latest.status()) && options.subject_may_be_missing) return absl::OkStatus();
    PENSTOCK_RETURN_IF_ERROR(latest.status());
    PENSTOCK_RETURN_IF_ERROR(CheckVersion(*latest));
    if (options.check == Versions::kLatest) return absl::OkStatus();
    PENSTOCK_ASSIGN_OR_RETURN(const std::vector<int> versions, session.client().Versions(options.subject));
    for (const int version : versions) {
      PENSTOCK_ASSIGN_OR_RETURN(const RegisteredSchema registered, session.client().Version(options.subject, version));
      PENSTOCK_RETURN_IF_ERROR(CheckVersion(registered));
    }
    return absl::OkStatus();
  }

  const ReadOptions options;
  const pb::Descriptor& message;
  Session session;
  std::map<std::pair<int, std::vector<int>>, absl::Status> judged;
};

ProtobufReader::ProtobufReader(const ReadOptions& options, const pb::Descriptor& message)
    : state_(std::make_unique<State>(options, message)) {}
ProtobufReader::ProtobufReader(const ProtobufReader& other)
    : ProtobufReader(other.state_->options, other.state_->message) {}
ProtobufReader::~ProtobufReader() = default;

absl::Status ProtobufReader::Validate() const { return state_->options.registry.Validate(); }
absl::Status ProtobufReader::CheckAtSubmit() const {
  PENSTOCK_RETURN_IF_ERROR(Validate());
  return State(state_->options, state_->message).CheckSubject();
}
std::string ProtobufReader::Describe() const {
  return fmt::format("PROTOBUF of {} at {}", state_->options.subject.empty() ? "any subject" : state_->options.subject,
                     state_->options.registry.url);
}
void ProtobufReader::Open(Context& context) { state_->session.Open(context); }

absl::StatusOr<std::string_view> ProtobufReader::Read(std::string_view record) {
  PENSTOCK_ASSIGN_OR_RETURN(Header header, ReadHeader(record));
  PENSTOCK_ASSIGN_OR_RETURN(std::vector<int> indexes, ReadMessageIndexes(&header));
  std::pair<int, std::vector<int>> key(header.id, std::move(indexes));
  auto found = state_->judged.find(key);
  if (found == state_->judged.end()) {
    absl::Status status = state_->Judge(key.first, key.second);
    if (!status.ok() && !absl::IsInvalidArgument(status)) return status;
    if (state_->judged.size() >= Client::kCachedMax) state_->judged.clear();
    found = state_->judged.emplace(std::move(key), std::move(status)).first;
  }
  PENSTOCK_RETURN_IF_ERROR(found->second);
  return header.payload;
}

}  // namespace penstock::schema_registry
