// Uploaded job programs and bundles, as files named by their SHA-256 in one directory.
//
// An upload may break and go on: what has come stays as `<digest>.part`, and its size is where the next piece begins.
// A newer upload of the same digest takes over; the older one is refused at its next write. The digest is checked
// before a program counts as stored; a wrong one is removed. Thread-safe.
#ifndef PENSTOCK_JOBMANAGER_REST_PROGRAM_STORE_H_
#define PENSTOCK_JOBMANAGER_REST_PROGRAM_STORE_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "jobmanager/rpc/gateways.h"
#include "runtime/core/mutex.h"

namespace penstock::jobmanager {

class ProgramStore;

// One piece of an upload. Not thread-safe. The store outlives it.
class ProgramUpload {
 public:
  ~ProgramUpload();
  ProgramUpload(const ProgramUpload&) = delete;
  ProgramUpload& operator=(const ProgramUpload&) = delete;

  // Aborted: another upload of the program has taken over. ResourceExhausted: more than announced.
  absl::Status Write(std::string_view bytes);
  // True once the program is stored; false when more is to come. DataLoss: the bytes have another digest.
  absl::StatusOr<bool> Finish();
  int64_t offset() const { return offset_; }

 private:
  friend class ProgramStore;
  ProgramUpload(ProgramStore* store, std::string digest, uint64_t generation, int64_t offset, int64_t total, int fd);

  ProgramStore* const store_;
  const std::string digest_;
  const uint64_t generation_;
  const int64_t total_;
  int64_t offset_;
  const int fd_;
};

class ProgramStore final : public ProgramSource {
 public:
  // Makes the directory. PermissionDenied when it can't be written.
  static absl::StatusOr<std::unique_ptr<ProgramStore>> Open(const std::string& directory, int64_t program_bytes_max);

  absl::StatusOr<Program> Find(const std::string& digest) override;

  struct Progress {
    int64_t bytes = 0;
    bool complete = false;
  };
  // NotFound when nothing of it has come.
  absl::StatusOr<Progress> ProgressOf(const std::string& digest);
  // Goes on with an upload of `total` bytes. OutOfRange: offset is not where it stopped (0 starts afresh);
  // AlreadyExists: it is complete; ResourceExhausted: too large.
  absl::StatusOr<std::unique_ptr<ProgramUpload>> BeginUpload(const std::string& digest, int64_t offset, int64_t total);
  // Takes a program from elsewhere, unless it is there: fill writes it to the path it is given. DataLoss: what it wrote
  // has another digest.
  absl::Status Restore(const std::string& digest, const std::function<absl::Status(const std::string& path)>& fill);
  int64_t program_bytes_max() const { return program_bytes_max_; }

 private:
  friend class ProgramUpload;
  ProgramStore(std::string directory, int64_t program_bytes_max);
  std::string PathOf(const std::string& digest) const { return directory_ + "/" + digest; }
  std::string PartOf(const std::string& digest) const { return PathOf(digest) + ".part"; }

  const std::string directory_;
  const int64_t program_bytes_max_;

  Mutex mutex_;
  std::map<std::string, uint64_t> writers_ ABSL_GUARDED_BY(mutex_);  // digest -> generation of its newest upload
  uint64_t next_generation_ ABSL_GUARDED_BY(mutex_) = 1;
};

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_REST_PROGRAM_STORE_H_
