// What a keyed function sees of its key, of time and of its timers.
#ifndef PENSTOCK_RUNTIME_OPERATORS_KEYED_CONTEXT_H_
#define PENSTOCK_RUNTIME_OPERATORS_KEYED_CONTEXT_H_

#include <stdexcept>
#include <string>
#include <utility>

#include "runtime/operators/collector.h"
#include "runtime/operators/process_context.h"
#include "runtime/record/key_hash.h"
#include "runtime/state/keyed_backend.h"
#include "runtime/state/timer_table.h"

namespace penstock {

// The timers of a keyed function, both kinds.
struct KeyedTimers {
  KeyedTimers(const std::string& uid, const Schema& key)
      : event(Spec(uid, "event-time timers", key)), processing(Spec(uid, "processing-time timers", key)) {}
  static TableSpec Spec(const std::string& uid, std::string name, const Schema& key) {
    return {.uid = uid, .name = std::move(name), .kind = "timers", .namespaced = true, .key = key, .value = {}};
  }
  TimerTable event;
  TimerTable processing;
};

// Valid during the call it was given to. Timers are per key and time: registering one twice is one timer. The function
// that registers them has `void on_timer(TimestampMs time, KeyedContext<K>&, Collector<Out>&)`.
template <class K>
class KeyedContext : public ProcessContext {
 public:
  explicit KeyedContext(OperatorContext* context = nullptr) : ProcessContext(context) {}
  const K& key() const { return *key_; }
  // Milliseconds since the epoch, of the clock that processing-time timers go by.
  TimestampMs processing_time() const { return backend_->clock().NowMs(); }

  // Fires once the watermark has reached the time.
  void register_event_time_timer(TimestampMs time) { Timers().event.Add(time, key_group_, KeyBytes()); }
  void delete_event_time_timer(TimestampMs time) { Timers().event.Remove(time, key_group_, KeyBytes()); }
  // Fires once the wall clock has reached the time.
  void register_processing_time_timer(TimestampMs time) { Timers().processing.Add(time, key_group_, KeyBytes()); }
  void delete_processing_time_timer(TimestampMs time) { Timers().processing.Remove(time, key_group_, KeyBytes()); }

  void set_backend(KeyedBackend* backend, KeyedTimers* timers) {
    backend_ = backend;
    timers_ = timers;
  }
  void set_key(const K& key, uint64_t hash) {
    key_ = &key;
    key_group_ = KeyGroupOf(hash, backend_->key_groups()).value;
  }

 private:
  KeyedTimers& Timers() {
    if (timers_ == nullptr) throw std::logic_error("a timer was registered by a function that has no on_timer");
    return *timers_;
  }
  std::string_view KeyBytes() {
    key_bytes_.Clear();
    Serde<K>::Write(*key_, key_bytes_);
    return key_bytes_.view();
  }

  KeyedBackend* backend_ = nullptr;
  KeyedTimers* timers_ = nullptr;
  const K* key_ = nullptr;
  uint32_t key_group_ = 0;
  ByteWriter key_bytes_;
};

template <class Fn, class K, class Out>
concept HasOnTimer = requires(Fn& fn, KeyedContext<K>& context, Collector<Out>& out) {
  fn.on_timer(TimestampMs{}, context, out);
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_KEYED_CONTEXT_H_
