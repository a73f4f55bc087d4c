#include "runtime/core/local_token.h"

#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "runtime/core/status.h"

namespace penstock {
namespace {

constexpr int kTokenBytes = 32;

}  // namespace

std::string DefaultLocalTokenFile(int rest_port) {
  const char* run_dir = std::getenv("PENSTOCK_RUN_DIR");
  const char* home = std::getenv("HOME");
  const std::string folder = run_dir != nullptr ? run_dir : std::string(home != nullptr ? home : "/tmp") + "/.penstock";
  return fmt::format("{}/rest-token-{}", folder, rest_port);
}

absl::StatusOr<std::string> CreateLocalToken(const std::string& path) {
  unsigned char random[kTokenBytes];
  if (RAND_bytes(random, kTokenBytes) != 1) return Internal("no random bytes for the local token");
  std::string token;
  for (const unsigned char byte : random) token += fmt::format("{:02x}", byte);

  std::error_code error;
  const std::filesystem::path parent = std::filesystem::path(path).parent_path();
  if (!parent.empty()) std::filesystem::create_directories(parent, error);
  // A new file that is moved into place: never readable by others, never half written.
  const std::string temporary = fmt::format("{}.{}", path, getpid());
  unlink(temporary.c_str());
  const int fd = open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return PermissionDenied("can't write the token file '{}': {}", path, std::strerror(errno));
  const std::string line = token + "\n";
  const bool written = write(fd, line.data(), line.size()) == static_cast<ssize_t>(line.size());
  close(fd);
  if (!written || rename(temporary.c_str(), path.c_str()) != 0) {
    const std::string reason = std::strerror(errno);
    unlink(temporary.c_str());
    return PermissionDenied("can't write the token file '{}': {}", path, reason);
  }
  return token;
}

absl::StatusOr<std::string> ReadLocalToken(const std::string& path) {
  struct stat info;
  if (stat(path.c_str(), &info) != 0) return NotFound("there is no token file '{}'", path);
  if ((info.st_mode & 077) != 0) {
    return PermissionDenied("the token file '{}' is open to other users; chmod 600 it", path);
  }
  std::ifstream file(path);
  std::string token;
  if (!(file >> token)) return PermissionDenied("the token file '{}' can't be read or is empty", path);
  return token;
}

bool SameToken(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace penstock
