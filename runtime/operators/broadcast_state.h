// BroadcastState<K, V>: a map that every subtask keeps a copy of, written by the elements of a broadcast stream and
// read by those of the other one. A member of a function that is given to stream.connect(other.broadcast()).process.
//
// Writing takes the context of process_broadcast: nothing else can write, so that the copies stay alike (as long as
// what is written depends on the broadcast element and on the state alone). Every subtask hands its copy in; after a
// restore each begins with one, its own where it has one. Entries are in order of their keys. Owner: the task's thread.
// In memory, written as a whole at each barrier: for thousands of entries.
#ifndef PENSTOCK_RUNTIME_OPERATORS_BROADCAST_STATE_H_
#define PENSTOCK_RUNTIME_OPERATORS_BROADCAST_STATE_H_

#include <concepts>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/operators/plain_state.h"
#include "runtime/operators/process_context.h"
#include "runtime/state/heap_bytes.h"

namespace penstock {

// What process_broadcast gets: a context, and the licence to write broadcast state. Valid during that call.
class BroadcastContext : public ProcessContext {
 public:
  using ProcessContext::ProcessContext;
};

template <class K, class V>
class BroadcastState {
  static_assert(!kIsView<K> && !kIsView<V>, "penstock: state must own its bytes: keep a std::string, not a view");
  static_assert(
      requires(const K& a, const K& b) {
        { a < b } -> std::convertible_to<bool>;
      },
      "penstock: the keys of broadcast state must have operator<");

 public:
  explicit BroadcastState(std::string name) : name_(std::move(name)) {}
  BroadcastState(const BroadcastState& other) : name_(other.name_) {
    if (PlainStateScope::current() == nullptr) return;
    map_ = std::make_shared<Map>();
    map_->name = name_;
    map_->kind = OperatorStateKind::kBroadcast;
    map_->key_type = Serde<K>::TypeName();
    map_->value_type = Serde<V>::TypeName();
    map_->key = SchemaOf<K>();
    map_->value = SchemaOf<V>();
    PlainStateScope::current()->push_back(map_);
  }
  BroadcastState& operator=(const BroadcastState&) = delete;

  // ---- anywhere in the function ----
  bool empty() const { return values().empty(); }
  size_t size() const { return values().size(); }
  bool contains(const K& key) const { return values().contains(key); }
  std::optional<V> get(const K& key) const {
    const V* const value = find(key);
    return value == nullptr ? std::nullopt : std::optional<V>(*value);
  }
  // nullptr: none. Good until the entry is written or removed.
  const V* find(const K& key) const {
    const auto found = values().find(key);
    return found == values().end() ? nullptr : &found->second;
  }
  const std::map<K, V>& values() const { return Bound().values; }

  // ---- in process_broadcast ----
  void put(BroadcastContext&, const K& key, V value) { Bound().values.insert_or_assign(key, std::move(value)); }
  void remove(BroadcastContext&, const K& key) { Bound().values.erase(key); }
  void clear(BroadcastContext&) { Bound().values.clear(); }
  std::map<K, V>& mutable_values(BroadcastContext&) { return Bound().values; }

 private:
  struct Map final : PlainState {
    std::vector<std::string> Write() const override {
      std::vector<std::string> items;
      items.reserve(values.size());
      ByteWriter key_bytes;
      for (const auto& [key, value] : values) {
        key_bytes.Clear();
        Serde<K>::Write(key, key_bytes);
        ByteWriter out;
        out.PutVarint(key_bytes.view().size());
        out.Put(key_bytes.view().data(), key_bytes.view().size());
        Serde<V>::Write(value, out);
        items.emplace_back(out.view());
      }
      return items;
    }
    bool Add(std::string_view key_bytes, std::string_view value_bytes) override {
      ByteReader key_in(key_bytes);
      ByteReader value_in(value_bytes);
      K key{};
      V value{};
      const bool good = Serde<K>::Read(key_in, key) && key_in.remaining() == 0 && Serde<V>::Read(value_in, value) &&
                        value_in.remaining() == 0;
      if (good) values.insert_or_assign(std::move(key), std::move(value));
      return good;
    }
    size_t MemoryBytes() const override { return HeapBytes(values); }
    std::map<K, V> values;
  };
  Map& Bound() const {
    if (map_ == nullptr) ThrowUnbound(name_);
    return *map_;
  }

  const std::string name_;
  std::shared_ptr<Map> map_;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_BROADCAST_STATE_H_
