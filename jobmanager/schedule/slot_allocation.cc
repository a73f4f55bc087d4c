#include "jobmanager/schedule/slot_allocation.h"

#include <algorithm>
#include <set>
#include <utility>

namespace penstock::jobmanager {

int32_t SlotsNeeded(const proto::JobGraph& graph) {
  int32_t needed = 0;
  for (const proto::Vertex& vertex : graph.vertices()) needed = std::max(needed, vertex.parallelism());
  return needed;
}

// Deals the indices anew; each host keeps its number of them.
static SlotShares KeepIndices(const SlotShares& dealt, int32_t needed, const SlotShares& before) {
  std::set<int32_t> left;
  for (int32_t slot = 0; slot < needed; ++slot) left.insert(left.end(), slot);
  SlotShares shares;
  for (const auto& [id, slots] : dealt) {
    std::vector<int32_t>& kept = shares[id];
    const auto had = before.find(id);
    if (had == before.end()) continue;
    for (const int32_t slot : had->second) {
      if (kept.size() < slots.size() && left.erase(slot) > 0) kept.push_back(slot);
    }
  }
  for (const auto& [id, slots] : dealt) {
    std::vector<int32_t>& kept = shares[id];
    while (kept.size() < slots.size()) kept.push_back(left.extract(left.begin()).value());
    std::ranges::sort(kept);
  }
  return shares;
}

std::optional<SlotShares> AllocateSlots(const std::map<std::string, int32_t>& free_slots, int32_t needed,
                                        const SlotShares& before) {
  std::vector<std::pair<int32_t, std::string>> hosts;
  int64_t total = 0;
  for (const auto& [id, free] : free_slots) {
    if (free <= 0) continue;
    hosts.emplace_back(free, id);
    total += free;
  }
  if (total < needed) return std::nullopt;
  std::ranges::stable_sort(hosts, [](const auto& a, const auto& b) { return a.first > b.first; });
  SlotShares shares;
  int32_t slot = 0;
  while (slot < needed) {
    for (auto& [free, id] : hosts) {
      if (free == 0 || slot == needed) continue;
      --free;
      shares[id].push_back(slot++);
    }
  }
  return before.empty() ? shares : KeepIndices(shares, needed, before);
}

std::vector<proto::SubtaskRef> SubtasksOf(const proto::JobGraph& graph, const std::vector<int32_t>& slots) {
  std::vector<proto::SubtaskRef> subtasks;
  for (const proto::Vertex& vertex : graph.vertices()) {
    for (int32_t slot : slots) {
      if (slot >= vertex.parallelism()) continue;
      proto::SubtaskRef& ref = subtasks.emplace_back();
      ref.set_vertex_id(vertex.id());
      ref.set_subtask(slot);
    }
  }
  return subtasks;
}

}  // namespace penstock::jobmanager
