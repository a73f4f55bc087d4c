// SideOutput<T>: a further output of a function, declared as its member and read by name:
//
//   struct Route { SideOutput<Alert> alerts{"alerts"}; Order operator()(const Order&); };
//   auto orders = stream.map(Route{});
//   orders.side_output<Alert>("alerts").sink(...);
//
// A member registers when the function is copied inside a SideOutputScope: once while the graph is built, and once per
// subtask. What is emitted where nobody reads is dropped. Time flows into side outputs as into the main one. Owner: the
// task's thread; emitting may block (backpressure).
#ifndef PENSTOCK_RUNTIME_OPERATORS_SIDE_OUTPUT_H_
#define PENSTOCK_RUNTIME_OPERATORS_SIDE_OUTPUT_H_

#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "runtime/operators/edge_writers.h"
#include "runtime/record/receiver.h"
#include "runtime/record/serde.h"

namespace penstock {

// One of them, without its type.
struct SideSlotBase {
  virtual ~SideSlotBase() = default;
  virtual void Bind(ReceiverBase* receiver) = 0;

  std::string name;
  std::string type;
  std::shared_ptr<const OutputFactory> factory;
  const TimestampMs* timestamp = nullptr;  // of the record at hand
};
using SideSlots = std::vector<std::shared_ptr<SideSlotBase>>;

template <class T>
struct SideSlot final : SideSlotBase {
  static std::shared_ptr<SideSlot> Make(std::string name) {
    auto slot = std::make_shared<SideSlot>();
    slot->name = std::move(name);
    slot->type = Serde<T>::TypeName();
    slot->factory = MakeOutputFactory<T>();
    return slot;
  }
  void Bind(ReceiverBase* receiver) override { to = static_cast<Receiver<T>*>(receiver); }

  Receiver<T>* to = nullptr;  // none: nobody reads
};

// While one lives, side outputs that are copied on this thread register with it.
class SideOutputScope {
 public:
  explicit SideOutputScope(SideSlots& slots) : previous_(current_) { current_ = &slots; }
  ~SideOutputScope() { current_ = previous_; }
  SideOutputScope(const SideOutputScope&) = delete;
  SideOutputScope& operator=(const SideOutputScope&) = delete;
  static SideSlots* current() { return current_; }

 private:
  static inline thread_local SideSlots* current_ = nullptr;
  SideSlots* const previous_;
};

template <class T>
class SideOutput {
 public:
  explicit SideOutput(std::string name) : name_(std::move(name)) {}
  SideOutput(const SideOutput& other) : name_(other.name_) {
    if (SideOutputScope::current() == nullptr) return;
    slot_ = SideSlot<T>::Make(name_);
    SideOutputScope::current()->push_back(slot_);
  }
  SideOutput& operator=(const SideOutput&) = delete;

  // With the timestamp of the record or timer being processed.
  void emit(const T& value) { emit(value, *Bound().timestamp); }
  void emit(const T& value, TimestampMs timestamp) {
    if (Receiver<T>* const to = Bound().to; to != nullptr) to->OnRecord(value, timestamp);
  }

 private:
  SideSlot<T>& Bound() const {
    if (slot_ == nullptr || slot_->timestamp == nullptr) [[unlikely]] {
      throw std::logic_error("side output '" + name_ +
                             "' is in no function of a stream, or was used before open(): declare it as a member of "
                             "one that is given to process, map, filter or flat_map");
    }
    return *slot_;
  }

  const std::string name_;
  std::shared_ptr<SideSlot<T>> slot_;
};

// The side outputs a function declares: found by copying it inside a scope.
template <class Fn>
SideSlots SideOutputsOf(const Fn& fn) {
  SideSlots slots;
  const SideOutputScope scope(slots);
  [[maybe_unused]] const Fn copy(fn);
  return slots;
}

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_SIDE_OUTPUT_H_
