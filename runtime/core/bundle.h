// A bundle: a job program with the shared libraries and files it needs, as ustar in zstd (`.tar.zst`).
//
//   program          the executable, first
//   lib/<name>       shared libraries, found by LD_LIBRARY_PATH
//   data/<path>      files of the job
//
// Only plain files with relative names; no links, no "..", bounded in files and bytes. Equal input gives equal bytes,
// so a bundle's digest says what is in it.
#ifndef PENSTOCK_RUNTIME_CORE_BUNDLE_H_
#define PENSTOCK_RUNTIME_CORE_BUNDLE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace penstock {

inline constexpr int kBundleFilesMax = 4096;
inline constexpr int64_t kBundleBytesMax = int64_t{4} << 30;  // unpacked
inline constexpr char kBundleProgram[] = "program";

struct BundleFile {
  std::string name;    // in the bundle
  std::string source;  // on disk
  bool executable = false;
};

// Replaces `path`. InvalidArgument names what can't go into a bundle; NotFound a source that can't be read.
absl::Status WriteBundle(const std::string& path, const std::vector<BundleFile>& files);

struct BundleLimits {
  int files_max = kBundleFilesMax;
  int64_t bytes_max = kBundleBytesMax;
};
// Unpacks into `directory` (made if missing) and gives the names in order. On an error what was unpacked is left there.
// DataLoss: truncated or damaged; InvalidArgument: a name, type or size that is not allowed.
absl::StatusOr<std::vector<std::string>> ExtractBundle(const std::string& path, const std::string& directory,
                                                       const BundleLimits& limits = {});

// True when the file begins like a bundle (zstd's magic number).
bool LooksLikeBundle(const std::string& path);

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_CORE_BUNDLE_H_
