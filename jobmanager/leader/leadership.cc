#include "jobmanager/leader/leadership.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <utility>

#include "jobmanager/leader/epoch.h"
#include "jobmanager/store/job_store.h"
#include "runtime/core/log.h"
#include "runtime/core/status.h"

namespace penstock::jobmanager {
namespace {

constexpr int64_t kProvesPerLease = 5;

// An open file that is locked by this opening, or -1. Closing it gives the lock back.
int LockFile(const std::string& path, int flags) {
  const int fd = open(path.c_str(), O_RDWR | O_CLOEXEC | flags, 0644);
  if (fd < 0) return -1;
  if (flock(fd, LOCK_EX | LOCK_NB) == 0) return fd;
  close(fd);
  return -1;
}

std::string ReadFileAt(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}

}  // namespace

absl::StatusOr<std::unique_ptr<Leadership>> Leadership::Open(LeadershipOptions options,
                                                             std::shared_ptr<Storage> storage, const Clock& clock) {
  if (!options.lock_dir.empty()) {
    std::error_code error;
    std::filesystem::create_directories(options.lock_dir, error);
    if (error) {
      return FailedPrecondition("the lock directory {} cannot be made: {}; set high-availability.lock-dir",
                                options.lock_dir, error.message());
    }
  }
  return std::unique_ptr<Leadership>(new Leadership(std::move(options), std::move(storage), clock));
}

Leadership::Leadership(LeadershipOptions options, std::shared_ptr<Storage> storage, const Clock& clock)
    : options_(std::move(options)),
      storage_(std::move(storage)),
      clock_(clock),
      directory_(ClusterDirectory(options_.cluster_id)) {}

Leadership::~Leadership() {
  if (lock_fd_ >= 0) close(lock_fd_);
}

std::string Leadership::LockPath(uint64_t epoch) const { return fmt::format("{}/lock-{}", options_.lock_dir, epoch); }

int64_t Leadership::ProveIntervalMs() const { return std::max<int64_t>(options_.lease_ms / kProvesPerLease, 10); }

absl::StatusOr<std::optional<uint64_t>> Leadership::TryAcquire() {
  PENSTOCK_ASSIGN_OR_RETURN(newest_, NewestEpoch(*storage_, directory_));
  const uint64_t next = newest_ + 1;
  int fd = -1;
  if (!options_.lock_dir.empty()) {
    // The lock before the epoch: who sees the epoch finds its lock held.
    fd = LockFile(LockPath(next), O_CREAT);
    if (fd < 0) return std::nullopt;  // another standby is just about to lead
    if (!HolderIsGone(newest_)) {
      close(fd);
      return std::nullopt;
    }
  }
  const absl::Status minted = MintEpoch(*storage_, directory_, next, options_.self.rpc);
  if (!minted.ok()) {
    if (fd >= 0) close(fd);
    if (absl::IsAborted(minted)) return std::nullopt;
    return minted;
  }
  epoch_ = next;
  lock_fd_ = fd;
  proven_ms_ = clock_.MonotonicMs();
  PENSTOCK_RETURN_IF_ERROR(Touch());
  if (fd >= 0 && next > 2) unlink(LockPath(next - 2).c_str());
  return std::optional<uint64_t>(next);
}

bool Leadership::HolderIsGone(uint64_t epoch) {
  if (epoch == 0) return true;
  const std::string path = LockPath(epoch);
  if (access(path.c_str(), F_OK) != 0) return true;  // it led without a lock
  if (const int fd = LockFile(path, 0); fd >= 0) {
    close(fd);
    return true;
  }
  const std::string touch = ReadFileAt(path);
  const int64_t now_ms = clock_.MonotonicMs();
  if (touch != seen_touch_) {
    seen_touch_ = touch;
    seen_touch_ms_ = now_ms;
    return false;
  }
  if (now_ms - seen_touch_ms_ <= options_.lease_ms) return false;
  PENSTOCK_LOG(warn, "the leader of epoch {} holds its lock but gave no sign of life for {} ms: replaced", epoch,
               options_.lease_ms);
  return true;
}

// What standbys read: where the leader is, and a number that grows.
absl::Status Leadership::Touch() {
  if (lock_fd_ < 0) return absl::OkStatus();
  const std::string text = fmt::format("{} {} {} {}\n", epoch_, options_.self.rpc, options_.self.rest, ++touches_);
  if (pwrite(lock_fd_, text.data(), text.size(), 0) == static_cast<ssize_t>(text.size())) return absl::OkStatus();
  return Unavailable("{} cannot be written: {}", LockPath(epoch_), std::strerror(errno));
}

absl::Status Leadership::ProveLock() {
  if (lock_fd_ < 0) return absl::OkStatus();
  const std::string path = LockPath(epoch_);
  struct stat held = {};
  struct stat there = {};
  if (fstat(lock_fd_, &held) != 0) return Unavailable("{}: {}", path, std::strerror(errno));
  if (stat(path.c_str(), &there) != 0) {
    if (errno == ENOENT) return Aborted("the lock {} was removed", path);
    return Unavailable("{}: {}", path, std::strerror(errno));
  }
  if (held.st_ino != there.st_ino || held.st_dev != there.st_dev) return Aborted("the lock {} was replaced", path);
  if (flock(lock_fd_, LOCK_EX | LOCK_NB) == 0) return Touch();
  if (errno == EWOULDBLOCK) return Aborted("the lock {} is held by somebody else", path);
  return Unavailable("{}: {}", path, std::strerror(errno));
}

absl::Status Leadership::Prove() {
  absl::Status proof = ProveLock();
  if (proof.ok()) {
    const absl::StatusOr<uint64_t> newest = NewestEpoch(*storage_, directory_);
    proof = newest.status();
    if (newest.ok() && *newest > epoch_) {
      proof = Aborted("epoch {} leads cluster '{}' now, this was {}", *newest, options_.cluster_id, epoch_);
    }
  }
  const int64_t now_ms = clock_.MonotonicMs();
  if (proof.ok()) {
    proven_ms_ = now_ms;
    return proof;
  }
  if (absl::IsAborted(proof)) return proof;
  // Without a lock nobody waits for this process to fail, so that storage may come back.
  if (options_.lock_dir.empty() || now_ms - proven_ms_ <= options_.lease_ms) {
    PENSTOCK_LOG(warn, "leadership cannot be proven just now: {}", MessageOf(proof));
    return absl::OkStatus();
  }
  return Aborted("leadership could not be proven for {} ms: {}", now_ms - proven_ms_, MessageOf(proof));
}

LeaderAddress Leadership::Leader() const {
  LeaderAddress leader;
  if (options_.lock_dir.empty() || newest_ == 0) return leader;
  std::istringstream text(ReadFileAt(LockPath(newest_)));
  uint64_t epoch = 0;
  text >> epoch >> leader.rpc >> leader.rest;
  return leader;
}

}  // namespace penstock::jobmanager
