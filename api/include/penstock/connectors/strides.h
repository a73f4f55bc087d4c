// Numbered records dealt out to splits: split `number` reads number, number + step, ... For sources whose records can
// be made again from their index. The number of splits is settled at the first start, so that a later one with another
// parallelism deals out the same splits.
#ifndef PENSTOCK_CONNECTORS_STRIDES_H_
#define PENSTOCK_CONNECTORS_STRIDES_H_

#include <fmt/format.h>

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "runtime/task/source.h"

namespace penstock {

struct Stride {
  uint64_t number = 0;
  uint64_t next = 0;  // index to read next
  uint64_t step = 1;
  SplitIndex split = 0;

  std::string Encode() const { return fmt::format("{} {} {}", number, next, step); }
  // False: the text is none.
  static bool Decode(std::string_view text, Stride* stride) {
    const char* at = text.data();
    const char* const end = at + text.size();
    for (uint64_t* field : {&stride->number, &stride->next, &stride->step}) {
      if (at != end && *at == ' ') ++at;
      const auto [stop, error] = std::from_chars(at, end, *field);
      if (error != std::errc()) return false;
      at = stop;
    }
    return at == end && stride->step > 0;
  }
};

// The strides of one subtask. Owner: the reader.
class Strides {
 public:
  // After a restore: all strides there are.
  absl::Status Restore(const std::vector<std::string>& positions) {
    restored_ = true;
    for (const std::string& text : positions) {
      if (!Stride::Decode(text, &all_.emplace_back())) {
        return absl::DataLossError(fmt::format("'{}' is no position of a numbered split", text));
      }
    }
    return absl::OkStatus();
  }
  // The subtask's own ones: at the first start per_subtask of them for each subtask.
  std::vector<Stride> Own(int subtask, int parallelism, uint64_t per_subtask) {
    const uint64_t total = per_subtask * static_cast<uint64_t>(parallelism);
    for (uint64_t i = 0; !restored_ && i < total; ++i) all_.push_back({.number = i, .next = i, .step = total});
    std::vector<Stride> own;
    for (const Stride& stride : all_) {
      if (stride.number % static_cast<uint64_t>(parallelism) == static_cast<uint64_t>(subtask)) own.push_back(stride);
    }
    all_.clear();
    return own;
  }

 private:
  std::vector<Stride> all_;
  bool restored_ = false;
};

}  // namespace penstock

#endif  // PENSTOCK_CONNECTORS_STRIDES_H_
