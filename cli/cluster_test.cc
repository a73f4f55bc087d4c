// `penstock` with a real local cluster and a real job program.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>

#include "cli/child.h"
#include "cli/cluster_state.h"
#include "cli/exit_codes.h"
#include "runtime/core/clock.h"

namespace penstock::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int64_t kWaitMs = 60'000;

bool Has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// A run folder of its own; what was started is ended with it.
class LocalCluster {
 public:
  LocalCluster() : folder_((fs::temp_directory_path() / ("penstock-cluster-" + std::to_string(getpid()))).string()) {
    fs::create_directories(folder_ + "/bin");
    for (const char* program : {PENSTOCK_JOBMANAGER, PENSTOCK_TASKMANAGER}) {
      fs::create_symlink(program, folder_ + "/bin/" + fs::path(program).filename().string());
    }
  }
  ~LocalCluster() {
    Run({"cluster", "stop"});
    fs::remove_all(folder_);
  }

  ChildResult Run(std::vector<std::string> words, const std::string& run_folder = "run") {
    words.insert(words.begin(), PENSTOCK_CLI);
    const auto result = RunChild(
        {.command = words,
         .environment = {{"PENSTOCK_BIN_DIR", folder_ + "/bin"}, {"PENSTOCK_RUN_DIR", folder_ + "/" + run_folder}},
         .timeout_ms = kWaitMs});
    REQUIRE(result.ok());
    return *result;
  }
  ChildResult Start(const std::string& rest_port = "0", const std::string& run_folder = "run") {
    return Run({"cluster", "start", "-n", "2", "-s", "2", "-Drest.port=" + rest_port, "-Djobmanager.rpc.port=0"},
               run_folder);
  }
  std::string Submit(std::vector<std::string> words) {
    words.insert(words.begin(), {"run", "-d", "--json"});
    const auto result = Run(std::move(words));
    INFO(result.err);
    REQUIRE(result.exit_code == kExitOk);
    return json::parse(result.out)["jobid"].get<std::string>();
  }
  json Status(const std::string& job_id) { return json::parse(Run({"status", "--json", job_id}).out); }
  // The first status for which `holds`; fails after kWaitMs.
  json Await(const std::string& job_id, const std::function<bool(const json&)>& holds) {
    const int64_t deadline_ms = Clock::System().MonotonicMs() + kWaitMs;
    while (true) {
      json status = Status(job_id);
      if (holds(status)) return status;
      INFO(status.dump(2));
      REQUIRE(Clock::System().MonotonicMs() < deadline_ms);
      PauseMs(50);
    }
  }

 private:
  const std::string folder_;
};

}  // namespace

TEST_CASE("A local cluster runs real jobs, and one that crashes disturbs no other", "[cli][cluster]") {
  LocalCluster cluster;
  const auto started = cluster.Start();
  INFO(started.err);
  REQUIRE(started.exit_code == kExitOk);
  CHECK(Has(started.out, "2 TaskManagers with 2 slots each"));
  const auto again = cluster.Start();
  CHECK(again.exit_code == kExitRefused);
  CHECK(Has(again.err, "runs already"));

  const std::string steady = cluster.Submit({"-p", "2", PENSTOCK_JOB_PROGRAM, "--", "--mode", "run"});
  const auto finished = cluster.Run({"run", "--bundle", PENSTOCK_JOB_PROGRAM, "--", "--mode", "finish"});
  CAPTURE(finished.out, finished.err);
  // The steady job has the same uid.
  CHECK(finished.exit_code == kExitRefused);
  CHECK(Has(finished.err, "faulty"));

  const json running = cluster.Await(steady, [](const json& status) {
    return status["state"] == "RUNNING" && status["records_in_per_second"].get<double>() > 0 &&
           status["records_out_per_second"].get<double>() > 0;
  });
  CHECK(running["vertices"].size() == 2);
  CHECK(Has(cluster.Run({"list"}).out, steady + "  RUNNING"));
  CHECK(cluster.Run({"logs", steady}).exit_code == kExitOk);
  CHECK(cluster.Run({"cancel", steady}).exit_code == kExitOk);
  cluster.Await(steady, [](const json& status) { return status["state"] == "CANCELED"; });

  const auto bundled = cluster.Run({"run", "--bundle", PENSTOCK_JOB_PROGRAM, "--", "--mode", "finish"});
  CAPTURE(bundled.out, bundled.err);
  CHECK(bundled.exit_code == kExitOk);
  CHECK(Has(bundled.out, "is FINISHED"));

  const auto thrown = cluster.Run({"run", PENSTOCK_JOB_PROGRAM, "--", "--mode", "throw"});
  CAPTURE(thrown.out, thrown.err);
  CHECK(thrown.exit_code == kExitJobFailed);
  CHECK(Has(thrown.err, "no such customer"));

  const std::string waiting = cluster.Submit({"-p", "9", PENSTOCK_JOB_PROGRAM, "--", "--mode", "run"});
  const json status = cluster.Await(waiting, [](const json& one) { return one["waits_for"] != ""; });
  CHECK(status["waits_for"] == "waiting for 9 slots: have 4");
  CHECK(cluster.Run({"cancel", waiting}).exit_code == kExitOk);

  const json shown = json::parse(cluster.Run({"cluster", "status", "--json"}).out);
  REQUIRE(shown["processes"].size() == 3);
  const std::string rest = shown["rest"].get<std::string>();
  const auto taken = cluster.Start(rest.substr(rest.rfind(':') + 1), "other");
  CHECK(taken.exit_code == kExitRefused);
  CHECK(Has(taken.err, "Address already in use; set rest.port"));

  CHECK(Has(cluster.Run({"cluster", "stop"}).out, "3 processes ended"));
  for (const json& process : shown["processes"]) CHECK_FALSE(IsAlive(process["pid"].get<int>()));
}

}  // namespace penstock::cli
