#include "runtime/state/window_table.h"

#include <catch2/catch.hpp>
#include <string>

namespace penstock {
namespace {

TEST_CASE("WindowTable fires windows oldest first, in slices", "[state]") {
  KeyedBackendOptions options;
  options.range = {0, 720};
  KeyedBackend backend(std::move(options));
  WindowTable<std::string, int> windows({.uid = "u",
                                         .name = "w",
                                         .kind = "window",
                                         .namespaced = true,
                                         .key = SchemaOf<std::string>(),
                                         .value = SchemaOf<int>()});
  REQUIRE(backend.Register(windows).ok());
  REQUIRE(backend.Start({}).ok());
  KeyHasher<std::string> hasher;
  for (int i = 0; i < 100; ++i) {
    const std::string key = std::to_string(i);
    windows.value(windows.FindOrInsert(i % 2 == 0 ? 2000 : 1000, hasher(key), key)) += i;
  }
  CHECK(windows.first_ns() == 1000);
  int taken = 0;
  int slices = 0;
  while (!windows.TakeFromFirst(7, [&](const std::string& key, int value) {
    ++taken;
    CHECK(std::to_string(value) == key);
    CHECK(value % 2 == 1);
  })) {
    ++slices;
  }
  CHECK(taken == 50);
  CHECK(slices == 7);
  CHECK(windows.first_ns() == 2000);
  CHECK(windows.entries() == 50);
}

}  // namespace
}  // namespace penstock
