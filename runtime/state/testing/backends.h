// The backends the conformance suite runs over, with options that make everything happen often.
#ifndef PENSTOCK_RUNTIME_STATE_TESTING_BACKENDS_H_
#define PENSTOCK_RUNTIME_STATE_TESTING_BACKENDS_H_

#include <stdlib.h>

#include <filesystem>
#include <string>
#include <vector>

#include "runtime/state/keyed_backend.h"
#include "runtime/state/rocks_tier.h"

namespace penstock::state_testing {

// kMoving: every task made is of the other kind, so that each reads what the other wrote. kRoomy: RocksDB with room for
// everything in memory, in every second task.
enum class BackendKind { kHashmap, kRocksdb, kMoving, kRoomy };

inline std::vector<BackendKind> AllBackends() {
  return {BackendKind::kHashmap, BackendKind::kRocksdb, BackendKind::kMoving, BackendKind::kRoomy};
}
inline const char* Name(BackendKind kind) {
  const char* const names[] = {"hashmap", "rocksdb", "moving", "roomy"};
  return names[static_cast<int>(kind)];
}
inline uint32_t Rounds(BackendKind kind) { return kind == BackendKind::kHashmap ? 40 : 5; }

class BackendMaker {
 public:
  explicit BackendMaker(BackendKind kind) : kind_(kind) {
    char path[] = "/tmp/penstock-state-XXXXXX";
    directory_ = mkdtemp(path);
  }
  ~BackendMaker() { std::filesystem::remove_all(directory_); }
  BackendMaker(const BackendMaker&) = delete;
  BackendMaker& operator=(const BackendMaker&) = delete;

  KeyedBackendOptions Options(KeyGroupRange range, uint32_t key_groups) {
    KeyedBackendOptions options;
    options.range = range;
    options.key_groups = key_groups;
    options.file_prefix = "task-" + std::to_string(++made_);
    options.local_directory = directory_;
    options.segment_memory_bytes = 4096;
    options.dirty_entries_max = 32;
    options.chain_replay_ms_max = made_ % 3 == 0 ? 1000 : -1;  // -1: the base is renewed all the time
    options.track_changes = track_changes;
    const bool moved = kind_ == BackendKind::kMoving && made_ % 2 == 0;
    if (kind_ == BackendKind::kHashmap || moved) return options;
    RocksOptions rocks;
    rocks.directory = directory_ + "/" + options.file_prefix;
    rocks.file_prefix = options.file_prefix;
    rocks.range = range;
    rocks.key_groups = key_groups;
    rocks.write_buffer_bytes = 64 << 10;
    if (resources_ == nullptr) resources_ = MakeRocksResources(8 << 20, 8 << 20);
    rocks.resources = resources_;
    options.cold = MakeRocksTier(std::move(rocks));
    options.hot_bytes_max = kind_ == BackendKind::kRoomy && made_ % 2 == 1 ? 0 : hot_bytes_max;
    return options;
  }
  BackendKind kind() const { return kind_; }
  const std::string& directory() const { return directory_; }

  bool track_changes = true;
  int64_t hot_bytes_max = 20'000;

 private:
  std::shared_ptr<RocksResources> resources_;
  const BackendKind kind_;
  std::string directory_;
  int made_ = 0;
};

}  // namespace penstock::state_testing

#endif  // PENSTOCK_RUNTIME_STATE_TESTING_BACKENDS_H_
