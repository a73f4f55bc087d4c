// Lists that belong to no key, declared as members of a function.
//
//   struct Batcher { SplitListState<Order> waiting{"waiting"}; void operator()(const Order&, ProcessContext&, ...); };
//
// A split list is dealt out round the subtasks when a job begins from a checkpoint, a union list is given to each
// subtask as a whole: who has read one in open() sets it to its own part again, else it grows with every restore.
// Owner: the task's thread. A list is in memory and is written as a whole at each barrier: it is for hundreds of
// elements, not for millions.
#ifndef PENSTOCK_RUNTIME_OPERATORS_OPERATOR_LISTS_H_
#define PENSTOCK_RUNTIME_OPERATORS_OPERATOR_LISTS_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/operators/plain_state.h"
#include "runtime/state/heap_bytes.h"

namespace penstock {

template <class T, OperatorStateKind kKind>
class OperatorListState {
  static_assert(!kIsView<T>, "penstock: state must own its bytes: keep a std::string, not a view");

 public:
  explicit OperatorListState(std::string name) : name_(std::move(name)) {}
  OperatorListState(const OperatorListState& other) : name_(other.name_) {
    if (PlainStateScope::current() == nullptr) return;
    list_ = std::make_shared<List>();
    list_->name = name_;
    list_->kind = kKind;
    list_->value_type = Serde<T>::TypeName();
    list_->value = SchemaOf<T>();
    PlainStateScope::current()->push_back(list_);
  }
  OperatorListState& operator=(const OperatorListState&) = delete;

  bool empty() const { return values().empty(); }
  const std::vector<T>& values() const { return Bound().values; }
  std::vector<T>& mutable_values() { return Bound().values; }
  void add(T value) { Bound().values.push_back(std::move(value)); }
  void set(std::vector<T> values) { Bound().values = std::move(values); }
  void clear() { Bound().values.clear(); }

 private:
  struct List final : PlainState {
    std::vector<std::string> Write() const override {
      std::vector<std::string> items;
      items.reserve(values.size());
      for (const T& value : values) {
        ByteWriter out;
        Serde<T>::Write(value, out);
        items.emplace_back(out.view());
      }
      return items;
    }
    bool Add(std::string_view, std::string_view bytes) override {
      ByteReader in(bytes);
      T value{};
      if (!Serde<T>::Read(in, value) || in.remaining() > 0) return false;
      values.push_back(std::move(value));
      return true;
    }
    size_t MemoryBytes() const override { return HeapBytes(values); }
    std::vector<T> values;
  };
  List& Bound() const {
    if (list_ == nullptr) ThrowUnbound(name_);
    return *list_;
  }

  const std::string name_;
  std::shared_ptr<List> list_;
};

template <class T>
using SplitListState = OperatorListState<T, OperatorStateKind::kSplit>;
template <class T>
using UnionListState = OperatorListState<T, OperatorStateKind::kUnion>;

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_OPERATOR_LISTS_H_
