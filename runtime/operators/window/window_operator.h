// Windows of every kind: any assigner, trigger, evictor and lateness. (The two common kinds have operators of their
// own: tumbling_window.h and sliced_window.h.)
//
// A key's windows are a row (window_row.h), and each key has at most one timer per kind of time: when the earliest of
// its windows wants something. It is moved only when something earlier comes up, and looked at again when it fires, so
// that a session which each record extends costs no timer operation per record. Processing-time windows that are open
// when the input ends fire then. Owner: the task's thread.
#ifndef PENSTOCK_RUNTIME_OPERATORS_WINDOW_WINDOW_OPERATOR_H_
#define PENSTOCK_RUNTIME_OPERATORS_WINDOW_WINDOW_OPERATOR_H_

#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "runtime/operators/keyed_context.h"
#include "runtime/operators/keyed_function.h"
#include "runtime/operators/unary_operator.h"
#include "runtime/operators/window/late_output.h"
#include "runtime/operators/window/triggers.h"
#include "runtime/operators/window/window_context.h"
#include "runtime/operators/window/window_row.h"
#include "runtime/state/keyed_table.h"

namespace penstock {

template <class Assigner, class Trigger>
struct WindowSettings {
  Assigner assigner;
  Trigger trigger;
  int64_t lateness_ms = 0;
};

template <class Assigner, class Trigger, class Fn>
using WindowRowOf = WindowRow<WindowCell<typename Fn::Stored, detail::TriggerState<Trigger>>>;

template <class In, class K, class KeyOf, class Assigner, class Trigger, class Fn, class Out>
class WindowOperator final : public UnaryOperator<In, Out> {
  static constexpr bool kEventTime = Assigner::kDomain == TimeDomain::kEvent;
  using Row = WindowRowOf<Assigner, Trigger, Fn>;
  using Cell = typename decltype(Row::cells)::value_type;

 public:
  WindowOperator(WindowSettings<Assigner, Trigger> settings, KeyOf key_of, const Fn& prototype)
      : settings_(std::move(settings)),
        key_of_(std::move(key_of)),
        window_frame_(std::make_shared<WindowFrame>()),
        fn_(Bound(prototype, window_frame_)),
        collector_(nullptr) {}

  absl::Status Open(OperatorContext& context) override {
    this->context_ = &context;
    backend_ = &context.keyed_backend();
    collector_.set_receiver(this->out_);
    if (absl::Status status = fn_->Register(context); !status.ok()) return status;
    rows_.emplace(TableSpec{.uid = context.operator_uid(),
                            .name = "windows",
                            .kind = kWindowRowsKind,
                            .key = SchemaOf<K>(),
                            .value = SchemaOf<Row>()});
    if (absl::Status status = backend_->Register(*rows_); !status.ok()) return status;
    timers_.emplace(context.operator_uid(), SchemaOf<K>());
    for (TimerTable* table : {&timers_->event, &timers_->processing}) {
      if (absl::Status status = backend_->Register(*table); !status.ok()) return status;
    }
    late_.Bind(this->sides_, fn_->side_outputs());
    window_context_ = WindowContext<K>(&context, &backend_->clock());
    trigger_context_ = TriggerContext(&backend_->clock());
    return fn_->Open(this->sides_);
  }

  void OnRecord(const In& value, TimestampMs timestamp) override {
    if (kEventTime && timestamp == kNoTimestamp) return FailWithoutTimestamp(*this->context_);
    trigger_context_.set_time(timestamp, watermark_);
    const TimestampMs time = kEventTime ? timestamp : backend_->clock().NowMs();
    CallUser(this->context_, [&] {
      decltype(auto) key = std::invoke(key_of_, value);
      const uint64_t hash = hasher_(key);
      fn_->WithKey(key, hash, [&] { Take(value, time, timestamp, key, hash); });
    });
  }

