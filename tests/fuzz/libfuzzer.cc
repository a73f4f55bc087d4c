// libFuzzer's entry. PENSTOCK_FUZZ_TARGET in the environment names the target.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "tests/fuzz/target.h"

namespace {

const penstock::fuzz::Target& Chosen() {
  static const penstock::fuzz::Target chosen = [] {
    const char* name = std::getenv("PENSTOCK_FUZZ_TARGET");
    for (const penstock::fuzz::Target& target : penstock::fuzz::AllTargets()) {
      if (name != nullptr && std::strcmp(name, target.name) == 0) return target;
    }
    std::fprintf(stderr, "PENSTOCK_FUZZ_TARGET names no target\n");
    std::exit(2);
  }();
  return chosen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Chosen().run({reinterpret_cast<const char*>(data), size});
  return 0;
}
