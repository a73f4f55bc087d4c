#include <catch2/catch.hpp>
#include <stdexcept>

#include "runtime/core/stack_trace.h"

namespace penstock {

__attribute__((noinline)) void ThrowFromNamedFunction(int depth) {
  if (depth > 0) return ThrowFromNamedFunction(depth - 1);
  throw std::runtime_error("thrown here");
}

namespace {

TEST_CASE("The stack of a caught exception names the function that threw", "[core]") {
  try {
    ThrowFromNamedFunction(2);
    FAIL("nothing was thrown");
  } catch (const std::runtime_error&) {
  }
  const std::string stack = SymbolizeHere(LastThrowStack());
  CHECK(stack.find("#0 penstock::ThrowFromNamedFunction(int)") == 0);
  CHECK(stack.find("throw_trace_test.cc:") != std::string::npos);
}

TEST_CASE("Addresses that nobody knows are shown as numbers", "[core]") {
  CHECK(SymbolizeHere({reinterpret_cast<void*>(0x10)}) == "#0 0x10\n");
  CHECK(SymbolizeHere({}).empty());
}

TEST_CASE("A crash file of foreign modules is readable even when they are gone", "[core]") {
  const std::string text = SymbolizeCrashFile("signal 11 1 8\nframe 10 0 ?\nframe 20 5 /no/such/file\n");
  CHECK(text == "SIGSEGV at address 0x8\n#0 0x10 in ?\n#1 0x20 in /no/such/file\n");
}

}  // namespace
}  // namespace penstock
