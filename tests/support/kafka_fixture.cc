#include "tests/support/kafka_fixture.h"

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

constexpr int64_t kStartDeadlineMs = 180'000;  // the first start downloads Kafka
constexpr useconds_t kPollUs = 20'000;
// Everybody may do what no rule forbids: tests make rules.
constexpr char kRights[] = "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer";
constexpr char kRightsOfAll[] = "allow.everyone.if.no.acl.found=true";

[[noreturn]] void Die(const std::string& text) {
  fmt::print(stderr, "kafka fixture: {}\n", text);
  exit(1);
}

}  // namespace

KafkaFixture::KafkaFixture() {
  std::string dir = std::filesystem::temp_directory_path() / "penstock-kafka-XXXXXX";
  if (mkdtemp(dir.data()) == nullptr) Die("no temporary directory");
  dir_ = dir;
  Start();
}

KafkaFixture::~KafkaFixture() {
  Stop();
  std::error_code ignored;
  std::filesystem::remove_all(dir_, ignored);
}

KafkaFixture& KafkaFixture::Shared() {
  static KafkaFixture fixture;
  return fixture;
}

std::string KafkaFixture::NewTopicName(const std::string& stem) { return fmt::format("{}-{}", stem, ++topics_); }

void KafkaFixture::Start(const std::vector<std::string>& settings) {
  if (pid_ > 0) return;
  const std::string script = PENSTOCK_SOURCE_DIR "/tests/support/kafka/kafka.py";
  const std::string broker_dir = dir_ + "/broker", port_file = dir_ + "/port";
  std::filesystem::remove(port_file);
  std::vector<const char*> words = {"python3",     script.c_str(),    "run",           "--dir", broker_dir.c_str(),
                                    "--port-file", port_file.c_str(), "--with-parent", "--set", kRights,
                                    "--set",       kRightsOfAll};
  for (const std::string& setting : settings) words.insert(words.end(), {"--set", setting.c_str()});
  words.push_back(nullptr);
  pid_ = fork();
  if (pid_ < 0) Die("fork failed");
  if (pid_ == 0) {
    execvp("python3", const_cast<char* const*>(words.data()));
    _exit(127);
  }
  const int64_t deadline = Clock::System().MonotonicMs() + kStartDeadlineMs;
  while (!std::filesystem::exists(port_file)) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) Die("the broker did not start; see the lines above");
    if (Clock::System().MonotonicMs() > deadline) Die("the broker did not start in time");
    usleep(kPollUs);
  }
  std::ifstream(port_file) >> brokers_;
}

void KafkaFixture::Stop() {
  if (pid_ <= 0) return;
  kill(pid_, SIGTERM);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void KafkaFixture::Kill() {
  if (pid_ <= 0) return;
  pid_t broker = 0;
  std::ifstream(dir_ + "/broker/pid") >> broker;
  if (broker <= 0) Die("the broker has no pid");
  kill(broker, SIGKILL);
  waitpid(pid_, nullptr, 0);  // kafka.py ends with its broker
  pid_ = -1;
}

}  // namespace penstock::testing
