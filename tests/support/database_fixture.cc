#include "tests/support/database_fixture.h"

#include <fmt/format.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <utility>

#include "runtime/core/clock.h"

namespace penstock::testing {
namespace {

constexpr int64_t kStartDeadlineMs = 120'000;
constexpr useconds_t kPollUs = 20'000;

[[noreturn]] void Die(const std::string& text) {
  fmt::print(stderr, "database fixture: {}\n", text);
  exit(1);
}

}  // namespace

DatabaseFixture& DatabaseFixture::Postgres() {
  static DatabaseFixture fixture("postgres");
  return fixture;
}

DatabaseFixture& DatabaseFixture::Redis() {
  static DatabaseFixture fixture("redis");
  return fixture;
}

DatabaseFixture::DatabaseFixture(std::string server) : server_(std::move(server)) {
  std::string dir = std::filesystem::temp_directory_path() / ("penstock-" + server_ + "-XXXXXX");
  if (mkdtemp(dir.data()) == nullptr) Die("no temporary directory");
  dir_ = dir;
  Start();
}

DatabaseFixture::~DatabaseFixture() {
  Stop();
  std::error_code ignored;
  std::filesystem::remove_all(dir_, ignored);
}

std::string DatabaseFixture::NewName(const std::string& stem) { return fmt::format("{}_{}", stem, ++names_); }

void DatabaseFixture::Start() {
  if (pid_ > 0) return;
  const std::string script = PENSTOCK_SOURCE_DIR "/tests/support/databases/databases.py";
  const std::string port_file = dir_ + "/address";
  std::filesystem::remove(port_file);
  pid_ = fork();
  if (pid_ < 0) Die("fork failed");
  if (pid_ == 0) {
    execlp("python3", "python3", "-B", script.c_str(), "run", server_.c_str(), "--dir", dir_.c_str(), "--port-file",
           port_file.c_str(), "--with-parent", nullptr);
    _exit(127);
  }
  const int64_t deadline = Clock::System().MonotonicMs() + kStartDeadlineMs;
  while (!std::filesystem::exists(port_file)) {
    if (waitpid(pid_, nullptr, WNOHANG) == pid_) Die("the server did not start; see the lines above");
    if (Clock::System().MonotonicMs() > deadline) Die("the server did not start in time");
    usleep(kPollUs);
  }
  std::string address;
  std::ifstream(port_file) >> address;
  port_ = std::stoi(address.substr(address.rfind(':') + 1));
}

void DatabaseFixture::Stop() {
  if (pid_ <= 0) return;
  kill(pid_, SIGTERM);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

}  // namespace penstock::testing
