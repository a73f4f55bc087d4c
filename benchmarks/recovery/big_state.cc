// The job behind run.py: --keys values of --value-bytes, written once by a source that runs as fast as it can, then
// rewritten at --rate a second all over the keys by one that goes on. Two probes note when records pass, in files under
// --probes: one in the source's own chain, one behind the state. --brokers and --output end it in Kafka, exactly once
// or at least once (--delivery); without them nothing is written.
#include <fmt/format.h>
#include <penstock/connectors/datagen.h>
#include <penstock/connectors/discard.h>
#include <penstock/connectors/kafka.h>
#include <penstock/job.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

using namespace penstock;

namespace {

constexpr int64_t kNoteEveryMs = 5;

// Appends the wall clock in ms to a file of its own when a record passes, at most every kNoteEveryMs.
class Probe {
 public:
  Probe(std::string folder, std::string stage) : folder_(std::move(folder)), stage_(std::move(stage)) {}
  void Open(Context& context) {
    clock_ = &context.clock();
    const std::string path = fmt::format("{}/{}-{}-{}", folder_, stage_, context.attempt(), context.subtask());
    file_ = std::shared_ptr<std::FILE>(std::fopen(path.c_str(), "a"), [](std::FILE* file) {
      if (file != nullptr) std::fclose(file);
    });
    if (file_ != nullptr) std::setvbuf(file_.get(), nullptr, _IOLBF, 64);
  }
  void Pass() {
    const int64_t now_ms = clock_->NowMs();
    if (now_ms - noted_ms_ < kNoteEveryMs || file_ == nullptr) return;
    noted_ms_ = now_ms;
    fmt::print(file_.get(), "{}\n", now_ms);
  }

 private:
  const std::string folder_;
  const std::string stage_;
  const Clock* clock_ = nullptr;
  std::shared_ptr<std::FILE> file_;
  int64_t noted_ms_ = 0;
};

struct AtTheSource {
  Probe probe;

  void open(Context& context) { probe.Open(context); }
  int64_t operator()(const int64_t& key) {
    probe.Pass();
    return key;
  }
};

struct Rewrite {
  // Bytes that do not compress, others each time.
  void Fill(std::string& kept, uint64_t seed) {
    kept.resize(value_bytes);
    seed ^= ++fills << 40;
    for (size_t i = 0; i < value_bytes; i += sizeof(seed)) {
      seed = (seed ^ (seed >> 29)) * 0xbf58476d1ce4e5b9U + 1;
      std::memcpy(kept.data() + i, &seed, std::min(sizeof(seed), value_bytes - i));
    }
  }

  Probe probe;
  size_t value_bytes;
  uint64_t fills = 0;
  ValueState<std::string> value{"value"};

  void open(Context& context) { probe.Open(context); }
  void operator()(const int64_t& key, KeyedContext<int64_t>&, Collector<std::string>& out) {
    Fill(value.mutable_value(), static_cast<uint64_t>(key));
    probe.Pass();
    if (key % 1000 == 0) out.emit(std::to_string(key));
  }
};

// Bijective on 64 bits, so that neighbours are far apart.
int64_t Scatter(uint64_t index, int64_t keys) {
  index *= 0x9e3779b97f4a7c15U;
  index ^= index >> 32;
  return static_cast<int64_t>(index % static_cast<uint64_t>(keys));
}

}  // namespace

PENSTOCK_JOB("bench-big-state", (Environment & env, const Args& args)) {
  const int64_t keys = args.get_int("keys", 10'000'000);
  const std::string probes = args["probes"];
  auto fill = env.source(
      "fill", datagen::Source<int64_t>{.generate = [](uint64_t index) { return static_cast<int64_t>(index); },
                                       .count = static_cast<uint64_t>(keys)});
  auto out =
      env.source("load", datagen::Source<int64_t>{.generate = [keys](uint64_t index) { return Scatter(index, keys); },
                                                  .rate = static_cast<double>(args.get_int("rate", 100'000))})
          .map(AtTheSource{Probe(probes, "source")})
          .union_with(fill)
          .key_by([](const int64_t& key) { return key; })
          .process<std::string>("values",
                                Rewrite{Probe(probes, "state"), static_cast<size_t>(args.get_int("value-bytes", 100))});
  const std::string brokers = args.get("brokers", "");
  if (brokers.empty()) {
    out.sink("nowhere", discard::Sink{});
  } else {
    const bool once = args.get("delivery", "exactly-once") == "exactly-once";
    out.sink("out", kafka::Sink{.brokers = brokers,
                                .topic = args["output"],
                                .delivery = once ? Delivery::exactly_once : Delivery::at_least_once})
        .uid("out");
  }
}
