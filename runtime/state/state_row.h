// The states of one key of a keyed function, laid out as one row, so that a record costs one lookup however many there
// are: the layout, the row, its encoding, and how states find the row at hand.
//
// A row is written as a struct of optionals named like the states, so that a function may gain and lose states.
// Owner: the task's thread.
#ifndef PENSTOCK_RUNTIME_STATE_STATE_ROW_H_
#define PENSTOCK_RUNTIME_STATE_STATE_ROW_H_

#include <chrono>
#include <cstddef>
#include <cstring>
#include <functional>
#include <memory>
#include <new>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "runtime/record/serde.h"
#include "runtime/state/heap_bytes.h"
#include "runtime/state/schema.h"
#include "runtime/state/table.h"

namespace penstock {

// How long a state lives, in processing time. An expired value is never seen again.
struct Ttl {
  enum class Refresh { kOnCreateAndWrite, kOnReadAndWrite };
  std::chrono::milliseconds duration{0};  // 0: for ever
  Refresh refresh = Refresh::kOnCreateAndWrite;
};
inline constexpr Ttl::Refresh on_create_and_write = Ttl::Refresh::kOnCreateAndWrite;
inline constexpr Ttl::Refresh on_read_and_write = Ttl::Refresh::kOnReadAndWrite;

// The states one function declares, and where each lies in a row. Outlives its rows.
class RowLayout {
 public:
  struct Cell {
    std::string name;
    std::string kind;
    std::string value_type;
    Schema schema;
    Ttl ttl;
    size_t offset = 0;        // of the std::optional<V>
    size_t since_offset = 0;  // with TTL: of the i64 its life began
    void (*construct)(void*) = nullptr;
    void (*destroy)(void*) = nullptr;
    bool (*has_value)(const void*) = nullptr;
    void (*write)(const void*, ByteWriter&) = nullptr;
    bool (*read)(ByteReader&, void*) = nullptr;
    size_t (*heap_bytes)(const void*) = nullptr;

    bool expires() const { return ttl.duration.count() > 0; }
  };
  // The position of the new cell.
  template <class V>
  size_t Add(const std::string& name, const char* kind, Ttl ttl) {
    using Slot = std::optional<V>;
    static_assert(alignof(Slot) <= __STDCPP_DEFAULT_NEW_ALIGNMENT__, "penstock: over-aligned state is not supported");
    Cell cell;
    cell.name = name;
    cell.kind = kind;
    cell.value_type = Serde<V>::TypeName();
    cell.schema = SchemaOf<V>();
    cell.ttl = ttl;
    if (cell.expires()) cell.since_offset = Reserve(sizeof(int64_t), alignof(int64_t));
    cell.offset = Reserve(sizeof(Slot), alignof(Slot));
    cell.construct = [](void* at) { new (at) Slot(); };
    cell.destroy = [](void* at) { static_cast<Slot*>(at)->~Slot(); };
    cell.has_value = [](const void* at) { return static_cast<const Slot*>(at)->has_value(); };
    cell.write = [](const void* at, ByteWriter& out) { Serde<V>::Write(**static_cast<const Slot*>(at), out); };
    cell.read = [](ByteReader& in, void* at) { return Serde<V>::Read(in, static_cast<Slot*>(at)->emplace()); };
    cell.heap_bytes = [](const void* at) { return HeapBytes(*static_cast<const Slot*>(at)); };
    cells_.push_back(std::move(cell));
    return cells_.size() - 1;
  }
  const std::vector<Cell>& cells() const { return cells_; }
  size_t size_bytes() const { return size_bytes_; }
  bool expires() const {
    for (const Cell& cell : cells_) {
      if (cell.expires()) return true;
    }
    return false;
  }
  Schema RowSchema() const {
    std::vector<std::pair<std::string, Schema>> members;
    for (const Cell& cell : cells_) {
      Schema value = cell.schema;
      if (cell.expires()) value = Wrap(TypeKind::kTimed, std::move(value), {});
      members.emplace_back(cell.name, Wrap(TypeKind::kOptional, std::move(value), std::string(1, '\0')));
    }
    return Schema::Struct(std::move(members));
  }

