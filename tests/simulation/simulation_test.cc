// Seeds of the simulation: faults for a while, then peace, in which the job must come to its end with exact output.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <string>

#include "runtime/core/log.h"
#include "runtime/core/status.h"
#include "tests/simulation/cluster.h"

namespace penstock::simulation {
namespace {

constexpr int64_t kFaultsMs = 12'000;
constexpr int64_t kPeaceMs = 120'000;
constexpr int kSeedsAlways = 200;

struct Outcome {
  std::string failure;
  int refused = 0;
  int deposed = 0;
  size_t leaders = 0;
  size_t attempts = 0;
};

class Run {
 public:
  explicit Run(unsigned seed) : world_(seed) {}

  Outcome ToItsEnd() {
    NewLeader();
    const int64_t heal_ms = world_.time.now_ms() + kFaultsMs;
    world_.time.After(kFaultsMs, [this] { Heal(); });
    NextFault();
    const auto& checker = world_.checker;
    while (checker.failure().empty() && !Done() && world_.time.now_ms() < heal_ms + kPeaceMs) {
      if (!world_.time.Step()) break;
    }
    if (checker.failure().empty() && !Done()) world_.checker.Fail("the job did not come to its end: " + Progress());
    return {checker.failure(), world_.refused, world_.deposed, world_.leaders.size(), world_.workers.size() / kWorkers};
  }

 private:
  bool Done() {
    for (int slot = 0; slot < kWorkers; ++slot) {
      if (world_.checker.committed(slot) < kRecords) return false;
    }
    return true;
  }
  std::string Progress() {
    std::string text;
    for (int slot = 0; slot < kWorkers; ++slot) text += fmt::format("{} ", world_.checker.committed(slot));
    return text;
  }

  // Who led before is dead, or asleep, or believes to lead still.
  void NewLeader() {
    const uint64_t epoch = world_.leaders.size() + 1;
    world_.leaders.push_back(std::make_shared<Leader>(world_, epoch));
    world_.leaders.back()->Start();
    for (const auto& worker : world_.workers) {
      // Hosts kill what the new leader does not know; whom they cannot reach ends with its lease.
      world_.time.After(world_.time.Random(kLeaseMs), [worker] { worker->Kill(); });
    }
  }

  void NextFault() {
    world_.time.After(100 + world_.time.Random(900), [this] {
      if (world_.healed) return;
      Fault();
      NextFault();
    });
  }

  void Fault() {
    const std::shared_ptr<Leader> leader = world_.leaders.back();
    Scheduler& time = world_.time;
    const int64_t kind = time.Random(9);
    if (kind <= 3) return KillWorker();
    if (kind <= 5) return world_.broker.TimeOut(static_cast<int>(time.Random(kWorkers - 1)));
    if (leader->dead() || leader->paused()) return;
    if (kind == 6) {
      leader->Kill();
      time.After(time.Random(500), [this] { NewLeader(); });
    } else if (kind == 7) {
      leader->Pause();  // a short sleep: nobody takes over
      time.After(time.Random(800), [leader] { leader->Resume(); });
    } else if (kind == 8) {
      leader->Pause();
      time.After(kLeaseMs, [this] { NewLeader(); });
      time.After(kLeaseMs + time.Random(3'000), [leader] { leader->Resume(); });
      // It looks for a larger epoch now and then, and ends.
      time.After(kLeaseMs + 3'000 + time.Random(2'000), [leader] { leader->Kill(); });
    } else {
      NewLeader();  // two at once: the lock was lost without a sign
      time.After(time.Random(4'000), [leader] { leader->Kill(); });
    }
  }

  // A process dies; its host says so.
  void KillWorker() {
    if (world_.workers.empty()) return;
    const size_t recent = std::min<size_t>(world_.workers.size(), kWorkers);
    const auto worker = world_.workers[world_.workers.size() - 1 - static_cast<size_t>(world_.time.Random(recent - 1))];
    if (worker->dead()) return;
    worker->Kill();
    for (const auto& leader : world_.leaders) {
      world_.time.After(world_.time.Random(2'000), [leader, attempt = worker->attempt()] {
        leader->Do([attempt](Leader& l) { l.OnWorkerLost(attempt); });
      });
    }
  }

  void Heal() {
    world_.healed = true;
    for (size_t i = 0; i + 1 < world_.leaders.size(); ++i) world_.leaders[i]->Kill();
    const auto leader = world_.leaders.back();
    world_.time.After(kLeaseMs, [this, leader] {
      if (leader == world_.leaders.back() && (leader->dead() || leader->paused())) {
        leader->Kill();
        NewLeader();
      }
    });
  }

  World world_;
};

int NumberFrom(const char* variable, int otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::atoi(text);
}

TEST_CASE("whatever happens to leaders, workers and messages, output is exact and decisions are single",
          "[simulation]") {
  log::Init("simulation", log::Level::error);
  const int first = NumberFrom("PENSTOCK_SIMULATION_SEED", 1);
  const int seeds =
      std::getenv("PENSTOCK_SIMULATION_SEED") != nullptr ? 1 : NumberFrom("PENSTOCK_SIMULATION_SEEDS", kSeedsAlways);
  Outcome all;
  for (int seed = first; seed < first + seeds; ++seed) {
    const Outcome outcome = Run(static_cast<unsigned>(seed)).ToItsEnd();
    INFO("seed " << seed << ", " << outcome.leaders << " leaders, " << outcome.attempts << " attempts");
    CHECK(outcome.failure == "");
    all.refused += outcome.refused;
    all.deposed += outcome.deposed;
    all.leaders += outcome.leaders;
    all.attempts += outcome.attempts;
  }
  // The faults do happen.
  if (seeds >= kSeedsAlways) {
    CHECK(all.refused > 0);
    CHECK(all.deposed > 0);
    CHECK(all.leaders > static_cast<size_t>(2 * seeds));
    CHECK(all.attempts > static_cast<size_t>(4 * seeds));
  }
}

}  // namespace
}  // namespace penstock::simulation
