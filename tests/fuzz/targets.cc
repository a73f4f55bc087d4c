#include "tests/fuzz/target.h"

namespace penstock::fuzz {

std::vector<Target> AllTargets() {
  std::vector<Target> all(kWireTargets, kWireTargets + kWireTargetCount);
  all.insert(all.end(), kStateTargets, kStateTargets + kStateTargetCount);
  all.insert(all.end(), kStorageTargets, kStorageTargets + kStorageTargetCount);
  all.insert(all.end(), kKafkaTargets, kKafkaTargets + kKafkaTargetCount);
  all.insert(all.end(), kFormatTargets, kFormatTargets + kFormatTargetCount);
  return all;
}

}  // namespace penstock::fuzz