 private:
  static Schema Wrap(TypeKind kind, Schema inner, std::string default_bytes) {
    Schema schema;
    schema.kind = kind;
    schema.default_bytes = std::move(default_bytes);
    schema.children.push_back(std::move(inner));
    return schema;
  }
  size_t Reserve(size_t bytes, size_t alignment) {
    const size_t offset = (size_bytes_ + alignment - 1) / alignment * alignment;
    size_bytes_ = offset + bytes;
    return offset;
  }

  std::vector<Cell> cells_;
  size_t size_bytes_ = 0;
};

class StateRow {
 public:
  StateRow() = default;
  explicit StateRow(const RowLayout& layout) : layout_(&layout), memory_(new std::byte[layout.size_bytes()]) {
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
  bool empty() const {
    for (const RowLayout::Cell& cell : layout_->cells()) {
      if (cell.has_value(memory_.get() + cell.offset)) return false;
    }
    return true;
  }

 private:
  void Destroy() {
    if (memory_ == nullptr) return;
    for (const RowLayout::Cell& cell : layout_->cells()) cell.destroy(memory_.get() + cell.offset);
    memory_.reset();
  }

  const RowLayout* layout_ = nullptr;
  std::unique_ptr<std::byte[]> memory_;
};

// How rows become bytes: for each state in order a byte 0 or 1, then [i64 since, with TTL], value.
class RowCodec {
 public:
  explicit RowCodec(const RowLayout& layout) : layout_(&layout) {}
  StateRow Make() const { return StateRow(*layout_); }
  void Write(const StateRow& row, ByteWriter& out) const {
    for (const RowLayout::Cell& cell : layout_->cells()) {
      const std::byte* const at = row.memory() + cell.offset;
      const bool present = cell.has_value(at);
      out.PutByte(present ? 1 : 0);
      if (!present) continue;
      if (cell.expires()) out.Put(row.memory() + cell.since_offset, sizeof(int64_t));
      cell.write(at, out);
    }
  }
  bool Read(ByteReader& in, StateRow& row) const {
    for (const RowLayout::Cell& cell : layout_->cells()) {
      bool present = false;
      if (!Serde<bool>::Read(in, present)) return false;
      if (!present) continue;
      int64_t since_ms = 0;
      if (cell.expires() && !in.GetFixed(since_ms)) return false;
      if (cell.expires()) std::memcpy(row.memory() + cell.since_offset, &since_ms, sizeof since_ms);
      if (!cell.read(in, row.memory() + cell.offset)) return false;
    }
    return true;
  }
  // When the last of its values expires; 0: one never does.
  int64_t ExpiresMs(const StateRow& row) const {
    int64_t expires_ms = 1;
    for (const RowLayout::Cell& cell : layout_->cells()) {
      if (!cell.has_value(row.memory() + cell.offset)) continue;
      if (!cell.expires()) return 0;
      int64_t since_ms = 0;
      std::memcpy(&since_ms, row.memory() + cell.since_offset, sizeof since_ms);
      expires_ms = std::max<int64_t>(expires_ms, since_ms + cell.ttl.duration.count());
    }
    return expires_ms;
  }
  size_t HeapBytesOf(const StateRow& row) const {
    size_t bytes = layout_->size_bytes();
    for (const RowLayout::Cell& cell : layout_->cells()) bytes += cell.heap_bytes(row.memory() + cell.offset);
    return bytes;
  }

