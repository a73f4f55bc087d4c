#include "jobmanager/rest/log_files.h"

#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace penstock::jobmanager {
namespace {

namespace fs = std::filesystem;

void ListFiles(const std::string& directory, proto::LogChunk* chunk) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(directory, error)) {
    struct stat info;
    if (lstat(entry.path().c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    if (chunk->files_size() >= kLogFilesMax) break;
    proto::LogFile* file = chunk->add_files();
    file->set_name(entry.path().filename().string());
    file->set_size_bytes(info.st_size);
    file->set_mtime_ms(static_cast<int64_t>(info.st_mtim.tv_sec) * 1000 + info.st_mtim.tv_nsec / 1'000'000);
  }
}

}  // namespace

proto::LogChunk ReadLogFiles(const std::string& directory, const proto::ReadLog& request) {
  proto::LogChunk listing;
  if (!directory.empty()) ListFiles(directory, &listing);
  if (request.list()) return listing;

  proto::LogChunk chunk;
  chunk.set_name(request.name());
  const auto known = std::find_if(listing.files().begin(), listing.files().end(),
                                  [&](const proto::LogFile& file) { return file.name() == request.name(); });
  if (known == listing.files().end()) {
    chunk.set_error("File not found.");
    return chunk;
  }
  const int64_t offset =
      request.offset() < 0 ? std::max<int64_t>(0, known->size_bytes() + request.offset()) : request.offset();
  const int64_t size = std::clamp<int64_t>(
      known->size_bytes() - offset, 0,
      request.max_bytes() > 0 ? std::min(request.max_bytes(), kLogPieceBytesMax) : kLogPieceBytesMax);
  std::ifstream file(fs::path(directory) / request.name(), std::ios::binary);
  file.seekg(offset);
  chunk.mutable_data()->resize(static_cast<size_t>(size));
  file.read(chunk.mutable_data()->data(), size);
  chunk.mutable_data()->resize(static_cast<size_t>(std::max<std::streamsize>(0, file.gcount())));
  return chunk;
}

}  // namespace penstock::jobmanager
