// ValueState<V>: a value per key, declared as a member of a keyed function:
//
//   struct Dedupe { ValueState<bool> seen{"seen"}; void operator()(const Event&, KeyedContext<Key>&,
//   Collector<Event>&); };
//
// A key's states lie together in one row, so that a record costs one lookup however many there are. The member
// registers when the function is copied inside a StateScope: once while the graph is built, so that the plan lists it,
// and once per subtask, so that it is bound to the subtask's rows. Owner: the task's thread; usable only while the
// function handles a record of a key.
#ifndef PENSTOCK_RUNTIME_STATE_VALUE_STATE_H_
#define PENSTOCK_RUNTIME_STATE_VALUE_STATE_H_

#include <cstddef>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/record/serde.h"

namespace penstock {

// The memory of all states of one key.
class StateRow;

// The states one function declares, and where each lies in a row. Outlives its rows.
class RowLayout {
 public:
  struct Cell {
    std::string name;
    std::string value_type;
    size_t offset = 0;
    void (*construct)(void*) = nullptr;
    void (*destroy)(void*) = nullptr;
  };
  template <class V>
  size_t Add(const std::string& name) {
    using Slot = std::optional<V>;
    static_assert(alignof(Slot) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__, "penstock: over-aligned state is not supported");
    const size_t offset = (size_ + alignof(Slot) - 1) / alignof(Slot) * alignof(Slot);
    size_ = offset + sizeof(Slot);
    cells_.push_back({name, Serde<V>::TypeName(), offset, [](void* at) { new (at) Slot(); },
                      [](void* at) { static_cast<Slot*>(at)->~Slot(); }});
    return offset;
  }
  const std::vector<Cell>& cells() const { return cells_; }
  size_t size() const { return size_; }

 private:
  std::vector<Cell> cells_;
  size_t size_ = 0;
};

class StateRow {
 public:
  explicit StateRow(const RowLayout& layout) : layout_(&layout), memory_(new std::byte[layout.size()]) {
    for (const RowLayout::Cell& cell : layout.cells()) cell.construct(memory_.get() + cell.offset);
  }
  StateRow(StateRow&&) noexcept = default;
  StateRow& operator=(StateRow&& other) noexcept {
    Destroy();
    layout_ = other.layout_;
    memory_ = std::move(other.memory_);
    return *this;
  }
  ~StateRow() { Destroy(); }
  std::byte* memory() const { return memory_.get(); }

 private:
  void Destroy() {
    if (memory_ == nullptr) return;
    for (const RowLayout::Cell& cell : layout_->cells()) cell.destroy(memory_.get() + cell.offset);
    memory_.reset();
  }

  const RowLayout* layout_;
  std::unique_ptr<std::byte[]> memory_;
};

// What a function's states are bound to: the layout they made, and the row of the key at hand.
struct StateFrame {
  RowLayout layout;
  std::byte* row = nullptr;
};

// While one lives, states that are copied on this thread register with its frame.
class StateScope {
 public:
  explicit StateScope(std::shared_ptr<StateFrame> frame) : previous_(current_) { current_ = std::move(frame); }
  ~StateScope() { current_ = std::move(previous_); }
  StateScope(const StateScope&) = delete;
  StateScope& operator=(const StateScope&) = delete;
  static const std::shared_ptr<StateFrame>& current() { return current_; }

 private:
  static inline thread_local std::shared_ptr<StateFrame> current_;
  std::shared_ptr<StateFrame> previous_;
};

template <class V>
class ValueState {
  static_assert(!kIsView<V>, "penstock: state must own its bytes: keep a std::string, not a view");

 public:
  explicit ValueState(std::string name) : name_(std::move(name)) {}
  ValueState(const ValueState& other) : name_(other.name_), frame_(StateScope::current()) {
    if (frame_ != nullptr) offset_ = frame_->layout.template Add<V>(name_);
  }
  ValueState& operator=(const ValueState&) = delete;

  bool has_value() const { return Slot().has_value(); }
  // REQUIRES: has_value().
  const V& value() const { return *Slot(); }
  V value_or(V otherwise) const { return Slot().value_or(std::move(otherwise)); }
  void set(V value) { Slot() = std::move(value); }
  void clear() { Slot().reset(); }
  // The value itself, made from `initial` when there is none.
  V& mutable_value(V initial = V()) {
    std::optional<V>& slot = Slot();
    if (!slot.has_value()) slot = std::move(initial);
    return *slot;
  }

 private:
  std::optional<V>& Slot() const { return *reinterpret_cast<std::optional<V>*>(frame_->row + offset_); }

  const std::string name_;
  std::shared_ptr<StateFrame> frame_;
  size_t offset_ = 0;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_STATE_VALUE_STATE_H_
