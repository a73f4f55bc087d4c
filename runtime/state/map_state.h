// MapState<K, V>: a map per key of the stream, a member of a keyed function like ValueState. Its entries are persisted
// one by one, and have their TTL one by one; a key's map is in memory as a whole while the key is handled.
#ifndef PENSTOCK_RUNTIME_STATE_MAP_STATE_H_
#define PENSTOCK_RUNTIME_STATE_MAP_STATE_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/state/map_table.h"
#include "runtime/state/state_row.h"

namespace penstock {

template <class MK, class MV>
class MapState {
  static_assert(!kIsView<MK> && !kIsView<MV>, "penstock: state must own its bytes: keep a std::string, not a view");
  using Table = MapTable<MK, MV>;

 public:
  explicit MapState(std::string name, Ttl ttl = {}) : name_(std::move(name)), ttl_(ttl) {}
  MapState(const MapState& other) : name_(other.name_), ttl_(other.ttl_), frame_(StateScope::current()) {
    if (frame_ == nullptr) return;
    index_ = frame_->maps.size();
    MapDeclaration declaration;
    declaration.name = name_;
    declaration.value_type = Serde<MK>::TypeName() + "," + Serde<MV>::TypeName();
    declaration.key_schema = SchemaOf<MK>();
    declaration.value_schema = SchemaOf<MV>();
    declaration.ttl = ttl_;
    declaration.make = [ttl = ttl_](TableSpec spec, SkipKey skip_key) -> std::unique_ptr<TableBase> {
      spec.expires = ttl.duration.count() > 0;
      spec.key = Schema::Struct({{"key", std::move(spec.key)}, {"map_key", SchemaOf<MK>()}});
      spec.value = SchemaOf<MV>();
      return std::make_unique<Table>(std::move(spec), skip_key);
    };
    declaration.leave = [](TableBase& table, uint32_t slot) { static_cast<Table&>(table).DropIfEmpty(slot); };
    frame_->maps.push_back(std::move(declaration));
  }
  MapState& operator=(const MapState&) = delete;

  std::optional<MV> get(const MK& key) const {
    const auto* item = Find(key);
    return item == nullptr ? std::nullopt : std::optional<MV>(item->value);
  }
  bool contains(const MK& key) const { return Find(key) != nullptr; }
  void put(const MK& key, MV value) { table().Put(Slot(), key, std::move(value), ExpiresMs()); }
  // The value itself, made when there is none.
  MV& mutable_value(const MK& key) {
    if (const auto* item = Find(key); item == nullptr) table().Remove(Slot(), key);  // an expired one begins anew
    return table().Edit(Slot(), key, ExpiresMs());
  }
  void remove(const MK& key) { table().Remove(Slot(), key); }
  void clear() { table().Clear(Slot()); }
  // fn(const MK&, const MV&) for each entry, in order of the map's keys. fn must not change this map.
  template <class Fn>
  void for_each(Fn&& fn) const {
    std::vector<MK> read;
    for (const auto& [key, item] : table().items(Slot())) {
      if (Expired(item)) continue;
      fn(key, item.value);
      if (RenewsOnRead()) read.push_back(key);
    }
    for (const MK& key : read) table().Renew(Slot(), key, ExpiresMs());
  }
  // Of those with from <= key <= to. fn must not change this map.
  template <class Fn>
  void for_each_between(const MK& from, const MK& to, Fn&& fn) const {
    const auto& items = table().items(Slot());
    for (auto it = items.lower_bound(from); it != items.end() && !(to < it->first); ++it) {
      if (!Expired(it->second)) fn(it->first, it->second.value);
    }
  }
  // The smallest key there is, or none.
  std::optional<MK> first_key() const {
    for (const auto& [key, item] : table().items(Slot())) {
      if (!Expired(item)) return key;
    }
    return std::nullopt;
  }
  // The largest key that is not above `key`, or none.
  std::optional<MK> last_key_up_to(const MK& key) const {
    const auto& items = table().items(Slot());
    for (auto it = items.upper_bound(key); it != items.begin();) {
      if (!Expired((--it)->second)) return it->first;
    }
    return std::nullopt;
  }
  // Removes those with keys up to `key`.
  void remove_up_to(const MK& key) {
    Table& own = table();
    const uint32_t slot = Slot();
    for (auto it = own.items(slot).begin(); it != own.items(slot).end() && !(key < it->first);) {
      const MK gone = (it++)->first;
      own.Remove(slot, gone);
    }
  }
  bool empty() const { return size() == 0; }
  size_t size() const {
    size_t count = 0;
    for (const auto& [key, item] : table().items(Slot())) count += Expired(item) ? 0 : 1;
    return count;
  }

 private:
  bool RenewsOnRead() const { return ttl_.duration.count() > 0 && ttl_.refresh == Ttl::Refresh::kOnReadAndWrite; }
  bool Expired(const typename Table::Item& item) const {
    return item.expires_ms != 0 && item.expires_ms <= frame_->now_ms;
  }
  int64_t ExpiresMs() const { return ttl_.duration.count() > 0 ? frame_->now_ms + ttl_.duration.count() : 0; }
  const typename Table::Item* Find(const MK& key) const {
    Table& own = table();
    const uint32_t slot = Slot();
    const auto& items = own.items(slot);
    const auto found = items.find(key);
    if (found == items.end() || Expired(found->second)) return nullptr;
    if (RenewsOnRead()) own.Renew(slot, key, ExpiresMs());
    return &found->second;
  }
  Table& table() const {
    if (frame_ == nullptr || frame_->row == nullptr) [[unlikely]]
      ThrowNoKey(name_);
    return static_cast<Table&>(*frame_->maps[index_].table);
  }
  // The box of the key at hand, looked up once per record.
  uint32_t Slot() const {
    std::optional<uint32_t>& slot = frame_->maps[index_].slot;
    if (!slot) slot = table().BoxOf(frame_->hash, frame_->KeyBytes());
    return *slot;
  }

  const std::string name_;
  const Ttl ttl_;
  std::shared_ptr<StateFrame> frame_;
  size_t index_ = 0;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_STATE_MAP_STATE_H_
