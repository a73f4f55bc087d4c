// Windows against a model that keeps every record and does everything the long way, over random streams with disorder,
// lateness and idle inputs. PENSTOCK_SEEDS: how many (200), PENSTOCK_FIRST_SEED: from where (1).
#include <penstock/testing.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <random>
#include <set>

#include "catch2/catch.hpp"

namespace penstock::testing {
namespace {

struct Event {
  int key = 0;
  int64_t value = 0;
  int64_t gap_ms = 0;
};

struct Sum {
  using Accumulator = int64_t;
  void add(int64_t& sum, const Event& event) const { sum += event.value; }
  void merge(int64_t& into, const int64_t& from) const { into += from; }
  int64_t result(const int64_t& sum) const { return sum; }
};
// Without merge: sliding windows go the general way.
struct PlainSum {
  using Accumulator = int64_t;
  void add(int64_t& sum, const Event& event) const { sum += event.value; }
  int64_t result(const int64_t& sum) const { return sum; }
};
struct SumElements {
  template <class K>
  void operator()(const WindowElements<Event>& elements, WindowContext<K>& context,
                  Collector<WindowResult<K, int64_t>>& out) {
    int64_t sum = 0;
    for (const Event& event : elements) sum += event.value;
    out.emit(MakeWindowResult<K>(context.key(), context.window(), sum));
  }
};

using Result = std::tuple<int, TimestampMs, TimestampMs, int64_t>;  // key, start, end, sum

enum class Kind { kTumbling, kSliding, kSession, kDynamicSession };

struct Case {
  Kind kind = Kind::kTumbling;
  int64_t size_ms = 0;
  int64_t slide_ms = 0;
  int64_t offset_ms = 0;
  int64_t lateness_ms = 0;
  bool elements = false;  // process instead of aggregate
  bool no_merge = false;
  bool whole_stream = false;
  bool reads_late = false;  // one by one: nothing is combined before the shuffle then
};

// Every record, and the windows that are alive.
class Model {
 public:
  explicit Model(const Case& c) : case_(c) {}

  void Add(const Event& event, TimestampMs time) {
    const int key = case_.whole_stream ? 0 : event.key;
    if (case_.kind == Kind::kSession || case_.kind == Kind::kDynamicSession) return AddToSession(event, key, time);
    bool taken = false;
    // All windows that could hold the record, by trying every end.
    const int64_t slide = case_.kind == Kind::kSliding ? case_.slide_ms : case_.size_ms;
    for (int64_t start = time - case_.size_ms + 1; start <= time; ++start) {
      if (((start - case_.offset_ms) % slide + slide) % slide != 0) continue;
      const int64_t end = start + case_.size_ms;
      if (end - 1 + case_.lateness_ms <= watermark_) continue;
      taken = true;
      Window& window = windows_[{key, start, end}];
      window.sum += event.value;
      window.fired = end - 1 <= watermark_;
      if (window.fired) Fire(key, start, end, window.sum);
    }
    if (!taken) ++late;
  }

  void Watermark(TimestampMs watermark) {
    watermark_ = watermark;
    for (auto it = windows_.begin(); it != windows_.end();) {
      const auto [key, start, end] = it->first;
      if (end - 1 <= watermark && !it->second.fired) {
        it->second.fired = true;
        Fire(key, start, end, it->second.sum);
      }
      it = end - 1 + case_.lateness_ms <= watermark ? windows_.erase(it) : std::next(it);
    }
  }

  std::multiset<Result> results;
  int64_t late = 0;

 private:
  struct Window {
    int64_t sum = 0;
    bool fired = false;
  };
  void Fire(int key, TimestampMs start, TimestampMs end, int64_t sum) { results.insert({key, start, end, sum}); }

  void AddToSession(const Event& event, int key, TimestampMs time) {
    int64_t start = time;
    int64_t end = time + (case_.kind == Kind::kSession ? case_.size_ms : event.gap_ms);
    int64_t sum = event.value;
    std::vector<std::tuple<int, int64_t, int64_t>> merged;
    for (bool grown = true; grown;) {
      grown = false;
      for (const auto& [id, window] : windows_) {
        const auto [other_key, other_start, other_end] = id;
        if (other_key != key || std::find(merged.begin(), merged.end(), id) != merged.end()) continue;
        if (other_start > end || other_end < start) continue;
        start = std::min(start, other_start);
        end = std::max(end, other_end);
        sum += window.sum;
        merged.push_back(id);
        grown = true;
      }
    }
    if (end - 1 + case_.lateness_ms <= watermark_) {
      ++late;
      return;
    }
    for (const auto& id : merged) windows_.erase(id);
    Window& window = windows_[{key, start, end}];
    window.sum = sum;
    window.fired = end - 1 <= watermark_;
    if (window.fired) Fire(key, start, end, sum);
  }

