#include "cli/cluster_state.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "runtime/core/status.h"

namespace penstock::cli {
namespace {

namespace fs = std::filesystem;

std::string DefaultFolder() {
  if (const char* run_dir = std::getenv("PENSTOCK_RUN_DIR")) return run_dir;
  const char* home = std::getenv("HOME");
  return std::string(home != nullptr ? home : "/tmp") + "/.penstock/cluster";
}

// Fields of /proc/<pid>/stat after the command name: [0] is the state, [19] the start time. Empty when it has ended.
std::vector<std::string> StatOf(int pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  const std::string line((std::istreambuf_iterator<char>(file)), {});
  const size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return {};
  std::istringstream words(line.substr(name_end + 1));
  std::vector<std::string> fields;
  for (std::string word; words >> word;) fields.push_back(word);
  return fields;
}

std::string StartTimeOf(int pid) {
  const auto fields = StatOf(pid);
  return fields.size() > 19 ? fields[19] : "";
}

}  // namespace

bool IsAlive(int pid) {
  const auto fields = StatOf(pid);
  return !fields.empty() && fields[0] != "Z" && fields[0] != "X";
}

ClusterState::ClusterState() : folder_(DefaultFolder()) {}

std::vector<ClusterProcess> ClusterState::Processes() const {
  std::vector<ClusterProcess> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder_, error)) {
    if (entry.path().extension() != ".pid") continue;
    std::ifstream file(entry.path());
    int pid = 0;
    std::string start_time;
    if (!(file >> pid >> start_time)) continue;
    const bool alive = IsAlive(pid) && StartTimeOf(pid) == start_time;
    found.push_back({.name = entry.path().stem().string(), .pid = pid, .alive = alive});
  }
  std::sort(found.begin(), found.end(),
            [](const ClusterProcess& a, const ClusterProcess& b) { return a.name > b.name; });
  return found;
}

std::map<std::string, std::string> ClusterState::Ports(const std::string& name) const {
  std::map<std::string, std::string> ports;
  std::ifstream file(PortsFile(name));
  for (std::string line; std::getline(file, line);) {
    const size_t equals = line.find('=');
    if (equals != std::string::npos) ports[line.substr(0, equals)] = line.substr(equals + 1);
  }
  return ports;
}

std::map<std::string, std::string> ClusterState::JobManagerPorts() const {
  for (const ClusterProcess& process : Processes()) {
    if (process.name == "jobmanager" && process.alive) return Ports(process.name);
  }
  return {};
}

absl::Status ClusterState::MakeFolders() const {
  std::error_code error;
  fs::create_directories(folder_ + "/log", error);
  if (error) return FailedPrecondition("can't make '{}': {}; PENSTOCK_RUN_DIR names another", folder_, error.message());
  chmod(folder_.c_str(), 0700);
  return absl::OkStatus();
}

absl::Status ClusterState::Remember(const std::string& name, int pid) const {
  const std::string path = folder_ + "/" + name + ".pid";
  std::ofstream(path) << pid << " " << StartTimeOf(pid) << "\n";
  if (!fs::exists(path)) return FailedPrecondition("can't write '{}'", path);
  return absl::OkStatus();
}

void ClusterState::Forget(const std::string& name) const {
  std::error_code ignored;
  fs::remove(folder_ + "/" + name + ".pid", ignored);
  fs::remove(PortsFile(name), ignored);
}

}  // namespace penstock::cli
