// Which slots of which hosts a job gets. Pure.
//
// A slot holds subtask i of every vertex of the job, so a job needs as many slots as its widest vertex is parallel.
// Slots are dealt round the hosts, those with most free slots first, so that subtasks spread evenly.
#ifndef PENSTOCK_JOBMANAGER_SCHEDULE_SLOT_ALLOCATION_H_
#define PENSTOCK_JOBMANAGER_SCHEDULE_SLOT_ALLOCATION_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "proto/control.pb.h"
#include "proto/graph.pb.h"

namespace penstock::jobmanager {

// By TaskManager id: the slot indices (= subtask indices) it holds, ascending. Every index in [0, needed) once.
using SlotShares = std::map<std::string, std::vector<int32_t>>;

int32_t SlotsNeeded(const proto::JobGraph& graph);

// Nothing when there are fewer free slots than needed: a job gets all of them or none. before: of the attempt before;
// a host gets the same indices again as far as it can, because copies of their state lie on its disk.
std::optional<SlotShares> AllocateSlots(const std::map<std::string, int32_t>& free_slots, int32_t needed,
                                        const SlotShares& before = {});

// The subtasks that run in these slots, in the graph's order of vertices.
std::vector<proto::SubtaskRef> SubtasksOf(const proto::JobGraph& graph, const std::vector<int32_t>& slots);

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_SCHEDULE_SLOT_ALLOCATION_H_