 private:
  const RowLayout* layout_;
};

// Reads one key of the stream and forgets it.
using SkipKey = bool (*)(ByteReader& in);

// A map a function declares: its table is made when the operator opens, with uid, name and key type in the spec.
struct MapDeclaration {
  std::string name;
  std::string value_type;
  Schema key_schema;  // of the map's own keys
  Schema value_schema;
  Ttl ttl;
  std::function<std::unique_ptr<TableBase>(TableSpec spec, SkipKey skip_key)> make;
  void (*leave)(TableBase& table, uint32_t slot) = nullptr;  // the key's handling is over

  std::unique_ptr<TableBase> table;
  std::optional<uint32_t> slot;  // of the key at hand, once it was asked for
};

// What a function's states are bound to: the layout they made, and the row of the key at hand.
struct StateFrame {
  RowLayout layout;
  std::vector<MapDeclaration> maps;

  // ---- of the key at hand ----
  std::byte* row = nullptr;
  bool changed = false;  // the row, since it was put here
  int64_t now_ms = 0;    // wall clock, when a state has a TTL
  uint64_t hash = 0;
  const void* key = nullptr;
  void (*write_key)(const void* key, ByteWriter& out) = nullptr;
  ByteWriter key_scratch;

  std::string_view KeyBytes() {
    key_scratch.Clear();
    write_key(key, key_scratch);
    return key_scratch.view();
  }
  bool expires() const {
    for (const MapDeclaration& map : maps) {
      if (map.ttl.duration.count() > 0) return true;
    }
    return layout.expires();
  }
};

[[noreturn]] inline void ThrowNoKey(const std::string& name) {
  throw std::logic_error("state '" + name +
                         "' was used where no key is at hand: it belongs to the key of the record or "
                         "timer that a keyed function handles");
}

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

// A state's cell in the row at hand. Copied inside a StateScope it registers.
template <class V>
class RowCell {
  static_assert(!kIsView<V>, "penstock: state must own its bytes: keep a std::string, not a view");

 public:
  RowCell(std::string name, const char* kind, Ttl ttl) : name_(std::move(name)), kind_(kind), ttl_(ttl) {}
  RowCell(const RowCell& other)
      : name_(other.name_), kind_(other.kind_), ttl_(other.ttl_), frame_(StateScope::current()) {
    if (frame_ == nullptr) return;
    const RowLayout::Cell& cell = frame_->layout.cells()[frame_->layout.template Add<V>(name_, kind_, ttl_)];
    offset_ = cell.offset;
    since_offset_ = cell.since_offset;
  }
  RowCell& operator=(const RowCell&) = delete;

  // For reading; empty when there is no value or it has expired.
  const std::optional<V>& Read() const {
    std::optional<V>& slot = Slot();
    if (ttl_.duration.count() > 0 && slot.has_value()) {
      if (Expired()) {
        slot.reset();
        frame_->changed = true;
      } else if (ttl_.refresh == Ttl::Refresh::kOnReadAndWrite) {
        Renew();
        frame_->changed = true;
      }
    }
    return slot;
  }
  // For changing.
  std::optional<V>& Write() {
    std::optional<V>& slot = Slot();
    frame_->changed = true;
    if (ttl_.duration.count() > 0) {
      if (slot.has_value() && Expired()) slot.reset();
      Renew();
    }
    return slot;
  }

 private:
  std::optional<V>& Slot() const {
    if (frame_ == nullptr || frame_->row == nullptr) [[unlikely]]
      ThrowNoKey(name_);
    return *reinterpret_cast<std::optional<V>*>(frame_->row + offset_);
  }
  bool Expired() const {
    int64_t since_ms = 0;
    std::memcpy(&since_ms, frame_->row + since_offset_, sizeof since_ms);
    return since_ms + ttl_.duration.count() <= frame_->now_ms;
  }
  void Renew() const { std::memcpy(frame_->row + since_offset_, &frame_->now_ms, sizeof frame_->now_ms); }

  const std::string name_;
  const char* const kind_;
  const Ttl ttl_;
  std::shared_ptr<StateFrame> frame_;
  size_t offset_ = 0;
  size_t since_offset_ = 0;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_STATE_STATE_ROW_H_
