// What memory this machine, and the cgroup this process runs in, have. Reads files of the kernel; no state.
#ifndef PENSTOCK_RUNTIME_CORE_MEMORY_CGROUP_MEMORY_H_
#define PENSTOCK_RUNTIME_CORE_MEMORY_CGROUP_MEMORY_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace penstock {

// The content of a file; nothing when it cannot be read.
using ReadFileFn = std::function<std::optional<std::string>(const std::string& path)>;

// The tightest limit that holds for a process, of cgroups v2 and v1, its own group and those above; nothing without
// one. A limit of v1 beyond any machine's memory means none.
std::optional<int64_t> CgroupMemoryLimit(const ReadFileFn& read);

int64_t PhysicalMemoryBytes();
int64_t FreeMemoryBytes();  // what could be used without swapping; 0 when unknown
// What a TaskManager may use when nobody says how much: the cgroup's limit, less what the TaskManager itself needs;
// without one three quarters of the machine's memory, because others live there, too.
int64_t UsableMemoryBytes(int64_t physical_bytes, std::optional<int64_t> cgroup_limit);
int64_t UsableMemoryBytes();

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_CORE_MEMORY_CGROUP_MEMORY_H_
