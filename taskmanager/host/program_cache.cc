#include "taskmanager/host/program_cache.h"

#include <chrono>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>

#include "runtime/core/bundle.h"
#include "runtime/core/digest.h"
#include "runtime/core/log.h"
#include "runtime/core/status.h"

namespace penstock::taskmanager {
namespace {

namespace fs = std::filesystem;

// The executable inside an unpacked bundle, unpacking it when that has not been done. One rename makes it appear whole.
absl::StatusOr<std::string> ProgramOfBundle(const std::string& bundle_path) {
  const std::string directory = bundle_path + ".unpacked";
  if (!fs::exists(directory)) {
    std::error_code error;
    const std::string temporary = directory + ".part";
    fs::remove_all(temporary, error);
    PENSTOCK_RETURN_IF_ERROR(ExtractBundle(bundle_path, temporary).status());
    fs::rename(temporary, directory, error);
    if (error) return Internal("cannot rename {}: {}", temporary, error.message());
  }
  return fmt::format("{}/{}", directory, kBundleProgram);
}

}  // namespace

void ProgramCache::Stop() {
  MutexLock lock(&mutex_);
  stopped_ = true;
  stop_changed_.NotifyAll();
}

bool ProgramCache::PauseUnlessStopped(int64_t pause_ms) {
  MutexLock lock(&mutex_);
  if (!stopped_ && pause_ms > 0) stop_changed_.WaitFor(&mutex_, std::chrono::milliseconds(pause_ms));
  return !stopped_;
}

absl::StatusOr<std::string> ProgramCache::Get(const std::string& digest, bool is_bundle) {
  if (!IsSha256Hex(digest)) return InvalidArgument("'{}' is no sha256 digest", digest);
  std::error_code error;
  fs::create_directories(directory_, error);
  if (error) return FailedPrecondition("cannot create {}: {}", directory_, error.message());
  const std::string path = fmt::format("{}/{}", directory_, digest);
  if (!fs::exists(path)) {
    const std::string part_path = path + ".part";
    PENSTOCK_RETURN_IF_ERROR(Fetch(digest, part_path));
    PENSTOCK_ASSIGN_OR_RETURN(const std::string found, Sha256OfFile(part_path));
    if (found != digest) {
      fs::remove(part_path, error);
      return DataLoss("program {} arrived with sha256 {}: thrown away", digest, found);
    }
    fs::permissions(part_path, fs::perms::owner_all, error);
    fs::rename(part_path, path, error);
    if (error) return Internal("cannot rename {}: {}", part_path, error.message());
  }
  if (is_bundle) return ProgramOfBundle(path);
  return path;
}

absl::Status ProgramCache::Fetch(const std::string& digest, const std::string& part_path) {
  int fruitless = 0;
  while (true) {
    absl::Status ended;
    PENSTOCK_ASSIGN_OR_RETURN(const int64_t got_bytes, FetchOnce(digest, part_path, &ended));
    if (ended.ok()) return ended;
    fruitless = got_bytes > 0 ? 0 : fruitless + 1;
    const bool broken = ended.code() == absl::StatusCode::kUnavailable ||
                        ended.code() == absl::StatusCode::kCancelled || ended.code() == absl::StatusCode::kUnknown ||
                        ended.code() == absl::StatusCode::kInternal;
    if (ended.code() == absl::StatusCode::kOutOfRange) {
      std::error_code error;
      fs::remove(part_path, error);  // longer than the program: it cannot be its beginning
    } else if (!broken) {
      return ended;
    }
    if (fruitless >= kFetchTriesMax) return ended;
    PENSTOCK_LOG(warn, "fetching program {} broke off: {}; going on", digest, MessageOf(ended));
    if (!PauseUnlessStopped(kFetchPauseMs * fruitless)) return Cancelled("this TaskManager is shutting down");
  }
}

// One connection; how many bytes it brought, and how it ended.
absl::StatusOr<int64_t> ProgramCache::FetchOnce(const std::string& digest, const std::string& part_path,
                                                absl::Status* ended) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(part_path.c_str(), "ab"), std::fclose);
  if (file == nullptr) return FailedPrecondition("cannot write {}: {}", part_path, std::strerror(errno));
  const int64_t begin = static_cast<int64_t>(fs::file_size(part_path));
  int64_t got_bytes = 0;
  *ended = fetch_(digest, begin, [&](std::string_view data, int64_t) -> absl::Status {
    if (!PauseUnlessStopped(0)) return Cancelled("this TaskManager is shutting down");
    if (std::fwrite(data.data(), 1, data.size(), file.get()) != data.size()) {
      return ResourceExhausted("cannot write {}: {}", part_path, std::strerror(errno));
    }
    got_bytes += static_cast<int64_t>(data.size());
    return absl::OkStatus();
  });
  if (std::fflush(file.get()) != 0) return ResourceExhausted("cannot write {}: {}", part_path, std::strerror(errno));
  return got_bytes;
}

}  // namespace penstock::taskmanager
