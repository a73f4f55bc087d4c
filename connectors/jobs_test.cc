// Connectors in whole jobs: what only the engine around them shows.
#include <penstock/connectors/datagen.h>
#include <penstock/connectors/file.h>
#include <penstock/connectors/tcp.h>
#include <penstock/connectors/webhook.h>
#include <penstock/testing.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <set>

#include "runtime/core/http/server.h"
#include "runtime/core/mutex.h"
#include "tests/support/require_ok.h"
#include "tests/support/temp_dir.h"

namespace penstock {
namespace {

using std::chrono_literals::operator""ms;
using testing::TempDir;

// How many posts have come.
class Receiver {
 public:
  Receiver() : server_({.what = "receiver"}, MakeRouter()) { REQUIRE_OK(server_.Start()); }
  std::string url() const { return "http://" + server_.address() + "/in"; }
  int posts() const {
    MutexLock lock(&mutex_);
    return posts_;
  }

 private:
  http::Router MakeRouter() {
    http::Router router;
    router.Handle("POST", "/in", [this](const http::Request&) {
      MutexLock lock(&mutex_);
      ++posts_;
      return http::Response{.body = "{}"};
    });
    return router;
  }
  mutable Mutex mutex_;
  int posts_ ABSL_GUARDED_BY(mutex_) = 0;
  http::Server server_;  // last: its threads use the rest
};

TEST_CASE("a batch that is not full goes when it has waited, without any checkpoint", "[connectors]") {
  Receiver receiver;
  REQUIRE_OK(testing::RunJob(
      [&](Environment& env, const Args&) {
        // One record, and then nothing for a long time.
        env.source("one", datagen::Source<int>{.generate = [](uint64_t index) { return static_cast<int>(index); },
                                               .rate = 0.9})
            .map([](const int& value) { return std::to_string(value); })
            .sink("hook", webhook::Sink{.url = receiver.url(), .batching = {.records_max = 1'000, .linger = 1ms}});
      },
      {.until = [&] { return receiver.posts() >= 2; }}));
}

std::multiset<std::string> LinesIn(const std::string& directory) {
  std::multiset<std::string> lines;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    if (entry.path().filename().string().starts_with('.')) continue;
    std::ifstream file(entry.path());
    for (std::string line; std::getline(file, line);) lines.insert(line);
  }
  return lines;
}

TEST_CASE("files that come while a job runs come out exactly once, through a failure", "[connectors]") {
  const TempDir in, out, checkpoints;
  std::multiset<std::string> expected;
  int files = 0;
  const auto add = [&] {
    std::string text;
    for (int i = 0; i < 10; ++i) text += *expected.insert(fmt::format("{}-{}", files, i)) + "\n";
    // Moved in whole.
    std::filesystem::rename(in.Write(".new", text), fmt::format("{}/f{}", in.path(), files++));
  };
  add();
  std::atomic<bool> failed{false};
  REQUIRE_OK(testing::RunJob(
      [&](Environment& env, const Args&) {
        env.source("drops", file::Source{.path = in.path(), .watch_interval = 20ms})
            .map([&](const Bytes& line) {
              if (line.view() == "3-5" && !failed.exchange(true)) throw std::runtime_error("a failure on purpose");
              return line.str();
            })
            .sink("rows", file::Sink{.path = out.path() + "/rows", .delivery = Delivery::exactly_once});
      },
      {.parallelism = 2,
       .config = {{"execution.checkpointing.dir", checkpoints.path()},
                  {"execution.checkpointing.interval", "50 ms"},
                  {"restart-strategy.fixed-delay.delay", "10 ms"}},
       .until = [&] {
         const auto lines = LinesIn(out.path() + "/rows");
         if (files < 8 && lines.size() >= expected.size()) add();
         return files == 8 && lines.size() >= expected.size();
       }}));
  CHECK(failed);
  CHECK(LinesIn(out.path() + "/rows") == expected);
}

TEST_CASE("a job with an exactly-once sink behind a connection is refused by both names", "[connectors]") {
  const absl::Status refused = testing::RunJob([](Environment& env, const Args&) {
    env.source("feed", tcp::Source{.addresses = {"127.0.0.1:1"}})
        .sink("rows", file::Sink{.path = "/nowhere", .delivery = Delivery::exactly_once});
  });
  CHECK(absl::IsInvalidArgument(refused));
  CHECK_THAT(std::string(refused.message()), Catch::Contains("'feed'") && Catch::Contains("'rows'"));
}

}  // namespace
}  // namespace penstock
