#include "taskmanager/host/machine.h"

#include <thread>

namespace penstock::taskmanager {

int32_t CpuCores() { return static_cast<int32_t>(std::thread::hardware_concurrency()); }

}  // namespace penstock::taskmanager
