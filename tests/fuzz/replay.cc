// The targets without libFuzzer: seeds and random mutations of them.
#include <cstdio>
#include <cstdlib>
#include <random>
#include <string>

#include "tests/fuzz/target.h"

namespace {

constexpr int kRounds = 50'000;  // per seed input
constexpr int kMutationsMax = 4;
constexpr size_t kGrowthMax = 64;

void Mutate(std::string& bytes, std::mt19937_64& random) {
  const size_t at = bytes.empty() ? 0 : random() % bytes.size();
  switch (random() % 5) {
    case 0:  // a bit
      if (!bytes.empty()) bytes[at] = static_cast<char>(bytes[at] ^ (1 << (random() % 8)));
      break;
    case 1:  // a number at its edge
      if (!bytes.empty()) bytes[at] = static_cast<char>(random() % 2 == 0 ? 0xff : 0x00);
      break;
    case 2:
      bytes.resize(at);
      break;
    case 3:
      bytes.insert(at, std::string(1 + random() % kGrowthMax, static_cast<char>(random())));
      break;
    default:
      bytes.insert(at, bytes.substr(bytes.size() / 2, kGrowthMax));
  }
}

}  // namespace

int main() {
  const char* given = std::getenv("PENSTOCK_FUZZ_SEED");
  const uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device()();
  std::printf("PENSTOCK_FUZZ_SEED=%llu\n", static_cast<unsigned long long>(seed));
  std::fflush(stdout);
  for (const penstock::fuzz::Target& target : penstock::fuzz::AllTargets()) {
    std::mt19937_64 random(seed);
    int runs = 0;
    for (const std::string& input : target.seeds()) {
      target.run(input);
      for (int round = 0; round < kRounds / target.slowness; ++round, ++runs) {
        std::string mutated = input;
        for (uint64_t i = 0; i <= random() % kMutationsMax; ++i) Mutate(mutated, random);
        target.run(mutated);
      }
    }
    std::printf("%s: %d inputs\n", target.name, runs);
    std::fflush(stdout);
    if (runs == 0) return 1;
  }
  return 0;
}
