#include "connectors/file/file_id.h"

#include <dirent.h>
#include <fnmatch.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <vector>

#include "penstock/connectors/file.h"
#include "runtime/core/status.h"

namespace penstock::file {
namespace {

constexpr std::string_view kVersion2 = "v2 ";

// Takes a number and the blank behind it.
bool TakeNumber(std::string_view* text, int64_t* number) {
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), *number);
  if (error != std::errc() || end == text->data() + text->size() || *end != ' ') return false;
  text->remove_prefix(static_cast<size_t>(end - text->data()) + 1);
  return true;
}

bool Wanted(const ListOptions& options, const char* name) {
  return options.name_pattern.empty() || fnmatch(options.name_pattern.c_str(), name, 0) == 0;
}

// Lists one directory; adds its sub-directories to `more`.
absl::Status ListDirectory(const ListOptions& options, const std::string& directory, Listing* files,
                           std::vector<std::string>* more) {
  DIR* const open = opendir(directory.c_str());
  if (open == nullptr) {
    if (errno == ENOENT && directory != options.path) return absl::OkStatus();  // went meanwhile
    return NotFound("{} cannot be listed: {}", directory, strerror(errno));
  }
  absl::Status status;
  errno = 0;
  while (const dirent* const entry = readdir(open)) {
    const std::string path = directory + "/" + entry->d_name;
    struct stat info = {};
    if (entry->d_name[0] == '.' || stat(path.c_str(), &info) != 0) continue;
    // Not by way of a link, which may lead round in a circle.
    struct stat own = {};
    if (options.recursive && lstat(path.c_str(), &own) == 0 && S_ISDIR(own.st_mode)) more->push_back(path);
    if (S_ISREG(info.st_mode) && Wanted(options, entry->d_name)) files->emplace(path, FileId::Of(info));
    if (files->size() > kFilesMax) {
      status = ResourceExhausted("{} has more than {} files: move away what has been read", options.path, kFilesMax);
      break;
    }
    errno = 0;
  }
  if (status.ok() && errno != 0) status = Unavailable("listing {} failed: {}", directory, strerror(errno));
  closedir(open);
  return status;
}

}  // namespace

std::string EncodePosition(const FilePosition& position, const std::string& path) {
  return fmt::format("{}{} {} {} {} {} {}", kVersion2, position.done ? 1 : 0, position.bytes, position.records,
                     position.id.size_bytes, position.id.modified_ns, path);
}

bool DecodePosition(std::string_view text, FilePosition* position, std::string* path) {
  const bool version_2 = text.starts_with(kVersion2);
  if (version_2) text.remove_prefix(kVersion2.size());
  int64_t done = 0;
  if (!TakeNumber(&text, &done) || !TakeNumber(&text, &position->bytes) || !TakeNumber(&text, &position->records)) {
    return false;
  }
  if (version_2 && (!TakeNumber(&text, &position->id.size_bytes) || !TakeNumber(&text, &position->id.modified_ns))) {
    return false;
  }
  position->done = done != 0;
  *path = text;
  return !path->empty();
}

absl::StatusOr<Listing> ListFiles(const ListOptions& options) {
  struct stat info = {};
  if (stat(options.path.c_str(), &info) != 0) return NotFound("{}: {}", options.path, strerror(errno));
  if (!S_ISDIR(info.st_mode)) return Listing{{options.path, FileId::Of(info)}};
  Listing files;
  std::vector<std::string> directories = {options.path};
  while (!directories.empty()) {
    const std::string directory = std::move(directories.back());
    directories.pop_back();
    PENSTOCK_RETURN_IF_ERROR(ListDirectory(options, directory, &files, &directories));
  }
  return files;
}

int OwnerOf(std::string_view path, int parallelism) {
  uint64_t hash = 14695981039346656037ull;  // FNV-1a, 64 bits
  for (const char c : path) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return static_cast<int>((hash >> 32) % static_cast<uint64_t>(parallelism));
}

}  // namespace penstock::file
