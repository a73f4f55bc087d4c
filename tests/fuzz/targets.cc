#include "tests/fuzz/target.h"

namespace penstock::fuzz {

std::vector<Target> AllTargets() {
  std::vector<Target> all(kWireTargets, kWireTargets + kWireTargetCount);
  all.insert(all.end(), kStateTargets, kStateTargets + kStateTargetCount);
  all.insert(all.end(), kKafkaTargets, kKafkaTargets + kKafkaTargetCount);
  return all;
}

}  // namespace penstock::fuzz
