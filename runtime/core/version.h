// The versions that processes tell each other. A peer of another version is refused, with both versions named.
#ifndef PENSTOCK_RUNTIME_CORE_VERSION_H_
#define PENSTOCK_RUNTIME_CORE_VERSION_H_

#include <cstdint>
#include <string_view>

namespace penstock {

inline constexpr std::string_view kEngineVersion = "0.1.0";
inline constexpr int32_t kControlVersion = 1;  // proto/control.proto
inline constexpr int32_t kGraphVersion = 1;    // proto/graph.proto
#if defined(__x86_64__)
inline constexpr std::string_view kMachine = "x86_64";
#elif defined(__aarch64__)
inline constexpr std::string_view kMachine = "aarch64";
#else
#error "name this machine as `uname -m` does"
#endif

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_CORE_VERSION_H_
