// What this machine has: for the registration of a host.
#ifndef PENSTOCK_TASKMANAGER_HOST_MACHINE_H_
#define PENSTOCK_TASKMANAGER_HOST_MACHINE_H_

#include <cstdint>

namespace penstock::taskmanager {

int32_t CpuCores();

}  // namespace penstock::taskmanager

#endif  // PENSTOCK_TASKMANAGER_HOST_MACHINE_H_
