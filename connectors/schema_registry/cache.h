// What a client has learned of a registry: schemas by id, ids by subject and schema, ids that nobody knows.
//
// Thread-safe. A schema's id never changes its meaning, so nothing here gets old but what was unknown.
#ifndef PENSTOCK_CONNECTORS_SCHEMA_REGISTRY_CACHE_H_
#define PENSTOCK_CONNECTORS_SCHEMA_REGISTRY_CACHE_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "penstock/schema_registry/client.h"
#include "runtime/core/mutex.h"

namespace penstock::schema_registry {

class Cache {
 public:
  std::optional<SchemaText> ById(int id) const ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    const auto found = by_id_.find(id);
    return found == by_id_.end() ? std::nullopt : std::optional(found->second);
  }
  void Put(int id, const SchemaText& schema) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    if (by_id_.size() >= Client::kCachedMax) by_id_.clear();
    by_id_[id] = schema;
    unknown_.erase(id);
  }

  std::optional<int> IdOf(const std::string& subject, const SchemaText& schema) const ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    const auto found = ids_.find({subject, schema.text});
    return found == ids_.end() ? std::nullopt : std::optional(found->second);
  }
  void PutId(const std::string& subject, const SchemaText& schema, int id) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    if (ids_.size() >= Client::kCachedMax) ids_.clear();
    ids_[{subject, schema.text}] = id;
  }

  // It was unknown a short while ago.
  bool IsUnknown(int id, int64_t now_ms) const ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    const auto found = unknown_.find(id);
    return found != unknown_.end() && now_ms < found->second;
  }
  // Some id was: bytes that are no ids at all come in numbers, and must not cost several tries each.
  bool HadUnknown(int64_t now_ms) const ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    return now_ms < last_unknown_until_ms_;
  }
  void PutUnknown(int id, int64_t now_ms) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    if (unknown_.size() >= Client::kCachedMax) unknown_.clear();
    unknown_[id] = last_unknown_until_ms_ = now_ms + Client::kUnknownAgainMs;
  }

 private:
  mutable Mutex mutex_;
  std::map<int, SchemaText> by_id_ ABSL_GUARDED_BY(mutex_);
  std::map<std::pair<std::string, std::string>, int> ids_ ABSL_GUARDED_BY(mutex_);
  std::map<int, int64_t> unknown_ ABSL_GUARDED_BY(mutex_);  // until when it is not asked for
  int64_t last_unknown_until_ms_ ABSL_GUARDED_BY(mutex_) = -1;
};

}  // namespace penstock::schema_registry

#endif  // PENSTOCK_CONNECTORS_SCHEMA_REGISTRY_CACHE_H_
