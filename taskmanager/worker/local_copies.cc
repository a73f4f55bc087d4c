#include "taskmanager/worker/local_copies.h"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "runtime/core/log.h"
#include "runtime/core/status.h"

namespace penstock::worker {
namespace {

constexpr int64_t kCopyChunkBytes = 1 << 20;
constexpr std::string_view kUnfinished = ".unfinished";

std::string OfThisBoot(const std::string& directory) {
  static const std::string boot = [] {
    std::string id;
    std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), id);
    return id;
  }();
  return directory.empty() ? "" : directory + "/" + (boot.empty() ? "boot" : boot);
}

}  // namespace

LocalCopies::LocalCopies(const std::string& directory) : base_(directory), directory_(OfThisBoot(directory)) {
  std::error_code ignored;
  if (!directory_.empty()) std::filesystem::create_directories(directory_, ignored);
}

std::string LocalCopies::PathOf(const std::string& directory, const StateFile& file) {
  const std::string& name = file.name();
  if (directory.empty() || name.empty() || name.find('/') != std::string::npos) return {};
  return fmt::format("{}/{}.{}.{:016x}", OfThisBoot(directory), name, file.size_bytes(), file.checksum());
}

// No fsync: after a crash of the machine the checksum tells.
absl::Status LocalCopies::Copy(const StateFile& file, const std::string& path) const {
  const std::string local = file.local_path();
  if (!local.empty() && link(local.c_str(), path.c_str()) == 0) return absl::OkStatus();
  const std::string unfinished = path + std::string(kUnfinished);
  std::ofstream out(unfinished, std::ios::binary | std::ios::trunc);
  for (int64_t at = 0; at < file.size_bytes(); at += kCopyChunkBytes) {
    PENSTOCK_ASSIGN_OR_RETURN(const std::string bytes,
                              file.Read(at, std::min(kCopyChunkBytes, file.size_bytes() - at)));
    out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }
  out.close();
  std::error_code error;
  if (out) std::filesystem::rename(unfinished, path, error);
  if (out && !error) return absl::OkStatus();
  std::filesystem::remove(unfinished, error);
  return ResourceExhausted("{} could not be written", path);
}

void LocalCopies::Keep(uint64_t checkpoint_id, const std::vector<StateFilePtr>& files) {
  if (directory_.empty()) return;
  std::set<std::string>& needed = needed_[checkpoint_id];
  for (const StateFilePtr& file : files) {
    const std::string path = PathOf(base_, *file);
    if (path.empty() || !needed.insert(path).second) continue;
    std::error_code error;
    if (std::filesystem::exists(path, error)) continue;
    const absl::Status copied = Copy(*file, path);
    if (copied.ok() || complained_) continue;
    complained_ = true;
    PENSTOCK_LOG(warn, "no local copies of state, so a restart reads it from checkpoint storage: {}",
                 MessageOf(copied));
  }
  if (needed_.size() > kCheckpointsMax) needed_.erase(needed_.begin());
}

void LocalCopies::OnDecided(uint64_t checkpoint_id) {
  if (directory_.empty() || !needed_.contains(checkpoint_id)) return;
  needed_.erase(needed_.begin(), needed_.find(checkpoint_id));
  DeleteUnneeded();
}

void LocalCopies::DeleteUnneeded() {
  std::error_code error;
  std::vector<std::filesystem::path> unneeded;
  for (const auto& entry : std::filesystem::directory_iterator(directory_, error)) {
    const bool needed = std::any_of(needed_.begin(), needed_.end(),
                                    [&](const auto& each) { return each.second.contains(entry.path()); });
    if (!needed) unneeded.push_back(entry.path());
  }
  for (const auto& path : unneeded) std::filesystem::remove(path, error);
}

}  // namespace penstock::worker
