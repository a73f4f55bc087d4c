#include "runtime/core/memory/cgroup_memory.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

namespace penstock {
namespace {

constexpr int64_t kHostReserveBytes = 96 << 20;  // of a penstock-taskmanager process, and what it starts for a moment
constexpr int64_t kNoLimitBytes = int64_t{1} << 60;

std::optional<std::string> ReadWholeFile(const std::string& path) {
  std::ifstream in(path);
  if (!in) return std::nullopt;
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

// The number in a file of one line; nothing for "max".
std::optional<int64_t> ReadLimit(const ReadFileFn& read, const std::string& path) {
  const std::optional<std::string> text = read(path);
  if (!text) return std::nullopt;
  int64_t bytes = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), bytes);
  if (error != std::errc() || bytes <= 0 || bytes >= kNoLimitBytes) return std::nullopt;
  return bytes;
}

// Of the group and all above it: any of them may hold the limit. In a container the group's path may be that of the
// host, which is not to be seen; then the mount itself is the group.
void Tighten(const ReadFileFn& read, const std::string& mount, std::string group, const std::string& file,
             std::optional<int64_t>& limit) {
  while (true) {
    if (group == "/") group.clear();
    if (const std::optional<int64_t> found = ReadLimit(read, mount + group + "/" + file)) {
      limit = std::min(limit.value_or(*found), *found);
    }
    if (group.empty()) return;
    group.resize(group.rfind('/'));
  }
}

bool HasController(const std::string& list, std::string_view name) {
  std::istringstream names(list);
  for (std::string one; std::getline(names, one, ',');) {
    if (one == name) return true;
  }
  return false;
}

}  // namespace

std::optional<int64_t> CgroupMemoryLimit(const ReadFileFn& read) {
  // Lines of "id:controllers:path"; version 2 is the one without controllers.
  std::string v2_group;
  std::string v1_group;
  std::istringstream lines(read("/proc/self/cgroup").value_or(""));
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find(':');
    const size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const std::string group = line.substr(second + 1);
    if (!group.starts_with('/')) continue;
    if (controllers.empty()) v2_group = group;
    if (HasController(controllers, "memory")) v1_group = group;
  }
  std::optional<int64_t> limit;
  Tighten(read, "/sys/fs/cgroup", v2_group, "memory.max", limit);
  Tighten(read, "/sys/fs/cgroup/memory", v1_group, "memory.limit_in_bytes", limit);
  return limit;
}

int64_t PhysicalMemoryBytes() { return static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGESIZE); }

int64_t FreeMemoryBytes() {
  std::ifstream in("/proc/meminfo");
  std::string key;
  int64_t kilobytes = 0;
  std::string unit;
  while (in >> key >> kilobytes && std::getline(in, unit)) {
    if (key == "MemAvailable:") return kilobytes * 1024;
  }
  return 0;
}

int64_t UsableMemoryBytes(int64_t physical_bytes, std::optional<int64_t> cgroup_limit) {
  const int64_t of_machine = physical_bytes / 4 * 3;
  if (!cgroup_limit || *cgroup_limit >= physical_bytes) return of_machine;
  return std::max(*cgroup_limit - kHostReserveBytes, *cgroup_limit / 2);
}

int64_t UsableMemoryBytes() { return UsableMemoryBytes(PhysicalMemoryBytes(), CgroupMemoryLimit(ReadWholeFile)); }

}  // namespace penstock
