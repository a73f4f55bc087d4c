// collection::Source: the records of a vector, for tests and examples.
//   env.source("numbers", collection::Source<int>{.records = {1, 2, 3}})
#ifndef PENSTOCK_CONNECTORS_COLLECTION_H_
#define PENSTOCK_CONNECTORS_COLLECTION_H_

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "penstock/connectors/strides.h"
#include "runtime/record/bytes.h"
#include "runtime/task/source.h"

namespace penstock::collection {

// Record i is read by subtask i % parallelism, in order; bounded. After a restore with another parallelism a subtask
// reads the splits of that rule that fall to it one after the other.
template <class T>
struct Source {
  static_assert(!std::is_same_v<T, Bytes>, "Bytes is a view: use collection::Source<std::string>");
  using Output = T;

  std::vector<T> records;
  std::function<TimestampMs(const T&)> timestamp;  // may be empty

  absl::Status Validate() const { return absl::OkStatus(); }
  std::string Describe() const { return fmt::format("collection of {} records", records.size()); }
  std::unique_ptr<SourceReader<T>> CreateReader() const { return std::make_unique<Reader>(*this); }

 private:
  class Reader final : public SourceReader<T> {
   public:
    explicit Reader(const Source& source) : source_(source) {}

    absl::Status Restore(const std::vector<std::string>& positions) override { return all_.Restore(positions); }

    absl::Status Open(Context& context, SourceOutput<T>& output) override {
      strides_ = all_.Own(context.subtask(), context.parallelism(), 1);
      for (Stride& stride : strides_) stride.split = output.AddSplit(fmt::format("records {}", stride.number));
      return absl::OkStatus();
    }

    absl::StatusOr<PollResult> Poll(SourceOutput<T>& output) override {
      if (current_ == strides_.size()) return PollResult::kFinished;
      Stride& stride = strides_[current_];
      for (int i = 0; i < kBatch && stride.next < source_.records.size(); ++i) {
        const T& record = source_.records[stride.next];
        stride.next += stride.step;
        output.Emit(stride.split, record, source_.timestamp ? source_.timestamp(record) : kNoTimestamp);
        if (output.ShouldYield()) break;
      }
      if (stride.next < source_.records.size()) return PollResult::kMore;
      output.FinishSplit(stride.split);
      return ++current_ == strides_.size() ? PollResult::kFinished : PollResult::kMore;
    }

    absl::Status Snapshot(uint64_t, std::vector<std::string>* positions) override {
      for (const Stride& stride : strides_) positions->push_back(stride.Encode());
      return absl::OkStatus();
    }

    std::string DescribeCurrent() const override {
      if (current_ == strides_.size()) return "";
      return fmt::format("record {}", strides_[current_].next - strides_[current_].step);
    }

    void Close() override {}

   private:
    static constexpr int kBatch = 256;

    const Source source_;
    Strides all_;
    std::vector<Stride> strides_;
    size_t current_ = 0;
  };
};

}  // namespace penstock::collection

#endif  // PENSTOCK_CONNECTORS_COLLECTION_H_