  void OnWatermark(TimestampMs watermark) override {
    watermark_ = watermark;
    window_context_.set_watermark(watermark);
    watermark_pending_ = true;
    // The end of the input is the end of processing time, too.
    if (watermark == kMaxWatermark) processing_until_ = kNever;
    Continue();
  }
  void OnTick(int64_t) override {
    if (processing_until_ != kNever) processing_until_ = backend_->clock().NowMs();
    if (timers_->processing.HasDue(processing_until_)) processing_pending_ = true;
  }
  bool HasPending() const override { return watermark_pending_ || processing_pending_; }
  void Continue() override {
    if (processing_pending_ || processing_until_ == kNever) {
      processing_pending_ = !FireDue(timers_->processing, processing_until_, TimeDomain::kProcessing);
      if (processing_pending_) return;
    }
    if (!watermark_pending_ || !FireDue(timers_->event, watermark_, TimeDomain::kEvent)) return;
    watermark_pending_ = false;
    this->ForwardWatermark(watermark_);
  }
  absl::Status Snapshot(const Barrier&, OperatorStateWriter& state) override { return fn_->Snapshot(state); }
  void Close() override { fn_->Close(); }

 private:
  static std::unique_ptr<KeyedFunction<K, Fn>> Bound(const Fn& prototype, const std::shared_ptr<WindowFrame>& frame) {
    const WindowScope scope(frame);
    return std::make_unique<KeyedFunction<K, Fn>>(prototype);
  }

  // The key's states are at hand.
  void Take(const In& value, TimestampMs time, TimestampMs timestamp, const K& key, uint64_t hash) {
    assigned_.clear();
    settings_.assigner.Assign(value, time, assigned_);
    std::erase_if(assigned_, [&](const TimeWindow& window) { return !Assigner::kMerging && IsLate(window); });
    if (assigned_.empty()) return late_.Emit(*this->context_, value, timestamp);
    const uint32_t slot = rows_->FindOrInsert(hash, key);
    Row& row = rows_->value(slot);
    At(key);
    for (const TimeWindow& window : assigned_) {
      if constexpr (Assigner::kMerging) {
        const std::optional<size_t> merged = MergeInto(row, window);
        if (merged) {
          AddTo(row, row.cells[*merged], value, time);
        } else {
          late_.Emit(*this->context_, value, timestamp);
        }
      } else {
        AddTo(row, CellOf(row, window), value, time);
      }
    }
    Leave(slot, row, key, hash);
  }
  bool IsLate(const TimeWindow& window) const { return kEventTime && GoneAt(window) <= watermark_; }
  // When a window is forgotten.
  TimestampMs GoneAt(const TimeWindow& window) const {
    if (window.global() || window.last() > kNever - settings_.lateness_ms) return kNever;
    return window.last() + settings_.lateness_ms;
  }

  void AddTo(Row& row, Cell& cell, const In& value, TimestampMs time) {
    if (kEventTime && cell.window.last() <= watermark_) cell.ended = true;
    (*fn_)->Add(cell.contents, value, time);
    At(cell);
    TriggerAction action = settings_.trigger.on_element(value, cell.window, cell.trigger, trigger_context_);
    // Late, and allowed to be: the window fires again.
    if (detail::TriggerFiresAtEnd<Trigger>() && cell.ended && kEventTime) action = AtEnd();
    const TimeWindow window = cell.window;
    if (Act(cell, action)) std::erase_if(row.cells, [&](const Cell& other) { return other.window == window; });
  }
  static TriggerAction AtEnd() {
    if constexpr (requires { Trigger::kPurgesAtEnd; }) return TriggerAction::kFireAndPurge;
    return TriggerAction::kFire;
  }

