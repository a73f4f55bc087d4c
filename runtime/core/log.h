// Logging: fmt-style lines to stderr (and so to the process's log file), one structured event per transition.
// PENSTOCK_LOG(info, "job {} is RUNNING", id). Thread-safe. spdlog stays behind log.cc.
#ifndef PENSTOCK_RUNTIME_CORE_LOG_H_
#define PENSTOCK_RUNTIME_CORE_LOG_H_

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace penstock::log {

enum class Level { debug, info, warn, error };

// Call once in main; `process` names the process in every line. Lines below `level` are dropped.
void Init(std::string_view process, Level level = Level::info);
bool Enabled(Level level);
void Write(Level level, std::string_view line);
// "debug", "info", "warn", "error"; anything else gives info.
Level ParseLevel(std::string_view name);

}  // namespace penstock::log

#define PENSTOCK_LOG(level, ...)                                                       \
  do {                                                                                 \
    if (::penstock::log::Enabled(::penstock::log::Level::level))                       \
      ::penstock::log::Write(::penstock::log::Level::level, fmt::format(__VA_ARGS__)); \
  } while (false)

#endif  // PENSTOCK_RUNTIME_CORE_LOG_H_
