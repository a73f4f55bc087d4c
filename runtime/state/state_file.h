// StateFile: the immutable bytes of a part of a snapshot, wherever they lie; and SpillBuffer, in which one grows.
//
// StateFile: thread-safe, shared by the chain of snapshots, uploads in flight and merges; one that was written here
// frees its memory or local file with the last reference. Names are unique over all files of a job.
#ifndef PENSTOCK_RUNTIME_STATE_STATE_FILE_H_
#define PENSTOCK_RUNTIME_STATE_STATE_FILE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace penstock {

class StateFile {
 public:
  virtual ~StateFile() = default;
  const std::string& name() const { return name_; }
  int64_t size_bytes() const { return size_bytes_; }
  uint64_t checksum() const { return checksum_; }  // XXH3-64 of all bytes

  // Exactly these bytes, or DataLoss when the file ends before them.
  virtual absl::StatusOr<std::string> Read(int64_t offset, int64_t size) const = 0;
  // Where it lies as a file of its own on this machine; empty: nowhere.
  virtual std::string local_path() const { return {}; }
  // Where it lies as a file of its own that is reachable, but not this machine's to trust: once its checksum has been
  // looked at, a link to it is as good as a copy. Its bytes never change. Empty: nowhere.
  virtual std::string shared_path() const { return {}; }
  // What it holds of this process's memory.
  virtual int64_t memory_bytes() const { return 0; }

 protected:
  StateFile(std::string name, int64_t size_bytes, uint64_t checksum)
      : name_(std::move(name)), size_bytes_(size_bytes), checksum_(checksum) {}
  absl::Status CheckRange(int64_t offset, int64_t size) const;

 private:
  const std::string name_;
  const int64_t size_bytes_;
  const uint64_t checksum_;
};

using StateFilePtr = std::shared_ptr<const StateFile>;

// Bytes in memory; for tests and small things.
StateFilePtr MakeMemoryStateFile(std::string name, std::string bytes);
// A file on this machine. `owned`: it is deleted with the last reference.
StateFilePtr MakeLocalStateFile(std::string name, std::string path, int64_t size_bytes, uint64_t checksum, bool owned);
// The same, for a file of unknown checksum: reads it through once.
absl::StatusOr<StateFilePtr> OpenLocalStateFile(std::string name, const std::string& path, bool owned);

// A state file being written: memory at first, beyond `memory_bound_bytes` a local file `directory`/`name` (without a
// directory: memory without end). One thread.
class SpillBuffer {
 public:
  SpillBuffer(std::string name, std::string directory, int64_t memory_bound_bytes);
  SpillBuffer(SpillBuffer&& other) noexcept;
  ~SpillBuffer();

  absl::Status Append(std::string_view bytes);
  int64_t size_bytes() const { return size_bytes_; }
  absl::StatusOr<StateFilePtr> Seal();

 private:
  absl::Status Spill();

  const std::string name_;
  const std::string directory_;
  const int64_t memory_bound_bytes_;
  struct Checksum;
  std::unique_ptr<Checksum> checksum_;
  std::vector<std::string> chunks_;
  int64_t size_bytes_ = 0;
  int fd_ = -1;
  std::string path_;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_STATE_STATE_FILE_H_
