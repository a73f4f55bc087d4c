#include "taskmanager/host/log_directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>

namespace penstock::taskmanager {
namespace {

namespace fs = std::filesystem;

int64_t ModifiedMs(const fs::directory_entry& entry) {
  std::error_code error;
  const auto time = std::chrono::file_clock::to_sys(entry.last_write_time(error));
  return error ? 0 : std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

void List(const std::string& directory, proto::LogChunk* chunk) {
  std::error_code error;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory, error)) {
    if (chunk->files_size() >= kLogFilesMax) break;
    std::error_code ignored;
    if (!entry.is_regular_file(ignored) || entry.is_symlink(ignored)) continue;
    proto::LogFile* file = chunk->add_files();
    file->set_name(entry.path().filename().string());
    file->set_size_bytes(static_cast<int64_t>(entry.file_size(ignored)));
    file->set_mtime_ms(ModifiedMs(entry));
  }
  if (error) chunk->set_error(fmt::format("cannot list the log directory: {}", error.message()));
}

std::string ReadRange(const std::string& path, int64_t offset, int64_t max_bytes) {
  std::ifstream in(path, std::ios::binary);
  in.seekg(0, std::ios::end);
  const int64_t size = in.tellg();
  if (!in) return "";
  const int64_t begin = std::clamp<int64_t>(offset < 0 ? size + offset : offset, 0, size);
  std::string data(static_cast<size_t>(std::min(max_bytes, size - begin)), '\0');
  in.seekg(begin);
  in.read(data.data(), static_cast<std::streamsize>(data.size()));
  data.resize(static_cast<size_t>(in.gcount()));
  return data;
}

}  // namespace

proto::LogChunk ReadLogDirectory(const std::string& directory, const proto::ReadLog& request) {
  proto::LogChunk chunk;
  chunk.set_request_id(request.request_id());
  chunk.set_name(request.name());
  List(directory, &chunk);
  if (request.list()) return chunk;
  const bool listed =
      std::ranges::any_of(chunk.files(), [&](const auto& file) { return file.name() == request.name(); });
  if (!listed) {
    chunk.clear_files();
    chunk.set_error(fmt::format("there is no log file '{}'", request.name()));
    return chunk;
  }
  chunk.clear_files();
  const int64_t max_bytes =
      request.max_bytes() <= 0 ? kLogReadBytesMax : std::min(request.max_bytes(), kLogReadBytesMax);
  chunk.set_data(ReadRange(fmt::format("{}/{}", directory, request.name()), request.offset(), max_bytes));
  return chunk;
}

std::string TailOfFile(const std::string& path, int64_t max_bytes) {
  std::string tail = ReadRange(path, -max_bytes, max_bytes);
  if (static_cast<int64_t>(tail.size()) < max_bytes) return tail;
  const size_t line = tail.find('\n');
  return line == std::string::npos || line + 1 == tail.size() ? tail : tail.substr(line + 1);
}

}  // namespace penstock::taskmanager
