// State of a function that belongs to no key: lists, declared as members of a function that is given to
// DataStream::process. Handed in at barriers, there again when open() is called after a restore.
//
//   struct Batcher { SplitListState<Order> waiting{"waiting"}; void operator()(const Order&, ProcessContext&, ...); };
//
// A split list is dealt out round the subtasks when a job begins from a checkpoint, a union list is given to each
// subtask as a whole: who has read one in open() sets it to its own part again, else it grows with every restore.
// Schemas and their evolution are those of keyed state. Owner: the task's thread. A list is in memory and is written
// as a whole at each barrier: it is for hundreds of elements, not for millions.
#ifndef PENSTOCK_RUNTIME_OPERATORS_OPERATOR_LISTS_H_
#define PENSTOCK_RUNTIME_OPERATORS_OPERATOR_LISTS_H_

#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/core/clock.h"
#include "runtime/core/status.h"
#include "runtime/graph/logical_graph.h"
#include "runtime/record/serde.h"
#include "runtime/state/schema.h"
#include "runtime/state/schema_resolver.h"
#include "runtime/task/operator.h"

namespace penstock {

// A list without its type.
struct OperatorList {
  virtual ~OperatorList() = default;
  virtual std::vector<std::string> Write() const = 0;
  virtual bool Add(std::string_view item) = 0;

  std::string name;
  OperatorStateKind kind = OperatorStateKind::kSplit;
  std::string value_type;
  Schema schema;
};
using OperatorLists = std::vector<std::shared_ptr<OperatorList>>;

// While one lives, lists that are copied on this thread register with it.
class OperatorListScope {
 public:
  explicit OperatorListScope(OperatorLists& lists) : previous_(current_) { current_ = &lists; }
  ~OperatorListScope() { current_ = previous_; }
  OperatorListScope(const OperatorListScope&) = delete;
  OperatorListScope& operator=(const OperatorListScope&) = delete;
  static OperatorLists* current() { return current_; }

 private:
  static inline thread_local OperatorLists* current_ = nullptr;
  OperatorLists* const previous_;
};

template <class T, OperatorStateKind kKind>
class OperatorListState {
  static_assert(!kIsView<T>, "penstock: state must own its bytes: keep a std::string, not a view");

 public:
  explicit OperatorListState(std::string name) : name_(std::move(name)) {}
  OperatorListState(const OperatorListState& other) : name_(other.name_) {
    if (OperatorListScope::current() == nullptr) return;
    list_ = std::make_shared<List>();
    list_->name = name_;
    list_->kind = kKind;
    list_->value_type = Serde<T>::TypeName();
    list_->schema = SchemaOf<T>();
    OperatorListScope::current()->push_back(list_);
  }
  OperatorListState& operator=(const OperatorListState&) = delete;

  bool empty() const { return values().empty(); }
  const std::vector<T>& values() const { return Bound().values; }
  std::vector<T>& mutable_values() { return Bound().values; }
  void add(T value) { Bound().values.push_back(std::move(value)); }
  void set(std::vector<T> values) { Bound().values = std::move(values); }
  void clear() { Bound().values.clear(); }

 private:
  struct List final : OperatorList {
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
    bool Add(std::string_view item) override {
      ByteReader in(item);
      T value{};
      if (!Serde<T>::Read(in, value)) return false;
      values.push_back(std::move(value));
      return true;
    }
    std::vector<T> values;
  };
  // Only process() binds lists: elsewhere they would be lost without a word.
  List& Bound() const {
    if (list_ == nullptr) {
      throw std::logic_error("state '" + name_ + "' is in no function of DataStream::process, which alone keeps lists");
    }
    return *list_;
  }

  const std::string name_;
  std::shared_ptr<List> list_;
};

template <class T>
using SplitListState = OperatorListState<T, OperatorStateKind::kSplit>;
template <class T>
using UnionListState = OperatorListState<T, OperatorStateKind::kUnion>;

// The lists a function declares: found by copying it inside a scope.
template <class Fn>
std::vector<StateInfo> ListsOf(const Fn& fn) {
  OperatorLists lists;
  {
    const OperatorListScope scope(lists);
    const Fn copy(fn);
  }
  std::vector<StateInfo> states;
  for (const auto& list : lists) {
    states.push_back({list->name, list->kind == OperatorStateKind::kUnion ? kUnionListKind : kSplitListKind, "",
                      list->value_type, 0, Schema().Encode(), list->schema.Encode()});
  }
  return states;
}

// Beside each list, alike in all subtasks.
inline std::string SchemaNameOf(const OperatorList& list) { return "schema of " + list.name; }

inline void SnapshotLists(const OperatorLists& lists, OperatorStateWriter& state) {
  for (const auto& list : lists) {
    state.Put(list->name, list->kind, list->Write());
    state.Put(SchemaNameOf(*list), OperatorStateKind::kBroadcast, {list->schema.Encode()});
  }
}

inline absl::Status RestoreList(const RestoredState& restored, int64_t now_ms, OperatorList& list) {
  const std::vector<std::string>& items = restored.Items(list.name);
  if (items.empty()) return absl::OkStatus();
  const std::vector<std::string>& schemas = restored.Items(SchemaNameOf(list));
  if (schemas.empty()) return DataLoss("list '{}' was stored without its schema", list.name);
  auto writer = Schema::Decode(schemas.front());
  if (!writer.ok()) return writer.status();
  const bool same = writer->Hash() == list.schema.Hash();
  const std::string was = writer->ToText();
  auto resolver = SchemaResolver::Make(*std::move(writer), list.schema, now_ms);
  if (!resolver.ok()) {
    return InvalidArgument("list '{}' was of {} and is of {}: {}", list.name, was, list.schema.ToText(),
                           MessageOf(resolver.status()));
  }
  ByteWriter converted;
  for (const std::string& item : items) {
    converted.Clear();
    const bool good = same ? list.Add(item) : (*resolver)->Convert(item, converted) && list.Add(converted.view());
    if (!good) return DataLoss("an element of list '{}' does not decode as {}", list.name, was);
  }
  return absl::OkStatus();
}

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_OPERATOR_LISTS_H_
