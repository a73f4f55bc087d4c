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

#include "runtime/record/bytes.h"
#include "runtime/task/source.h"

namespace penstock::collection {

// Record i is read by subtask i % parallelism, in order; bounded.
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

    absl::Status Open(Context& context, SourceOutput<T>& output) override {
      next_ = static_cast<size_t>(context.subtask());
      step_ = static_cast<size_t>(context.parallelism());
      split_ = output.AddSplit(fmt::format("records of subtask {}", context.subtask()));
      return absl::OkStatus();
    }

    absl::StatusOr<PollResult> Poll(SourceOutput<T>& output) override {
      for (int i = 0; i < kBatch && next_ < source_.records.size(); ++i, next_ += step_) {
        const T& record = source_.records[next_];
        output.Emit(split_, record, source_.timestamp ? source_.timestamp(record) : kNoTimestamp);
      }
      if (next_ < source_.records.size()) return PollResult::kMore;
      output.FinishSplit(split_);
      return PollResult::kFinished;
    }

    void Close() override {}

   private:
    static constexpr int kBatch = 256;

    const Source source_;
    size_t next_ = 0;
    size_t step_ = 1;
    SplitIndex split_ = 0;
  };
};

}  // namespace penstock::collection

#endif  // PENSTOCK_CONNECTORS_COLLECTION_H_