  const Case case_;
  TimestampMs watermark_ = kNoTimestamp;
  std::map<std::tuple<int, TimestampMs, TimestampMs>, Window> windows_;
};

Case RandomCase(std::mt19937_64& random) {
  const auto pick = [&](int64_t from, int64_t to) { return std::uniform_int_distribution<int64_t>(from, to)(random); };
  Case c;
  c.kind = static_cast<Kind>(pick(0, 3));
  c.size_ms = pick(1, 60);
  c.slide_ms = pick(1, c.size_ms);
  c.offset_ms = pick(-30, 30);
  if (c.kind == Kind::kSession || c.kind == Kind::kDynamicSession) c.offset_ms = 0;
  c.lateness_ms = pick(0, 2) == 0 ? pick(1, 80) : 0;
  c.elements = pick(0, 3) == 0;
  c.no_merge = pick(0, 2) == 0 && c.kind != Kind::kSession && c.kind != Kind::kDynamicSession;
  c.whole_stream = pick(0, 4) == 0;
  c.reads_late = pick(0, 1) == 0;
  return c;
}

template <class K>
DataStream<WindowResult<K, int64_t>> Finish(const Case& c, const auto& windowed) {
  const auto with = [&](const auto& stream) -> DataStream<WindowResult<K, int64_t>> {
    if (c.elements) return stream.template process<WindowResult<K, int64_t>>("w", SumElements{});
    return stream.aggregate("w", Sum{});
  };
  return c.lateness_ms > 0 ? with(windowed.allowed_lateness(std::chrono::milliseconds(c.lateness_ms))) : with(windowed);
}
template <class K>
DataStream<WindowResult<K, int64_t>> FinishPlain(const Case& c, const auto& windowed) {
  return c.lateness_ms > 0
             ? windowed.allowed_lateness(std::chrono::milliseconds(c.lateness_ms)).aggregate("w", PlainSum{})
             : windowed.aggregate("w", PlainSum{});
}

template <class K>
DataStream<WindowResult<K, int64_t>> Build(const Case& c, const auto& keyed) {
  using std::chrono::milliseconds;
  const auto with = [&](auto assigner) {
    return c.no_merge && !c.elements ? FinishPlain<K>(c, keyed.window(assigner)) : Finish<K>(c, keyed.window(assigner));
  };
  switch (c.kind) {
    case Kind::kTumbling:
      return with(tumbling(milliseconds(c.size_ms), milliseconds(c.offset_ms)));
    case Kind::kSliding:
      return with(sliding(milliseconds(c.size_ms), milliseconds(c.slide_ms), milliseconds(c.offset_ms)));
    case Kind::kSession:
      return Finish<K>(c, keyed.window(session(milliseconds(c.size_ms))));
    case Kind::kDynamicSession:
      break;
  }
  return Finish<K>(c, keyed.window(session([](const Event& event) { return milliseconds(event.gap_ms); })));
}

// Three inputs of a union: the watermark is the minimum over those that are not idle, and never goes back.
class Inputs {
 public:
  Inputs(Harness<Event>& harness, Model& model) : harness_(harness), model_(model) {
    added_.push_back(harness.add_input<Event>());
    added_.push_back(harness.add_input<Event>());
  }
  DataStream<Event> stream() { return harness_.input().union_with(added_[0].stream()).union_with(added_[1].stream()); }
  void Push(size_t input, const Event& event, TimestampMs time) {
    Idle(input, false);
    model_.Add(event, time);
    input == 0 ? harness_.push(event, time) : added_[input - 1].push(event, time);
  }
  void Watermark(size_t input, TimestampMs watermark) {
    if (watermark <= watermarks_[input]) return;
    Idle(input, false);
    watermarks_[input] = watermark;
    Tell();
    input == 0 ? harness_.watermark(watermark) : added_[input - 1].watermark(watermark);
  }
  void Idle(size_t input, bool idle) {
    if (idle_[input] == idle) return;
    idle_[input] = idle;
    Tell();
    input == 0 ? harness_.idle(idle) : added_[input - 1].idle(idle);
  }
  TimestampMs watermark(size_t input) const { return watermarks_[input]; }

 private:
  void Tell() {
    TimestampMs low = kMaxWatermark;
    bool active = false;
    for (size_t i = 0; i < 3; ++i) {
      if (idle_[i]) continue;
      active = true;
      low = std::min(low, watermarks_[i]);
    }
    if (!active || low <= told_) return;
    told_ = low;
    model_.Watermark(low);
  }

