// Puts the files of keyed state into checkpoint storage, each once, and finds them again.
//
// A segment lies in the one object that a worker writes for a checkpoint, a file of a base is an object of its own
// (protocols.md C8). Owner: the uploader's thread, but for WriteBase.
#ifndef PENSTOCK_TASKMANAGER_WORKER_STATE_UPLOAD_H_
#define PENSTOCK_TASKMANAGER_WORKER_STATE_UPLOAD_H_

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/checkpoint.pb.h"
#include "runtime/core/storage/storage.h"
#include "runtime/state/chain.h"

namespace penstock::worker {

// Where bytes lie in the storage. As text in a handle: "<offset> <object's size> <object>".
struct StateLocation {
  std::string object;
  int64_t offset = 0;
  int64_t object_bytes = 0;

  std::string Encode() const;
  static bool Decode(const std::string& text, StateLocation* location);
};

// A file that lies in the storage already. copies_dir: of LocalCopies, whose copy is read instead if it is whole.
absl::StatusOr<StateFilePtr> OpenStoredFile(std::shared_ptr<Storage> storage, const std::string& name,
                                            int64_t size_bytes, uint64_t checksum, const std::string& location,
                                            const std::string& copies_dir = "");

class StateUpload {
 public:
  // prefix: of all objects of this worker's generation, such as "jobs/x/data/<generation>/w0".
  StateUpload(std::shared_ptr<Storage> storage, std::string prefix)
      : storage_(std::move(storage)), prefix_(std::move(prefix)) {}

  // Of those that are not durable yet.
  int64_t MissingBytes(const std::vector<StateFilePtr>& files) const;
  // Those of the files that are not durable yet. The storage's error: nothing counts then.
  absl::Status Upload(uint64_t checkpoint_id, const std::vector<StateFilePtr>& files);

  // A base in three steps, because it may be long: what of it is missing; written by any one thread, while checkpoints
  // are uploaded here; known from then on.
  using Locations = std::map<std::string, StateLocation>;  // by file name
  std::vector<StateFilePtr> MissingOf(const ChainPart& base) const;
  absl::StatusOr<Locations> WriteBase(const std::vector<StateFilePtr>& missing) const;
  void AddBase(Locations written);

  // REQUIRES: every file of the snapshot is durable. Adds the objects it needs.
  std::string Encode(const KeyedSnapshot& snapshot, std::set<std::string>* objects) const;
  // REQUIRES: the file is durable.
  const StateLocation& LocationOf(const StateFile& file) const { return *Find(file); }
  // Forgets all locations but those of these files and of bases that no snapshot has used yet.
  void Retain(const std::vector<StateFilePtr>& files);

 private:
  const StateLocation* Find(const StateFile& file) const;

  const std::shared_ptr<Storage> storage_;
  const std::string prefix_;
  std::map<std::string, StateLocation> durable_;  // by file name
  std::set<std::string> fresh_;                   // files of bases that stand in no snapshot yet
};

}  // namespace penstock::worker

#endif  // PENSTOCK_TASKMANAGER_WORKER_STATE_UPLOAD_H_
