// Records and megabytes a second through the formats, on one core: JSON of 1 KB against simdjson by hand, Avro against
// Avro C's generic reader, CSV. One line per figure; the best of three rounds.
#include <avro.h>
#include <penstock/formats/avro.h>
#include <penstock/formats/csv.h>
#include <penstock/formats/json.h>
#include <simdjson.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "runtime/core/clock.h"

namespace penstock {
namespace {

constexpr int kRecords = 2'000;
constexpr double kRoundSeconds = 0.7;
constexpr int kRounds = 3;

struct Item {
  std::string sku;
  int32_t count = 0;
  double price = 0;
};

struct Event {
  std::string session_id;
  int64_t ts = 0;
  std::string user_id;
  std::string page;
  std::string referrer;
  std::string agent;
  int32_t status = 0;
  double duration_ms = 0;
  bool is_mobile = false;
  std::optional<std::string> campaign;
  std::vector<Item> items;
  std::string padding;
};

// What the aggregation job wants of it.
struct Narrow {
  std::string session_id;
  int64_t ts = 0;
};

struct Flat {
  std::string id;
  int64_t ts = 0;
  int32_t status = 0;
  double price = 0;
  bool open = false;
  std::string city;
};

std::string Word(std::mt19937_64& random, size_t size) {
  std::string word;
  for (; size > 0; --size) word += static_cast<char>('a' + random() % 26);
  return word;
}

std::vector<Event> Events() {
  std::mt19937_64 random(1);
  std::vector<Event> events;
  for (int i = 0; i < kRecords; ++i) {
    Event event{.session_id = "s" + std::to_string(random() % 100'000),
                .ts = 1'700'000'000'000 + i,
                .user_id = Word(random, 12),
                .page = "/shop/" + Word(random, 20),
                .referrer = "https://example.org/" + Word(random, 24),
                .agent = "Mozilla/5.0 (" + Word(random, 60) + ")",
                .status = 200,
                .duration_ms = static_cast<double>(random() % 100'000) / 100,
                .is_mobile = random() % 2 == 0};
    for (int item = 0; item < 4; ++item) {
      event.items.push_back(
          {Word(random, 8), static_cast<int32_t>(random() % 9), static_cast<double>(random() % 9999) / 100});
    }
    const size_t size = json::to_json(event).size();
    event.padding = Word(random, size < 1024 ? 1024 - size : 0);
    events.push_back(std::move(event));
  }
  return events;
}

size_t sink = 0;             // keeps results alive
const char* only = nullptr;  // what names must contain; null: all

// `each` handles record i and returns anything of it.
double Measure(const char* name, const std::vector<std::string>& records, const std::function<size_t(size_t)>& each) {
  if (only != nullptr && std::string_view(name).find(only) == std::string_view::npos) return 0;
  size_t bytes = 0;
  for (const std::string& record : records) bytes += record.size();
  double best = 0;
  for (int round = 0; round < kRounds; ++round) {
    const int64_t begin = Clock::System().MonotonicNs();
    int64_t end = begin;
    size_t passes = 0;
    while (static_cast<double>(end - begin) / 1e9 < kRoundSeconds) {
      for (size_t i = 0; i < records.size(); ++i) sink += each(i);
      ++passes;
      end = Clock::System().MonotonicNs();
    }
    best = std::max(best, static_cast<double>(passes) * 1e9 / static_cast<double>(end - begin));
  }
  const double records_per_s = best * static_cast<double>(records.size());
  std::printf("%-46s %10.0f records/s %9.1f MB/s %6zu bytes each\n", name, records_per_s,
              best * static_cast<double>(bytes) / 1e6, bytes / records.size());
  std::fflush(stdout);
  return records_per_s;
}

void Ratio(const char* name, double ours, double theirs) {
  if (ours > 0 && theirs > 0) std::printf("%-46s %10.2f\n", name, ours / theirs);
}

[[noreturn]] void Die(const char* what) {
  std::fprintf(stderr, "%s\n", what);
  std::exit(1);
}

size_t ByHand(simdjson::ondemand::parser& parser, std::string& copy, const std::string& record) {
  copy.assign(record);
  copy.reserve(copy.size() + simdjson::SIMDJSON_PADDING);
  simdjson::ondemand::document document;
  if (parser.iterate(copy.data(), copy.size(), copy.capacity()).get(document)) Die("by hand");
  std::string_view session;
  int64_t ts = 0;
  if (document.find_field("session_id").get_string().get(session)) Die("by hand");
  if (document.find_field("ts").get_int64().get(ts)) Die("by hand");
  return std::string(session).size() + static_cast<size_t>(ts);
}

void Json(const std::vector<Event>& events) {
  std::vector<std::string> texts;
  for (const Event& event : events) texts.push_back(json::to_json(event));
  auto narrow = json::parse<Narrow>();
  auto whole = json::parse<Event>();
  simdjson::ondemand::parser parser;
  std::string copy;
  const double by_hand = Measure("JSON, 2 of 12 fields, simdjson by hand", texts,
                                 [&](size_t i) { return ByHand(parser, copy, texts[i]); });
  const double ours = Measure("JSON, 2 of 12 fields, into a struct", texts,
                              [&](size_t i) { return narrow(texts[i])->session_id.size(); });
  Ratio("  struct / by hand", ours, by_hand);
  Measure("JSON, all fields, into a struct", texts, [&](size_t i) { return whole(texts[i])->items.size(); });
  Measure("JSON, all fields, written", texts, [&](size_t i) { return json::to_json(events[i]).size(); });
}

void Csv() {
  std::mt19937_64 random(2);
  std::vector<Flat> rows;
  std::vector<std::string> texts;
  const auto writer = csv::write<Flat>();
  for (int i = 0; i < kRecords; ++i) {
    rows.push_back(
        {Word(random, 12), 1'700'000'000'000 + i, 200, 1.25 * i, i % 2 == 0, Word(random, 9) + ", " + Word(random, 5)});
    texts.push_back(writer(rows.back()));
  }
  auto parser = csv::parse<Flat>();
  Measure("CSV, 6 fields, into a struct", texts, [&](size_t i) { return (*parser(texts[i]))->id.size(); });
  Measure("CSV, 6 fields, written", texts, [&](size_t i) { return writer(rows[i]).size(); });
}

// Avro C's generic reader, into one value that it uses again and again.
class AvroC {
 public:
  explicit AvroC(const std::string& schema) {
    if (avro_schema_from_json_length(schema.data(), schema.size(), &schema_) != 0) Die(avro_strerror());
    class_ = avro_generic_class_from_schema(schema_);
    if (avro_generic_value_new(class_, &value_) != 0) Die(avro_strerror());
    reader_ = avro_reader_memory("", 0);
  }
  ~AvroC() {
    avro_reader_free(reader_);
    avro_value_decref(&value_);
    avro_value_iface_decref(class_);
    avro_schema_decref(schema_);
  }
  size_t Read(const std::string& bytes) {
    avro_reader_memory_set_source(reader_, bytes.data(), static_cast<int64_t>(bytes.size()));
    avro_value_reset(&value_);
    if (avro_value_read(reader_, &value_) != 0) Die(avro_strerror());
    size_t fields = 0;
    avro_value_get_size(&value_, &fields);
    return fields;
  }

 private:
  avro_schema_t schema_ = nullptr;
  avro_value_iface_t* class_ = nullptr;
  avro_value_t value_ = {};
  avro_reader_t reader_ = nullptr;
};

void Avro(const std::vector<Event>& events) {
  const std::string schema = avro::schema_of<Event>();
  const auto writer = avro::write<Event>();
  std::vector<std::string> records;
  for (const Event& event : events) records.push_back(*writer(event));
  AvroC theirs(schema);
  const double avro_c = Measure("Avro, generic, Avro C", records, [&](size_t i) { return theirs.Read(records[i]); });
  const auto generic = avro::parse_generic({.writer_schema = schema});
  const double ours = Measure("Avro, generic", records,
                              [&](size_t i) { return generic(records[i])->get_if<avro::Record>()->fields.size(); });
  Ratio("  generic / Avro C", ours, avro_c);
  const auto typed = avro::parse<Event>();
  const double structs =
      Measure("Avro, into a struct", records, [&](size_t i) { return typed(records[i])->items.size(); });
  Ratio("  struct / Avro C", structs, avro_c);
  const auto narrow = avro::parse<Narrow>({.writer_schema = schema});
  Measure("Avro, 2 of 12 fields, into a struct", records,
          [&](size_t i) { return narrow(records[i])->session_id.size(); });
  Measure("Avro, written", records, [&](size_t i) { return writer(events[i])->size(); });
}

}  // namespace
}  // namespace penstock

// formats_bench [PART-OF-A-NAME]
int main(int argc, char** argv) {
  if (argc > 1) penstock::only = argv[1];
  const std::vector<penstock::Event> events = penstock::Events();
  penstock::Json(events);
  penstock::Csv();
  penstock::Avro(events);
  return penstock::sink == 0 ? 1 : 0;
}