  // The cell of the window that `window` and those it touches become; none: that would be over already.
  std::optional<size_t> MergeInto(Row& row, TimeWindow window) {
    size_t first = 0;
    while (first < row.cells.size() && row.cells[first].window.end < window.start) ++first;
    size_t end = first;
    for (; end < row.cells.size() && row.cells[end].window.start <= window.end; ++end) {
      window.start = std::min(window.start, row.cells[end].window.start);
      window.end = std::max(window.end, row.cells[end].window.end);
    }
    if (IsLate(window)) return std::nullopt;
    if (first == end) {
      row.cells.emplace(row.cells.begin() + static_cast<std::ptrdiff_t>(first))->window = window;
      return first;
    }
    Cell& into = row.cells[first];
    into.ended = into.ended && into.window == window;
    into.window = window;
    for (size_t i = first + 1; i < end; ++i) MergeCells(into, row.cells[i]);
    row.cells.erase(row.cells.begin() + static_cast<std::ptrdiff_t>(first) + 1,
                    row.cells.begin() + static_cast<std::ptrdiff_t>(end));
    return first;
  }
  void MergeCells(Cell& into, Cell& from) {
    (*fn_)->Merge(into.contents, from.contents);
    if constexpr (!std::is_same_v<detail::TriggerState<Trigger>, NoTriggerState>) {
      settings_.trigger.on_merge(into.trigger, from.trigger);
    }
    for (const TimestampMs time : from.event_timers) TriggerContext::Insert(into.event_timers, time);
    for (const TimestampMs time : from.processing_timers) TriggerContext::Insert(into.processing_timers, time);
  }

  // True: nothing of the window is left that would have to be kept.
  bool Act(Cell& cell, TriggerAction action) {
    if (Fires(action) && !Fn::Empty(cell.contents)) {
      window_frame_->window = cell.window;
      window_context_.set_window(cell.window);
      collector_.set_timestamp(cell.window.global() ? trigger_context_.timestamp() : cell.window.last());
      fn_->set_timestamp(cell.window.global() ? trigger_context_.timestamp() : cell.window.last());
      (*fn_)->Fire(cell.contents, window_context_, collector_);
      window_frame_->window.reset();
    }
    if (!Purges(action)) return false;
    Fn::Clear(cell.contents);
    if (!cell.event_timers.empty() || !cell.processing_timers.empty() || !window_frame_->forget.empty()) return false;
    if constexpr (requires { cell.trigger == detail::TriggerState<Trigger>{}; }) {
      return cell.trigger == detail::TriggerState<Trigger>{};
    }
    return false;
  }

  // What the key's windows want at `time`: timers of their triggers, their end, and to be forgotten.
  void OnTime(Row& row, TimestampMs time, TimeDomain domain) {
    for (size_t i = 0; i < row.cells.size();) {
      Cell& cell = row.cells[i];
      At(cell);
      bool gone = RunTimers(cell, time, domain);
      if (!gone && domain == Assigner::kDomain && !cell.window.global()) {
        if (!cell.ended && cell.window.last() <= time) {
          cell.ended = true;
          if (detail::TriggerFiresAtEnd<Trigger>()) gone = Act(cell, AtEnd());
        }
        if (GoneAt(cell.window) <= time) {
          for (const auto& forget : window_frame_->forget) forget(cell.window);
          gone = true;
        }
      }
      if (gone) {
        row.cells.erase(row.cells.begin() + static_cast<std::ptrdiff_t>(i));
      } else {
        ++i;
      }
    }
  }
  bool RunTimers(Cell& cell, TimestampMs time, TimeDomain domain) {
    auto& timers = domain == TimeDomain::kEvent ? cell.event_timers : cell.processing_timers;
    const bool input_ended = domain == TimeDomain::kEvent ? watermark_ == kMaxWatermark : time == kNever;
    // Other windows fire at their end then. And what a global one's timers set would go on for ever.
    if (input_ended && !cell.window.global()) timers.clear();
    while (!timers.empty() && timers.front() <= time) {
      const TimestampMs due = timers.front();
      timers.erase(timers.begin());
      TriggerAction action = TriggerAction::kContinue;
      if (domain == TimeDomain::kEvent) {
        if constexpr (requires { settings_.trigger.on_event_time(due, cell.window, cell.trigger, trigger_context_); }) {
          action = settings_.trigger.on_event_time(due, cell.window, cell.trigger, trigger_context_);
        }
      } else {
        if constexpr (requires {
                        settings_.trigger.on_processing_time(due, cell.window, cell.trigger, trigger_context_);
                      }) {
          action = settings_.trigger.on_processing_time(due, cell.window, cell.trigger, trigger_context_);
        }
      }
      if (Act(cell, action)) return true;
      if (input_ended) timers.clear();
    }
    return false;
  }

