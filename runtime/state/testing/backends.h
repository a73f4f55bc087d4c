// The backends the conformance suite runs over, with options that make everything happen often.
#ifndef PENSTOCK_RUNTIME_STATE_TESTING_BACKENDS_H_
#define PENSTOCK_RUNTIME_STATE_TESTING_BACKENDS_H_

#include <stdlib.h>

#include <filesystem>
#include <string>
#include <vector>

#include "runtime/state/keyed_backend.h"

namespace penstock::state_testing {

enum class BackendKind { kHashmap };

inline std::vector<BackendKind> AllBackends() { return {BackendKind::kHashmap}; }
inline const char* Name(BackendKind) { return "hashmap"; }
inline uint32_t Rounds(BackendKind) { return 40; }

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
    return options;
  }
  BackendKind kind() const { return kind_; }
  const std::string& directory() const { return directory_; }

  bool track_changes = true;

 private:
  const BackendKind kind_;
  std::string directory_;
  int made_ = 0;
};

}  // namespace penstock::state_testing

#endif  // PENSTOCK_RUNTIME_STATE_TESTING_BACKENDS_H_
