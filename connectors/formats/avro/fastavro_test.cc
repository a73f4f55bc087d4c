// Reading by another schema, against fastavro: random schemas, readers made of writers, data.
#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>

#include "penstock/formats/avro.h"

namespace penstock::avro {
namespace {

using Json = nlohmann::json;

constexpr int kCases = 6000;

std::string Hex(std::string_view bytes) {
  std::string hex;
  for (const char c : bytes) {
    char digits[3];
    std::snprintf(digits, sizeof(digits), "%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
    hex += digits;
  }
  return hex;
}
std::string FromHex(const std::string& hex) {
  std::string bytes;
  for (size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16));
  }
  return bytes;
}

Json Floating(double value) {
  std::string bytes(sizeof(value), '\0');
  memcpy(bytes.data(), &value, sizeof(value));
  std::reverse(bytes.begin(), bytes.end());
  return {{"f", Hex(bytes)}};
}

Json Canonical(const Value& value) {
  if (value.is_null()) return nullptr;
  if (const auto* v = value.get_if<bool>()) return *v;
  if (const auto* v = value.get_if<int32_t>()) return *v;
  if (const auto* v = value.get_if<int64_t>()) return *v;
  if (const auto* v = value.get_if<float>()) return Floating(*v);
  if (const auto* v = value.get_if<double>()) return Floating(*v);
  if (const auto* v = value.get_if<std::string>()) return *v;
  if (const auto* v = value.get_if<Binary>()) return {{"b", Hex(v->bytes)}};
  if (const auto* v = value.get_if<Fixed>()) return {{"b", Hex(v->bytes)}};
  if (const auto* v = value.get_if<Enum>()) return v->symbol;
  Json json;
  if (const auto* v = value.get_if<Array>()) {
    json = Json::array();
    for (const Value& each : *v) json.push_back(Canonical(each));
  } else if (const auto* map = value.get_if<Map>()) {
    json = Json::object();
    for (const auto& [key, each] : *map) json[key] = Canonical(each);
  } else {
    const Record& record = *value.get_if<Record>();
    json = Json::object();
    for (size_t i = 0; i < record.fields.size(); ++i) json[record.names->fields[i]] = Canonical(record.fields[i]);
  }
  return json;
}

// The script's cases, one after the other.
class Cases {
 public:
  explicit Cases(uint64_t seed) {
    const std::string command = std::string("python3 " PENSTOCK_SOURCE_DIR "/tests/support/avro/fastavro_cases.py") +
                                " --seed " + std::to_string(seed) + " --count " + std::to_string(kCases);
    pipe_ = popen(command.c_str(), "r");
    REQUIRE(pipe_ != nullptr);
  }
  ~Cases() {
    free(line_);
    if (pipe_ != nullptr) pclose(pipe_);
  }
  Cases(const Cases&) = delete;
  Cases& operator=(const Cases&) = delete;

  bool Next(Json* json) {
    if (getline(&line_, &capacity_, pipe_) < 0) {
      REQUIRE(pclose(std::exchange(pipe_, nullptr)) == 0);
      return false;
    }
    *json = Json::parse(line_);
    return true;
  }

 private:
  FILE* pipe_ = nullptr;
  char* line_ = nullptr;
  size_t capacity_ = 0;
};

absl::StatusOr<Json> Read(const SchemaPtr& writer, const SchemaPtr& reader, const std::string& bytes) {
  const auto decoder = Decoder::Make(writer, reader, nullptr);
  if (!decoder.ok()) return decoder.status();
  Value value;
  if (absl::Status status = (*decoder)->Read(bytes, &value); !status.ok()) return status;
  ByteWriter serialized;
  Serde<Value>::Write(value, serialized);
  ByteReader in(serialized.view());
  Value again;
  REQUIRE(Serde<Value>::Read(in, again));
  REQUIRE(in.remaining() == 0);
  REQUIRE(again == value);
  return Canonical(value);
}

void Check(const Json& json, int* compared, int* refused) {
  INFO(json.dump(1));
  const auto writer = Schema::Parse(json["writer"].dump());
  const auto reader = Schema::Parse(json["reader"].dump());
  INFO(writer.status().ToString() << reader.status().ToString());
  REQUIRE(writer.ok());
  REQUIRE(reader.ok());
  const std::string bytes = FromHex(json["bytes"].get<std::string>());

  const absl::StatusOr<Json> written = Read(*writer, *writer, bytes);
  INFO(written.status().ToString());
  REQUIRE(written.ok());
  REQUIRE(*written == json["written"]);
  // What is read and written again reads the same. (A union's branch may be another that takes the value as well.)
  Value value;
  REQUIRE((*Decoder::Make(*writer, *writer, nullptr))->Read(bytes, &value).ok());
  std::string encoded;
  const absl::Status wrote = (*Encoder::Make(*writer, nullptr))->Write(&value, encoded);
  INFO(wrote.ToString());
  REQUIRE(wrote.ok());
  REQUIRE(*Read(*writer, *writer, encoded) == *written);

  const absl::StatusOr<Json> read = Read(*writer, *reader, bytes);
  INFO("ours: " << read.status().ToString());
  if (json.contains("error")) {
    ++*refused;
    REQUIRE_FALSE(read.ok());
    REQUIRE_FALSE(Incompatibilities(*writer, *reader).empty());
  } else if (!read.ok()) {
    // fastavro looks only at what the data contains.
    REQUIRE(json["broken"].get<bool>());
  } else {
    ++*compared;
    REQUIRE(*read == json["read"]);
  }
  if (!json["broken"].get<bool>()) REQUIRE(Incompatibilities(*writer, *reader).empty());
}

TEST_CASE("reading by another schema agrees with fastavro", "[avro]") {
  const char* const given = std::getenv("PENSTOCK_SEED");
  const uint64_t seed = given != nullptr ? std::stoull(given) : std::random_device()();
  INFO("PENSTOCK_SEED=" << seed);
  Cases cases(seed);
  Json json;
  int compared = 0, refused = 0;
  while (cases.Next(&json)) Check(json, &compared, &refused);
  CHECK(compared > kCases / 2);
  CHECK(refused > kCases / 100);
}

}  // namespace
}  // namespace penstock::avro
