// Which files there are, and what a file source keeps of each in a checkpoint.
#ifndef PENSTOCK_CONNECTORS_FILE_FILE_ID_H_
#define PENSTOCK_CONNECTORS_FILE_FILE_ID_H_

#include <sys/stat.h>

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace penstock::file {

// What tells that a path holds something else than before.
struct FileId {
  int64_t size_bytes = -1;  // -1: not known, of a checkpoint of version 1
  int64_t modified_ns = 0;
  auto operator<=>(const FileId&) const = default;

  static FileId Of(const struct stat& info) {
    return {info.st_size, static_cast<int64_t>(info.st_mtim.tv_sec) * 1'000'000'000 + info.st_mtim.tv_nsec};
  }
};

// How far a file has been read.
struct FilePosition {
  bool done = false;
  int64_t bytes = 0;
  int64_t records = 0;
  FileId id;  // when it was taken up, or when its end was reached
};

// As text: "v2 <done> <bytes> <records> <size> <modified ns> <path>". Version 1: "<done> <bytes> <records> <path>".
std::string EncodePosition(const FilePosition& position, const std::string& path);
bool DecodePosition(std::string_view text, FilePosition* position, std::string* path);

struct ListOptions {
  std::string path;
  std::string name_pattern;
  bool recursive = false;
};
using Listing = std::map<std::string, FileId>;  // by path

// The file, or the files of the directory. NotFound: the path is not there. ResourceExhausted: more than kFilesMax.
// Blocks; a file that goes meanwhile is left out.
absl::StatusOr<Listing> ListFiles(const ListOptions& options);

// Who reads a file in a directory that is watched. Part of what a running job relies on.
int OwnerOf(std::string_view path, int parallelism);

}  // namespace penstock::file

#endif  // PENSTOCK_CONNECTORS_FILE_FILE_ID_H_
