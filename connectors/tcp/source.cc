// The TCP source: its description, and the reader that cuts what comes into records.
#include <algorithm>
#include <utility>

#include "connectors/tcp/feeds.h"
#include "penstock/connectors/tcp.h"
#include "runtime/core/status.h"
#include "runtime/metrics/metrics.h"

namespace penstock::tcp {
namespace {

constexpr int kRecordsPerPoll = 512;
constexpr std::string_view kPosition = "tcp ";

class Reader final : public SourceReader<Bytes> {
 public:
  explicit Reader(const Source& source) : source_(source) {}
  ~Reader() override { Close(); }

  absl::Status Restore(const std::vector<std::string>& positions) override {
    for (const std::string& text : positions) {
      if (!text.starts_with(kPosition)) return DataLoss("tcp source: '{}' is no position of an address", text);
      restored_ = true;
    }
    return absl::OkStatus();
  }

  absl::Status Open(Context& context, SourceOutput<Bytes>& output) override {
    context_ = &context;
    cut_off_ = &context.counter("recordsCutOff");
    if (restored_) context.log_warn("tcp source: what came since the last checkpoint is lost; it cannot be read again");
    FeedsOptions options{.bounded = source_.bounded,
                         .reconnect_first_ms = source_.reconnect_first.count(),
                         .reconnect_longest_ms = source_.reconnect_longest.count()};
    for (size_t i = 0; i < source_.addresses.size(); ++i) {
      if (i % static_cast<size_t>(context.parallelism()) != static_cast<size_t>(context.subtask())) continue;
      options.addresses.push_back(source_.addresses[i]);
      splits_.push_back({.address = source_.addresses[i], .split = output.AddSplit(source_.addresses[i])});
    }
    if (!splits_.empty()) feeds_ = std::make_unique<Feeds>(std::move(options), context.waker());
    return absl::OkStatus();
  }

  absl::StatusOr<PollResult> Poll(SourceOutput<Bytes>& output) override {
    bool more = false;
    int left = kRecordsPerPoll;
    for (size_t i = 0; i < splits_.size() && left > 0 && !yields_; ++i) {
      const size_t turn = (first_ + i) % splits_.size();
      if (!splits_[turn].over) PENSTOCK_RETURN_IF_ERROR(PollSplit(turn, output, &left));
      more = more || (!splits_[turn].waits && splits_[turn].begin < splits_[turn].bytes.size());
    }
    more = more || yields_ || left < kRecordsPerPoll;
    yields_ = false;
    if (!splits_.empty()) first_ = (first_ + 1) % splits_.size();
    if (std::all_of(splits_.begin(), splits_.end(), [](const Split& split) { return split.over; })) {
      return PollResult::kFinished;
    }
    NoteTrouble();
    return more ? PollResult::kMore : PollResult::kDry;
  }

  absl::Status Snapshot(uint64_t, std::vector<std::string>* positions) override {
    for (const Split& split : splits_) positions->push_back(std::string(kPosition) + split.address);
    return absl::OkStatus();
  }

  void Close() override { feeds_.reset(); }

 private:
  struct Split {
    std::string address;
    SplitIndex split;
    std::string bytes;  // from `begin` on: not emitted yet
    size_t begin = 0;
    bool ended = false;  // behind the bytes
    bool last = false;   // and nothing will follow
    bool over = false;
    bool waits = false;  // for more bytes
  };

  absl::Status PollSplit(size_t number, SourceOutput<Bytes>& output, int* left) {
    Split& split = splits_[number];
    bool connected = true;
    if (split.begin == split.bytes.size() || split.waits) connected = Refill(number);
    while (*left > 0) {
      const bool at_end = split.ended && split.last;
      const auto frame = framing::FirstFrame(source_.framing, std::string_view(split.bytes).substr(split.begin), at_end,
                                             {.frame_bytes_max = source_.record_bytes_max});
      if (!frame.ok() && !(at_end && absl::IsDataLoss(frame.status()))) {
        return MakeStatus(frame.status().code(), "tcp source: {}: {}", split.address, MessageOf(frame.status()));
      }
      split.waits = !frame.ok() || !*frame;
      if (split.waits) {
        if (split.ended) EndConnection(split, output);
        break;
      }
      split.begin += (*frame)->size_bytes;
      --*left;
      output.Emit(split.split, Bytes((*frame)->payload), kNoTimestamp);
      if ((yields_ = output.ShouldYield())) break;
    }
    if (split.waits && connected && !split.over) output.SetCaughtUp(split.split);
    return absl::OkStatus();
  }

  // Takes what has come behind what is left. False: nobody is connected.
  bool Refill(size_t number) {
    Split& split = splits_[number];
    if (split.ended) return false;
    Arrived arrived = feeds_->Take(number);
    split.bytes.erase(0, split.begin);
    split.begin = 0;
    split.bytes += arrived.bytes;
    split.ended = arrived.ended;
    split.last = arrived.over;
    return arrived.connected;
  }

  void EndConnection(Split& split, SourceOutput<Bytes>& output) {
    if (split.begin < split.bytes.size()) cut_off_->Add();
    split.bytes.clear();
    split.begin = 0;
    split.ended = false;
    if (!split.last) return;
    split.over = true;
    output.FinishSplit(split.split);
  }

  void NoteTrouble() {
    std::string trouble = feeds_->Trouble();
    if (!trouble.empty()) trouble = fmt::format("tcp source: {}; connecting again", trouble);
    if (trouble != noted_) context_->set_status_note(noted_ = trouble);
  }

  const Source source_;
  Context* context_ = nullptr;
  Counter* cut_off_ = nullptr;
  bool restored_ = false;
  bool yields_ = false;
  size_t first_ = 0;  // whose turn it is
  std::string noted_;
  std::vector<Split> splits_;
  std::unique_ptr<Feeds> feeds_;
};

}  // namespace

absl::Status Source::Validate() const {
  std::string problems;
  const auto require = [&](bool holds, const std::string& text) {
    if (!holds) problems += (problems.empty() ? "" : "; ") + text;
  };
  require(!addresses.empty(), ".addresses is empty: give host:port");
  require(addresses.size() <= kAddressesMax, fmt::format(".addresses has more than {}", kAddressesMax));
  for (const std::string& address : addresses) {
    require(SplitAddress(address).has_value(), fmt::format(".addresses: '{}' is no host:port", address));
  }
  require(record_bytes_max > 0, ".record_bytes_max is 0");
  require(reconnect_first.count() >= 1, ".reconnect_first is below 1 ms");
  require(reconnect_longest >= reconnect_first, ".reconnect_longest is shorter than .reconnect_first");
  return problems.empty() ? absl::OkStatus() : InvalidArgument("tcp source: {}", problems);
}

std::string Source::Describe() const {
  return fmt::format("tcp {}{}{}", addresses.empty() ? "" : addresses[0],
                     addresses.size() > 1 ? fmt::format(" and {} more", addresses.size() - 1) : "",
                     bounded ? ", bounded" : "");
}

std::unique_ptr<SourceReader<Bytes>> Source::CreateReader() const { return std::make_unique<Reader>(*this); }

}  // namespace penstock::tcp
