// What this machine has: for the registration of a host.
#ifndef PENSTOCK_TASKMANAGER_HOST_MACHINE_H_
#define PENSTOCK_TASKMANAGER_HOST_MACHINE_H_

#include <cstdint>

namespace penstock::taskmanager {

int32_t CpuCores();
int64_t PhysicalMemoryBytes();
int64_t FreeMemoryBytes();  // what could be used without swapping; 0 when unknown
// The cgroup's limit (v2 or v1), at most the physical memory.
int64_t MemoryLimitBytes();

}  // namespace penstock::taskmanager

#endif  // PENSTOCK_TASKMANAGER_HOST_MACHINE_H_
