#include "tests/support/registry_fixture.h"

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

constexpr int64_t kStartDeadlineMs = 180'000;  // the first start downloads it
constexpr useconds_t kPollUs = 20'000;

[[noreturn]] void Die(const std::string& text) {
  fmt::print(stderr, "registry fixture: {}\n", text);
  exit(1);
}

}  // namespace

RegistryFixture::RegistryFixture() {
  std::string dir = std::filesystem::temp_directory_path() / "penstock-registry-XXXXXX";
  if (mkdtemp(dir.data()) == nullptr) Die("no temporary directory");
  dir_ = dir;
  Start();
}

RegistryFixture::~RegistryFixture() {
  Stop();
  std::error_code ignored;
  std::filesystem::remove_all(dir_, ignored);
}

RegistryFixture& RegistryFixture::Shared() {
  static RegistryFixture fixture;
  return fixture;
}

std::string RegistryFixture::NewSubject(const std::string& stem) { return fmt::format("{}-{}", stem, ++subjects_); }

void RegistryFixture::Start() {
  if (pid_ > 0) return;
  const std::string script = PENSTOCK_SOURCE_DIR "/tests/support/registry/registry.py";
  const std::string registry_dir = dir_ + "/registry", port_file = dir_ + "/port";
  std::filesystem::remove(port_file);
  pid_ = fork();
  if (pid_ < 0) Die("fork failed");
  if (pid_ == 0) {
    execlp("python3", "python3", script.c_str(), "run", "--dir", registry_dir.c_str(), "--port-file", port_file.c_str(),
           "--with-parent", "--tls", (user() + ":" + password()).c_str(), nullptr);
    _exit(127);
  }
  const int64_t deadline = Clock::System().MonotonicMs() + kStartDeadlineMs;
  while (!std::filesystem::exists(port_file)) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) Die("the registry did not start; see the lines above");
    if (Clock::System().MonotonicMs() > deadline) Die("the registry did not start in time");
    usleep(kPollUs);
  }
  std::ifstream(port_file) >> url_ >> tls_url_ >> ca_file_;
}

void RegistryFixture::Stop() {
  if (pid_ <= 0) return;
  kill(pid_, SIGTERM);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

}  // namespace penstock::testing
