#include "jobmanager/rpc/directory_programs.h"

#include <filesystem>

#include "runtime/core/status.h"

namespace penstock::jobmanager {

absl::StatusOr<ProgramSource::Program> DirectoryPrograms::Find(const std::string& digest) {
  // Nothing but a digest may become a path.
  if (digest.size() != 64 || digest.find_first_not_of("0123456789abcdef") != std::string::npos) {
    return InvalidArgument("'{}' is no sha256 digest", digest);
  }
  const std::string path = fmt::format("{}/{}", directory_, digest);
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return NotFound("there is no program {}", digest);
  return Program{path, false};
}

}  // namespace penstock::jobmanager
