#include "tests/support/s3_fixture.h"

#include <fmt/format.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "runtime/core/clock.h"

namespace penstock::testing {
namespace {

constexpr int64_t kStartDeadlineMs = 600'000;  // the first start builds the server
constexpr useconds_t kPollUs = 20'000;

[[noreturn]] void Die(const std::string& text) {
  fmt::print(stderr, "s3 fixture: {}\n", text);
  exit(1);
}

}  // namespace

S3Fixture& S3Fixture::Shared() {
  static S3Fixture fixture;
  return fixture;
}

S3Fixture::S3Fixture() {
  std::string dir = std::filesystem::temp_directory_path() / "penstock-s3-XXXXXX";
  if (mkdtemp(dir.data()) == nullptr) Die("no temporary directory");
  dir_ = dir;
  const std::string script = PENSTOCK_SOURCE_DIR "/tests/support/s3/s3.py";
  const std::string server_dir = dir_ + "/server", port_file = dir_ + "/port";
  pid_ = fork();
  if (pid_ < 0) Die("fork failed");
  if (pid_ == 0) {
    execlp("python3", "python3", "-B", script.c_str(), "run", "--dir", server_dir.c_str(), "--port-file",
           port_file.c_str(), "--with-parent", nullptr);
    _exit(127);
  }
  const int64_t deadline = Clock::System().MonotonicMs() + kStartDeadlineMs;
  while (!std::filesystem::exists(port_file)) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) Die("the server did not start; see the lines above");
    if (Clock::System().MonotonicMs() > deadline) Die("the server did not start in time");
    usleep(kPollUs);
  }
  std::string address;
  std::ifstream(port_file) >> address;
  port_ = std::stoi(address.substr(address.rfind(':') + 1));
}

S3Fixture::~S3Fixture() {
  kill(pid_, SIGTERM);
  waitpid(pid_, nullptr, 0);
  std::error_code ignored;
  std::filesystem::remove_all(dir_, ignored);
}

std::string S3Fixture::NewUri() { return fmt::format("s3://penstock/{}", ++prefixes_); }

}  // namespace penstock::testing