  Harness<Event>& harness_;
  Model& model_;
  std::vector<AddedInput<Event>> added_;
  TimestampMs watermarks_[3] = {kNoTimestamp, kNoTimestamp, kNoTimestamp};
  bool idle_[3] = {false, false, false};
  TimestampMs told_ = kNoTimestamp;
};

// idle: not where everything is restored after each step: a watermark that went on while an input was idle is no state,
// so that time may begin again behind it.
void Drive(Inputs& inputs, std::mt19937_64& random, int steps, bool idle) {
  const auto pick = [&](int64_t from, int64_t to) { return std::uniform_int_distribution<int64_t>(from, to)(random); };
  int64_t now = 1'000;
  const int64_t disorder = pick(0, 60);
  for (int step = 0; step < steps; ++step) {
    const size_t input = static_cast<size_t>(pick(0, 2));
    const int64_t what = pick(0, 19);
    if (what < 14) {
      now += pick(0, 12);
      inputs.Push(input, {static_cast<int>(pick(0, 3)), pick(1, 1'000), pick(1, 40)}, now - pick(0, disorder));
    } else if (what < 18) {
      inputs.Watermark(input, now - pick(0, disorder));
    } else if (idle) {
      inputs.Idle(input, pick(0, 1) == 0);
    }
  }
}

template <class K>
std::multiset<Result> ResultsOf(const Output<WindowResult<K, int64_t>>& output) {
  std::multiset<Result> results;
  for (const auto& record : output.records()) {
    int key = 0;
    if constexpr (std::is_same_v<K, int>) key = record.value.key;
    results.insert({key, record.value.start, record.value.end, record.value.value});
    CHECK(record.timestamp == record.value.end - 1);
  }
  return results;
}

// What only one of them has.
std::string Difference(const std::multiset<Result>& got, const std::multiset<Result>& wanted) {
  std::string text;
  const auto list = [&](const char* what, const auto& a, const auto& b) {
    std::vector<Result> only;
    std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(only));
    for (const auto& [key, start, end, sum] : only) {
      text += what + (" " + std::to_string(key)) + " [" + std::to_string(start) + ", " + std::to_string(end) +
              ") = " + std::to_string(sum) + "; ";
    }
  };
  list("wrong", got, wanted);
  list("missing", wanted, got);
  return text;
}

template <class K>
void Run(uint64_t seed, const Case& c, std::mt19937_64& random, const auto& keyed_of) {
  HarnessOptions options;
  options.restore_after_each_step = seed % 4 == 0;
  Harness<Event> harness(options);
  Model model(c);
  Inputs inputs(harness, model);
  auto windows = Build<K>(c, keyed_of(inputs.stream()));
  auto output = harness.output(windows);
  std::optional<Output<Event>> late;
  if (c.reads_late) late.emplace(harness.output(windows.template side_output<Event>("late")));
  const bool restores = options.restore_after_each_step;
  Drive(inputs, random, restores ? 120 : 400, !restores);
  for (size_t input = 0; input < 3; ++input) inputs.Watermark(input, kMaxWatermark - 1);
  REQUIRE(harness.failure().ok());
  CHECK(Difference(ResultsOf<K>(output), model.results) == "");
  if (late) CHECK(late->records().size() == static_cast<size_t>(model.late));
  if (!restores) CHECK(harness.late_records() == model.late);
}

TEST_CASE("Windows agree with a model that does everything the long way", "[property]") {
  const char* const count = std::getenv("PENSTOCK_SEEDS");
  const char* const first = std::getenv("PENSTOCK_FIRST_SEED");
  const uint64_t from = first == nullptr ? 1 : std::strtoull(first, nullptr, 10);
  const uint64_t seeds = count == nullptr ? 200 : std::strtoull(count, nullptr, 10);
  for (uint64_t seed = from; seed < from + seeds; ++seed) {
    std::mt19937_64 random(seed);
    const Case c = RandomCase(random);
    INFO("seed " << seed << ", kind " << static_cast<int>(c.kind) << ", size " << c.size_ms << ", slide " << c.slide_ms
                 << ", offset " << c.offset_ms << ", lateness " << c.lateness_ms << ", elements " << c.elements
                 << ", no merge " << c.no_merge << ", whole stream " << c.whole_stream);
    if (c.whole_stream) {
      Run<NoKey>(seed, c, random, [](const DataStream<Event>& stream) { return stream.key_by(ToNoKey{}); });
    } else {
      Run<int>(seed, c, random, [](const DataStream<Event>& stream) { return stream.key_by(&Event::key); });
    }
  }
}

}  // namespace
}  // namespace penstock::testing
