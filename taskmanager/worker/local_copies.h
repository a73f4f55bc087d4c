// Copies of state files on this machine that outlive a worker's process: what the next attempt reads instead of
// storage.
//
// A hard link where the file lies on the same disk, else a copy; its name has the file's name, size and checksum, and a
// copy counts only if they are those in the manifest (protocols.md C7). Copies count until the machine is started anew:
// nothing is synced. Who reads one checks its bytes, but for RocksDB's tables, which are large and have checksums of
// their own in each block; a task that finds damage has all copies dropped. What goes wrong here costs speed, never a
// checkpoint. Owner: the uploader's thread. Limits: what the newest kCheckpointsMax checkpoints need.
#ifndef PENSTOCK_TASKMANAGER_WORKER_LOCAL_COPIES_H_
#define PENSTOCK_TASKMANAGER_WORKER_LOCAL_COPIES_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "runtime/state/state_file.h"

namespace penstock::worker {

class LocalCopies {
 public:
  static constexpr size_t kCheckpointsMax = 4;

  // directory: of the job on this machine; empty: no copies are made.
  explicit LocalCopies(const std::string& directory);

  // Where the copy of that file would be; empty: nowhere.
  static std::string PathOf(const std::string& directory, const StateFile& file);
  // Whether its blocks have checksums that whoever reads them checks.
  static bool ChecksItself(const StateFile& file) { return file.name().ends_with(".sst"); }

  // The files that a restore of this checkpoint would read. Ids grow.
  void Keep(uint64_t checkpoint_id, const std::vector<StateFilePtr>& files);
  // Nothing older will be restored: copies that only older checkpoints need go, and those of earlier attempts.
  void OnDecided(uint64_t checkpoint_id);

 private:
  absl::Status Copy(const StateFile& file, const std::string& path) const;
  void DeleteUnneeded();

  const std::string base_;
  const std::string directory_;                       // in base_, of this boot of the machine
  std::map<uint64_t, std::set<std::string>> needed_;  // paths by checkpoint
  bool complained_ = false;
};

}  // namespace penstock::worker

#endif  // PENSTOCK_TASKMANAGER_WORKER_LOCAL_COPIES_H_
