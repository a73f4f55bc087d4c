// datagen::Source: records made by a function of their index.
//   env.source("clicks", datagen::Source<Click>{
//       .generate = [](uint64_t index, datagen::Random& random) { return Click{index, random.Below(100)}; },
//       .count = 1'000'000, .rate = 5000, .seed = 7})
#ifndef PENSTOCK_CONNECTORS_DATAGEN_H_
#define PENSTOCK_CONNECTORS_DATAGEN_H_

#include <fmt/format.h>

#include <algorithm>
#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "penstock/connectors/strides.h"
#include "runtime/core/clock.h"
#include "runtime/record/bytes.h"
#include "runtime/task/source.h"

namespace penstock::datagen {

// Draws for one record: they depend on seed and index alone, so that every run makes the same records. SplitMix64.
class Random {
 public:
  Random(uint64_t seed, uint64_t index) : state_(seed * 0x9E3779B97F4A7C15ull ^ (index + 1) * 0xD1B54A32D192ED03ull) {}

  uint64_t Next() {
    uint64_t x = state_ += 0x9E3779B97F4A7C15ull;
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
    return x ^ (x >> 31);
  }
  uint64_t Below(uint64_t bound) { return Next() % bound; }                 // bound > 0
  double Share() { return static_cast<double>(Next() >> 11) * 0x1.0p-53; }  // in [0, 1)

 private:
  uint64_t state_;
};

// A function of (index) or of (index, Random&).
template <class T>
class Generator {
 public:
  Generator() = default;
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, Generator>) &&
      std::is_invocable_r_v<T, F, uint64_t, Random&> Generator(F make) : make_(std::move(make)) {}
  template <class F>
  requires(!std::is_same_v<std::remove_cvref_t<F>, Generator>) && std::is_invocable_r_v<T, F, uint64_t> &&
      (!std::is_invocable_v<F, uint64_t, Random&>)Generator(F make)
      : make_([make = std::move(make)](uint64_t index, Random&) { return make(index); }) {}

  explicit operator bool() const { return static_cast<bool>(make_); }
  T operator()(uint64_t index, Random& random) const { return make_(index, random); }

 private:
  std::function<T(uint64_t, Random&)> make_;
};

// The indices are dealt round to the splits of all subtasks: whatever the parallelism, the same records come.
template <class T>
struct Source {
  static_assert(!std::is_same_v<T, Bytes>, "Bytes is a view: use datagen::Source<std::string>");
  using Output = T;

  Generator<T> generate;
  std::optional<uint64_t> count;  // nullopt: without end
  double rate = 0;                // records per second of all subtasks together; 0: as fast as it goes
  uint64_t seed = 1;
  int splits_per_subtask = 1;
  std::function<TimestampMs(const T&)> timestamp;  // may be empty

  absl::Status Validate() const {
    std::string problems;
    const auto require = [&](bool holds, const char* text) {
      if (!holds) problems += (problems.empty() ? "" : "; ") + std::string(text);
    };
    require(static_cast<bool>(generate), ".generate is missing");
    require(rate >= 0, ".rate is negative");
    require(splits_per_subtask >= 1 && splits_per_subtask <= 1024, ".splits_per_subtask is not within 1 to 1024");
    return problems.empty() ? absl::OkStatus() : absl::InvalidArgumentError("datagen source: " + problems);
  }
  std::string Describe() const {
    return fmt::format("datagen{}{}", count ? fmt::format(", {} records", *count) : "",
                       rate > 0 ? fmt::format(", {}/s", rate) : "");
  }
  std::unique_ptr<SourceReader<T>> CreateReader() const { return std::make_unique<Reader>(*this); }

 private:
  class Reader final : public SourceReader<T> {
   public:
    explicit Reader(const Source& source) : source_(source) {}

    absl::Status Restore(const std::vector<std::string>& positions) override { return all_.Restore(positions); }

    absl::Status Open(Context& context, SourceOutput<T>& output) override {
      clock_ = &context.clock();
      rate_ = source_.rate / context.parallelism();
      splits_ = all_.Own(context.subtask(), context.parallelism(), static_cast<uint64_t>(source_.splits_per_subtask));
      for (Stride& split : splits_) split.split = output.AddSplit(fmt::format("generator {}", split.number));
      started_ns_ = clock_->MonotonicNs();
      return absl::OkStatus();
    }

    absl::StatusOr<PollResult> Poll(SourceOutput<T>& output) override {
      const int64_t due = Due();
      for (int64_t i = 0; i < due && open_splits() > 0; ++i) {
        EmitNext(output);
        if (!output.ShouldYield()) continue;
        if (rate_ > 0) emitted_ -= due - i - 1;
        break;
      }
      FinishEnded(output);
      if (open_splits() == 0) return PollResult::kFinished;
      return due > 0 ? PollResult::kMore : PollResult::kDry;
    }

    absl::Status Snapshot(uint64_t, std::vector<std::string>* positions) override {
      for (const Stride& split : splits_) positions->push_back(split.Encode());
      return absl::OkStatus();
    }

    void Close() override {}

   private:
    static constexpr int64_t kBatch = 256;

    bool Ended(const Stride& split) const { return source_.count && split.next >= *source_.count; }
    size_t open_splits() const {
      return static_cast<size_t>(
          std::count_if(splits_.begin(), splits_.end(), [this](const Stride& split) { return !Ended(split); }));
    }

    // Records that may be emitted now. What was missed under backpressure is caught up for at most a second.
    int64_t Due() {
      if (rate_ <= 0) return kBatch;
      const double elapsed_s = static_cast<double>(clock_->MonotonicNs() - started_ns_) / 1e9;
      const auto target = static_cast<int64_t>(elapsed_s * rate_);
      emitted_ = std::max(emitted_, target - std::max<int64_t>(1, static_cast<int64_t>(rate_)));
      const int64_t due = std::clamp<int64_t>(target - emitted_, 0, kBatch);
      emitted_ += due;
      return due;
    }

    void EmitNext(SourceOutput<T>& output) {
      do {
        turn_ = (turn_ + 1) % splits_.size();
      } while (Ended(splits_[turn_]));
      Stride& split = splits_[turn_];
      Random random(source_.seed, split.next);
      const T record = source_.generate(split.next, random);
      split.next += split.step;
      output.Emit(split.split, record, source_.timestamp ? source_.timestamp(record) : kNoTimestamp);
    }

    void FinishEnded(SourceOutput<T>& output) {
      for (const Stride& split : splits_) {
        if (Ended(split) && reported_.insert(split.split).second) output.FinishSplit(split.split);
      }
    }

    const Source source_;
    const Clock* clock_ = nullptr;
    double rate_ = 0;
    Strides all_;
    std::vector<Stride> splits_;
    std::set<SplitIndex> reported_;  // as finished
    size_t turn_ = 0;
    int64_t started_ns_ = 0;
    int64_t emitted_ = 0;
  };
};

}  // namespace penstock::datagen

#endif  // PENSTOCK_CONNECTORS_DATAGEN_H_
