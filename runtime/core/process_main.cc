#include "runtime/core/process_main.h"

#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string_view>

#include "runtime/core/status.h"
#include "runtime/core/version.h"

extern char** environ;

namespace penstock {
namespace {

sigset_t TerminationSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  return set;
}

absl::Status TakeOverride(std::string_view text, ConfigSources* sources) {
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return InvalidArgument("-D{} has no value: write -Dkey=value", text);
  }
  sources->overrides.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Config> ConfigFromCommandLine(int argc, char** argv, const std::string& process_name) {
  ConfigSources sources;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const size_t equals = text.find('=');
    if (text.starts_with("PENSTOCK_") && equals != std::string_view::npos) {
      sources.environment[std::string(text.substr(0, equals))] = text.substr(equals + 1);
    }
  }
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--help") {
      fmt::print("usage: {} [--config FILE] [-Dkey=value]...\n", process_name);
      return absl::CancelledError();
    }
    if (argument == "--version") {
      fmt::print("{} {}\n", process_name, kEngineVersion);
      return absl::CancelledError();
    }
    const bool has_value = i + 1 < argc;
    if (argument == "--config" && has_value) {
      sources.file = argv[++i];
    } else if (argument == "-D" && has_value) {
      PENSTOCK_RETURN_IF_ERROR(TakeOverride(argv[++i], &sources));
    } else if (argument.starts_with("-D")) {
      PENSTOCK_RETURN_IF_ERROR(TakeOverride(argument.substr(2), &sources));
    } else {
      return InvalidArgument("argument '{}' is unknown: use --config FILE or -Dkey=value", argument);
    }
  }
  return Config::Load(sources);
}

absl::StatusOr<std::string> ReadClusterToken(const Config& config) {
  const std::string path = config.GetString("cluster.token-file");
  if (path.empty()) return std::string();
  std::ifstream in(path);
  std::string token;
  if (!std::getline(in, token) || token.empty()) {
    return FailedPrecondition("cluster.token-file: {} cannot be read or is empty", path);
  }
  return token;
}

void BlockTerminationSignals() {
  const sigset_t set = TerminationSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

void AwaitTerminationSignal() {
  const sigset_t set = TerminationSignals();
  int signal_number = 0;
  sigwait(&set, &signal_number);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

absl::Status WritePortsFile(const std::string& path, const std::map<std::string, std::string>& ports) {
  const std::string temporary = fmt::format("{}.{}", path, getpid());
  {
    std::ofstream out(temporary);
    for (const auto& [key, value] : ports) out << key << '=' << value << '\n';
    out.flush();
    if (!out) return FailedPrecondition("io.ports-file: cannot write {}", temporary);
  }
  std::error_code error;
  std::filesystem::rename(temporary, path, error);
  if (error) return FailedPrecondition("io.ports-file: cannot write {}: {}", path, error.message());
  return absl::OkStatus();
}

}  // namespace penstock
