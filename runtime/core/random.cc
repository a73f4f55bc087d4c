#include "runtime/core/random.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <cerrno>
#include <cstdlib>

namespace penstock {

uint64_t RandomU64() {
  uint64_t value = 0;
  ssize_t got = 0;
  do {
    got = getrandom(&value, sizeof(value), 0);
  } while (got < 0 && errno == EINTR);
  if (got != sizeof(value)) std::abort();  // a kernel without randomness: no id would be safe
  return value;
}

std::string RandomHex(size_t bytes) {
  std::string hex;
  while (hex.size() < bytes * 2) hex += fmt::format("{:016x}", RandomU64());
  hex.resize(bytes * 2);
  return hex;
}

}  // namespace penstock
