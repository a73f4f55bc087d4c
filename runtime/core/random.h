// Random bytes from the kernel, for ids and tokens that must not be guessed or repeated. Thread-safe.
#ifndef PENSTOCK_RUNTIME_CORE_RANDOM_H_
#define PENSTOCK_RUNTIME_CORE_RANDOM_H_

#include <cstddef>
#include <cstdint>
#include <string>

namespace penstock {

uint64_t RandomU64();
// `bytes` random bytes as lower-case hex digits (twice as many characters).
std::string RandomHex(size_t bytes);

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_CORE_RANDOM_H_
