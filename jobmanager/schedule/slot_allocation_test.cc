#include "jobmanager/schedule/slot_allocation.h"

#include <catch2/catch.hpp>
#include <numeric>
#include <set>

namespace penstock::jobmanager {
namespace {

proto::JobGraph GraphOf(std::vector<int32_t> parallelisms) {
  proto::JobGraph graph;
  for (int32_t parallelism : parallelisms) {
    proto::Vertex* vertex = graph.add_vertices();
    vertex->set_id(std::to_string(graph.vertices_size()));
    vertex->set_parallelism(parallelism);
  }
  return graph;
}

TEST_CASE("A job needs as many slots as its widest vertex is parallel", "[schedule]") {
  CHECK(SlotsNeeded(GraphOf({2, 5, 1})) == 5);
  CHECK(SlotsNeeded(GraphOf({})) == 0);
}

TEST_CASE("Slots are all or nothing", "[schedule]") {
  CHECK_FALSE(AllocateSlots({{"a", 2}}, 3).has_value());
  CHECK_FALSE(AllocateSlots({}, 1).has_value());
  CHECK(AllocateSlots({{"a", 2}, {"b", 1}}, 3).has_value());
}

TEST_CASE("Slots are dealt evenly, and every index exactly once", "[schedule]") {
  const SlotShares two = *AllocateSlots({{"a", 2}, {"b", 2}}, 4);
  CHECK(two == SlotShares{{"a", {0, 2}}, {"b", {1, 3}}});
  const SlotShares uneven = *AllocateSlots({{"a", 1}, {"b", 4}, {"c", 2}}, 5);
  CHECK(uneven == SlotShares{{"a", {2}}, {"b", {0, 3}}, {"c", {1, 4}}});
  for (int32_t needed = 1; needed <= 40; ++needed) {
    const SlotShares shares = *AllocateSlots({{"a", 7}, {"b", 13}, {"c", 20}, {"full", 0}}, needed);
    std::set<int32_t> seen;
    size_t count = 0;
    for (const auto& [id, slots] : shares) {
      CHECK(id != "full");
      seen.insert(slots.begin(), slots.end());
      count += slots.size();
    }
    CHECK(count == static_cast<size_t>(needed));
    CHECK(seen.size() == count);
    CHECK(*seen.rbegin() == needed - 1);
  }
}

TEST_CASE("A host gets the indices again that it had before", "[schedule]") {
  const SlotShares before{{"b", {0, 2}}, {"c", {1, 3}}};
  CHECK(*AllocateSlots({{"a", 2}, {"b", 2}}, 4, before) == SlotShares{{"a", {1, 3}}, {"b", {0, 2}}});
  CHECK(*AllocateSlots({{"b", 2}, {"c", 2}}, 4, before) == before);
  CHECK(*AllocateSlots({{"a", 2}, {"b", 1}, {"c", 1}}, 4, before) == SlotShares{{"a", {2, 3}}, {"b", {0}}, {"c", {1}}});
  // Rescaled: what is left of them.
  CHECK(*AllocateSlots({{"b", 2}, {"c", 2}}, 2, before) == SlotShares{{"b", {0}}, {"c", {1}}});
  CHECK(*AllocateSlots({{"b", 4}, {"c", 4}}, 6, before) == SlotShares{{"b", {0, 2, 4}}, {"c", {1, 3, 5}}});
}

TEST_CASE("Slot i runs subtask i of every vertex that has one", "[schedule]") {
  const auto subtasks = SubtasksOf(GraphOf({1, 3}), {0, 2});
  REQUIRE(subtasks.size() == 3);
  CHECK((subtasks[0].vertex_id() == "1" && subtasks[0].subtask() == 0));
  CHECK((subtasks[1].vertex_id() == "2" && subtasks[1].subtask() == 0));
  CHECK((subtasks[2].vertex_id() == "2" && subtasks[2].subtask() == 2));
}

}  // namespace
}  // namespace penstock::jobmanager
