#include "taskmanager/host/machine.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>
#include <thread>

namespace penstock::taskmanager {

int32_t CpuCores() { return static_cast<int32_t>(std::thread::hardware_concurrency()); }

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

int64_t MemoryLimitBytes() {
  int64_t limit = PhysicalMemoryBytes();
  for (const char* path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    int64_t bytes = 0;
    if (std::ifstream(path) >> bytes && bytes > 0) limit = std::min(limit, bytes);  // "max" is no number
  }
  return limit;
}

}  // namespace penstock::taskmanager
