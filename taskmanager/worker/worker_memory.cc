#include "taskmanager/worker/worker_memory.h"

#include <algorithm>

#include "runtime/core/log.h"

namespace penstock::worker {

void WorkerMemory::Watch(proto::WorkerMetrics* metrics) {
  MemoryBytes used;
  used[MemoryHolder::kNetwork] = pool_.used() * segment_bytes_;
  backends_.AddUsed(used);
  used[MemoryHolder::kRest] = std::max<int64_t>(metrics->rss_bytes() - used.Sum(), 0);
  const bool pressed_before = arbiter_.under_pressure();
  const MemoryBytes& budgets = arbiter_.Watch(used, metrics->rss_bytes());
  backends_.Rebudget(budgets);
  if (arbiter_.under_pressure() && !pressed_before) {
    PENSTOCK_LOG(warn, "{} MB of the {} MB granted are in use: caches are made smaller", metrics->rss_bytes() >> 20,
                 arbiter_.grant_bytes() >> 20);
  }
  metrics->set_memory_grant_bytes(arbiter_.grant_bytes());
  metrics->set_memory_pressure(arbiter_.under_pressure());
  for (int i = 0; i < kMemoryHolders; ++i) {
    const auto holder = static_cast<MemoryHolder>(i);
    proto::MemoryUse& use = *metrics->add_memory();
    use.set_holder(MemoryHolderName(holder));
    use.set_budget_bytes(budgets[holder]);
    use.set_used_bytes(used[holder]);
  }
}

}  // namespace penstock::worker
