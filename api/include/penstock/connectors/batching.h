// How sinks that write over the network gather records into batches, and what they do about errors that may pass.
#ifndef PENSTOCK_CONNECTORS_BATCHING_H_
#define PENSTOCK_CONNECTORS_BATCHING_H_

#include <chrono>
#include <cstddef>
#include <string>

namespace penstock {

// A batch goes when it is full, when its first record has waited for `linger`, and before each checkpoint.
struct Batching {
  int records_max = 500;
  size_t bytes_max = 1 << 20;  // a record that is larger goes alone
  std::chrono::milliseconds linger{100};
};

// Waits between tries grow twofold from `first` to `longest`, each shortened at random by up to a half. After
// `give_up` the task fails, and the job's restart strategy takes over.
struct Retrying {
  std::chrono::milliseconds first{100};
  std::chrono::milliseconds longest{10'000};
  std::chrono::milliseconds give_up{300'000};
};

// What is wrong with them, as "; "-separated text; empty: nothing.
inline std::string ProblemsOf(const Batching& batching, const Retrying& retrying) {
  std::string problems;
  const auto require = [&](bool holds, const char* text) {
    if (!holds) problems += (problems.empty() ? "" : "; ") + std::string(text);
  };
  require(batching.records_max >= 1 && batching.records_max <= 100'000,
          ".batching.records_max is not within 1 to 100000");
  require(batching.bytes_max >= 1 && batching.bytes_max <= (64u << 20),
          ".batching.bytes_max is not within 1 B to 64 MB");
  require(batching.linger.count() >= 0, ".batching.linger is negative");
  require(retrying.first.count() >= 1, ".retrying.first is below 1 ms");
  require(retrying.longest >= retrying.first, ".retrying.longest is shorter than .retrying.first");
  require(retrying.give_up.count() >= 0, ".retrying.give_up is negative");
  return problems;
}

}  // namespace penstock

#endif  // PENSTOCK_CONNECTORS_BATCHING_H_
