// What a fuzzer runs.
#ifndef PENSTOCK_TESTS_FUZZ_TARGET_H_
#define PENSTOCK_TESTS_FUZZ_TARGET_H_

#include <string>
#include <string_view>
#include <vector>

namespace penstock::fuzz {

struct Target {
  const char* name;
  void (*run)(std::string_view bytes);
  std::vector<std::string> (*seeds)();  // well-formed inputs, from which mutations begin
  int slowness = 1;                     // fuzz_replay makes as many times fewer mutations
};

extern const Target kWireTargets[];
extern const size_t kWireTargetCount;
extern const Target kStateTargets[];
extern const size_t kStateTargetCount;
extern const Target kStorageTargets[];
extern const size_t kStorageTargetCount;
extern const Target kFormatTargets[];
extern const size_t kFormatTargetCount;
extern const Target kKafkaTargets[];
extern const size_t kKafkaTargetCount;

std::vector<Target> AllTargets();

}  // namespace penstock::fuzz

#endif  // PENSTOCK_TESTS_FUZZ_TARGET_H_
