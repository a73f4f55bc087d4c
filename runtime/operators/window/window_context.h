// What a window function sees of its window, and the state it may keep for one window.
#ifndef PENSTOCK_RUNTIME_OPERATORS_WINDOW_WINDOW_CONTEXT_H_
#define PENSTOCK_RUNTIME_OPERATORS_WINDOW_WINDOW_CONTEXT_H_

#include <functional>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "runtime/core/clock.h"
#include "runtime/operators/process_context.h"
#include "runtime/operators/window/time_window.h"
#include "runtime/state/map_state.h"

namespace penstock {

// Valid during the call it was given to.
template <class K>
class WindowContext {
 public:
  explicit WindowContext(OperatorContext* context = nullptr, const Clock* clock = nullptr)
      : context_(context), clock_(clock) {}
  const K& key() const { return *key_; }
  const TimeWindow& window() const { return window_; }
  TimestampMs watermark() const { return watermark_; }
  TimestampMs processing_time() const { return clock_->NowMs(); }
  Context& task() const { return *context_; }

  void set_key(const K* key) { key_ = key; }
  void set_window(const TimeWindow& window) { window_ = window; }
  void set_watermark(TimestampMs watermark) { watermark_ = watermark; }

 private:
  OperatorContext* context_;
  const Clock* clock_;
  const K* key_ = nullptr;
  TimeWindow window_;
  TimestampMs watermark_ = kNoTimestamp;
};

// Where the per-window states of a function find the window at hand, and how they are told that one is gone.
struct WindowFrame {
  std::optional<TimeWindow> window;
  std::vector<std::function<void(const TimeWindow&)>> forget;
};

// While one lives, per-window states that are copied on this thread register with its frame.
class WindowScope {
 public:
  explicit WindowScope(std::shared_ptr<WindowFrame> frame) : previous_(current_) { current_ = std::move(frame); }
  ~WindowScope() { current_ = std::move(previous_); }
  WindowScope(const WindowScope&) = delete;
  WindowScope& operator=(const WindowScope&) = delete;
  static const std::shared_ptr<WindowFrame>& current() { return current_; }

 private:
  static inline thread_local std::shared_ptr<WindowFrame> current_;
  std::shared_ptr<WindowFrame> previous_;
};

// A value per key and window, a member of a window function: it outlives single fires of the window and goes with it.
// (ValueState and the like, as members of a window function, are one per key for all its windows.) Not for sessions,
// whose windows merge.
template <class V>
class WindowState {
 public:
  explicit WindowState(std::string name) : name_(name), values_(std::make_shared<MapState<TimeWindow, V>>(name)) {}
  WindowState(const WindowState& other)
      : name_(other.name_),
        values_(std::make_shared<MapState<TimeWindow, V>>(*other.values_)),
        frame_(WindowScope::current()) {
    if (frame_ == nullptr) return;
    frame_->forget.push_back([values = values_](const TimeWindow& window) { values->remove(window); });
  }
  WindowState& operator=(const WindowState&) = delete;

  std::optional<V> get() const { return values_->get(Window()); }
  V value_or(V otherwise) const { return get().value_or(std::move(otherwise)); }
  bool has_value() const { return values_->contains(Window()); }
  void set(V value) { values_->put(Window(), std::move(value)); }
  void clear() { values_->remove(Window()); }

 private:
  const TimeWindow& Window() const {
    if (frame_ == nullptr || !frame_->window.has_value()) {
      throw std::logic_error("per-window state '" + name_ +
                             "' was used where no window is at hand: it belongs to the "
                             "window that a window function is called for");
    }
    return *frame_->window;
  }

  const std::string name_;
  std::shared_ptr<MapState<TimeWindow, V>> values_;
  std::shared_ptr<WindowFrame> frame_;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_WINDOW_WINDOW_CONTEXT_H_