  // One slice; true when nothing more is due.
  bool FireDue(TimerTable& timers, TimestampMs now, TimeDomain domain) {
    for (int i = 0; i < kFireSliceRows; ++i) {
      const std::optional<TimerTable::Timer> timer = timers.TakeDue(now);
      if (!timer) return true;
      K key{};
      ByteReader in(timer->key);
      if (!Serde<K>::Read(in, key)) {
        this->context_->Fail(absl::DataLossError("the key of a window's timer does not decode"));
        return true;
      }
      // No further than the timer, so that the windows of all keys fire in order of time.
      const bool at_end = domain == TimeDomain::kProcessing && now == kNever;
      trigger_context_.set_time(timer->time_ms, watermark_);
      const uint64_t hash = hasher_(key);
      CallUser(this->context_,
               [&] { fn_->WithKey(key, hash, [&] { OnTimer(at_end ? kNever : timer->time_ms, domain, key, hash); }); });
    }
    return !timers.HasDue(now);
  }
  void OnTimer(TimestampMs time, TimeDomain domain, const K& key, uint64_t hash) {
    const uint32_t slot = rows_->Find(hash, key);
    if (slot == rows_->kNone) return;
    Row& row = rows_->value(slot);
    (domain == TimeDomain::kEvent ? row.event_timer : row.processing_timer) = kNever;
    At(key);
    OnTime(row, time, domain);
    Leave(slot, row, key, hash);
  }

  // The row has changed: its timers are set, it goes when there is nothing left in it.
  void Leave(uint32_t slot, Row& row, const K& key, uint64_t hash) {
    TimestampMs event = kNever;
    TimestampMs processing = kNever;
    for (const Cell& cell : row.cells) {
      TimestampMs own = kNever;
      if (!cell.window.global()) own = cell.ended ? GoneAt(cell.window) : cell.window.last();
      TimestampMs& by_domain = kEventTime ? event : processing;
      by_domain = std::min(by_domain, own);
      if (!cell.event_timers.empty()) event = std::min(event, cell.event_timers.front());
      if (!cell.processing_timers.empty()) processing = std::min(processing, cell.processing_timers.front());
    }
    SetTimer(timers_->event, row.event_timer, event, key, hash, row.cells.empty());
    SetTimer(timers_->processing, row.processing_timer, processing, key, hash, row.cells.empty());
    if (row.cells.empty()) {
      rows_->Erase(slot);
    } else {
      rows_->MarkDirty(slot);
    }
  }
  // A timer that is too early stays: it costs a look when it fires.
  void SetTimer(TimerTable& timers, TimestampMs& set, TimestampMs wanted, const K& key, uint64_t hash, bool last) {
    if (set <= wanted && !(last && set != kNever)) return;
    key_bytes_.Clear();
    Serde<K>::Write(key, key_bytes_);
    const uint32_t group = KeyGroupOf(hash, backend_->key_groups()).value;
    if (set != kNever) timers.Remove(set, group, key_bytes_.view());
    if (wanted != kNever) timers.Add(wanted, group, key_bytes_.view());
    set = wanted;
  }

  void At(const K& key) { window_context_.set_key(&key); }
  void At(Cell& cell) { trigger_context_.set_timers(&cell.event_timers, &cell.processing_timers); }

  WindowSettings<Assigner, Trigger> settings_;
  const KeyOf key_of_;
  const std::shared_ptr<WindowFrame> window_frame_;
  const std::unique_ptr<KeyedFunction<K, Fn>> fn_;
  Collector<Out> collector_;
  LateOutput<In> late_;
  WindowContext<K> window_context_;
  TriggerContext trigger_context_;
  KeyHasher<K> hasher_;
  KeyedBackend* backend_ = nullptr;
  std::optional<KeyedTable<K, Row>> rows_;
  std::optional<KeyedTimers> timers_;
  std::vector<TimeWindow> assigned_;  // of the record at hand
  ByteWriter key_bytes_;
  TimestampMs watermark_ = kNoTimestamp;
  TimestampMs processing_until_ = kNoTimestamp;
  bool watermark_pending_ = false;
  bool processing_pending_ = false;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_WINDOW_WINDOW_OPERATOR_H_
