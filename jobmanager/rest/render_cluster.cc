#include "jobmanager/rest/render_cluster.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "runtime/core/version.h"

namespace penstock::jobmanager {
namespace {

using nlohmann::json;

constexpr int64_t kBytesPerMb = 1 << 20;

int64_t MemoryOf(const TaskManagerSnapshot& taskmanager) {
  const int64_t limit = taskmanager.hello.memory_limit_bytes();
  return limit > 0 ? limit : taskmanager.hello.physical_memory_bytes();
}

// What `slots` of the TaskManager's slots stand for. Flink counts the memory of resources in megabytes.
json RenderResource(const TaskManagerSnapshot& taskmanager, int slots) {
  const double share = taskmanager.slots > 0 ? static_cast<double>(slots) / taskmanager.slots : 0;
  return {{"cpuCores", taskmanager.hello.cpu_cores() * share},
          {"taskHeapMemory", static_cast<int64_t>(static_cast<double>(MemoryOf(taskmanager) / kBytesPerMb) * share)},
          {"taskOffHeapMemory", 0},
          {"managedMemory", 0},
          {"networkMemory", 0},
          {"extendedResources", json::object()}};
}

json RenderMemoryConfiguration(int64_t memory_bytes) {
  return {{"frameworkHeap", 0},
          {"taskHeap", memory_bytes},
          {"frameworkOffHeap", 0},
          {"taskOffHeap", 0},
          {"networkMemory", 0},
          {"managedMemory", 0},
          {"jvmMetaspace", 0},
          {"jvmOverhead", 0},
          {"totalFlinkMemory", memory_bytes},
          {"totalProcessMemory", memory_bytes}};
}

json RenderSummary(const TaskManagerSnapshot& taskmanager) {
  const proto::HostHello& hello = taskmanager.hello;
  return {{"id", taskmanager.id},
          {"path", taskmanager.address},
          {"dataPort", -1},  // each worker has one of its own
          {"jmxPort", -1},
          {"timeSinceLastHeartbeat", taskmanager.last_heartbeat_ms},
          {"slotsNumber", taskmanager.slots},
          {"freeSlots", taskmanager.free_slots},
          {"blocked", false},
          {"totalResource", RenderResource(taskmanager, taskmanager.slots)},
          {"freeResource", RenderResource(taskmanager, taskmanager.free_slots)},
          {"hardware",
           {{"cpuCores", hello.cpu_cores()},
            {"physicalMemory", hello.physical_memory_bytes()},
            {"freeMemory", hello.free_memory_bytes()},
            {"managedMemory", 0}}},
          {"memoryConfiguration", RenderMemoryConfiguration(MemoryOf(taskmanager))}};
}

}  // namespace

json RenderConfig(int64_t refresh_interval_ms) {
  return {{"refresh-interval", refresh_interval_ms},
          {"timezone-name", "UTC"},
          {"timezone-offset", 0},
          {"flink-version", std::string(kEngineVersion)},
          {"flink-revision", ""},
          {"features", {{"web-submit", false}, {"web-cancel", false}, {"web-rescale", false}, {"web-history", false}}}};
}

json RenderOverview(const ClusterSnapshot& snapshot) {
  int slots = 0;
  int free_slots = 0;
  for (const TaskManagerSnapshot& taskmanager : snapshot.taskmanagers) {
    slots += taskmanager.slots;
    free_slots += taskmanager.free_slots;
  }
  int running = 0;
  int finished = 0;
  int cancelled = 0;
  int failed = 0;
  for (const auto& job : snapshot.jobs) {
    finished += job->state == JobState::kFinished;
    cancelled += job->state == JobState::kCanceled;
    failed += job->state == JobState::kFailed;
    running += !IsTerminal(job->state);
  }
  return {{"taskmanagers", snapshot.taskmanagers.size()},
          {"taskmanagers-blocked", 0},
          {"slots-total", slots},
          {"slots-available", free_slots},
          {"slots-free-and-blocked", 0},
          {"jobs-running", running},
          {"jobs-finished", finished},
          {"jobs-cancelled", cancelled},
          {"jobs-failed", failed},
          {"flink-version", std::string(kEngineVersion)},
          {"flink-commit", ""}};
}

json RenderTaskManagers(const ClusterSnapshot& snapshot) {
  json taskmanagers = json::array();
  for (const TaskManagerSnapshot& taskmanager : snapshot.taskmanagers) {
    taskmanagers.push_back(RenderSummary(taskmanager));
  }
  return {{"taskmanagers", std::move(taskmanagers)}};
}

json RenderTaskManager(const TaskManagerSnapshot& taskmanager) {
  json rendered = RenderSummary(taskmanager);
  json slots = json::array();
  for (const auto& allocation : taskmanager.allocations) {
    for (int i = 0; i < allocation.slots; ++i) {
      slots.push_back({{"jobId", allocation.job_id}, {"resource", RenderResource(taskmanager, 1)}});
    }
  }
  rendered["allocatedSlots"] = std::move(slots);
  json metrics = {{"heapMax", MemoryOf(taskmanager)}, {"garbageCollectors", json::array()}};
  for (const char* zero :
       {"heapUsed", "heapCommitted", "nonHeapUsed", "nonHeapCommitted", "nonHeapMax", "directCount", "directUsed",
        "directMax", "mappedCount", "mappedUsed", "mappedMax", "nettyShuffleMemoryAvailable", "nettyShuffleMemoryUsed",
        "nettyShuffleMemoryTotal", "nettyShuffleMemorySegmentsAvailable", "nettyShuffleMemorySegmentsUsed",
        "nettyShuffleMemorySegmentsTotal"}) {
    metrics[zero] = 0;
  }
  rendered["metrics"] = std::move(metrics);
  return rendered;
}

}  // namespace penstock::jobmanager
