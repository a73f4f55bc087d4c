// Where a test's checkpoints lie, and the plans to take them and to begin from them.
#ifndef PENSTOCK_TASKMANAGER_WORKER_TESTING_CHECKPOINT_DIRECTORY_H_
#define PENSTOCK_TASKMANAGER_WORKER_TESTING_CHECKPOINT_DIRECTORY_H_

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "proto/checkpoint.pb.h"
#include "proto/control.pb.h"
#include "runtime/checkpoint/manifest.h"
#include "runtime/core/storage/storage.h"

namespace penstock::worker {

// Checkpoint storage in a directory of its own.
class CheckpointDirectory {
 public:
  CheckpointDirectory() : path_(std::filesystem::temp_directory_path() / ("checkpoints-" + std::to_string(getpid()))) {
    std::filesystem::remove_all(path_);
  }
  ~CheckpointDirectory() { std::filesystem::remove_all(path_); }

  proto::CheckpointPlan Plan(const std::string& generation) const {
    proto::CheckpointPlan plan;
    plan.set_enabled(true);
    plan.set_generation(generation);
    plan.set_storage(path_);
    plan.set_job_directory("job");
    return plan;
  }
  // Stores the manifest and gives the plan to begin from it.
  proto::CheckpointPlan RestorePlan(const std::string& generation, proto::Manifest manifest) const {
    manifest.set_generation("first");
    proto::CheckpointPlan plan = Plan(generation);
    plan.set_restore_directory("job");
    plan.set_restore_manifest(ManifestName("job", manifest.checkpoint_id()));
    plan.set_restore_id(manifest.checkpoint_id());
    plan.set_restore_generation(manifest.generation());
    REQUIRE(OpenStorage(plan.storage(), {}).value()->Write(plan.restore_manifest(), EncodeManifest(manifest)).ok());
    return plan;
  }

 private:
  const std::filesystem::path path_;
};

}  // namespace penstock::worker

#endif  // PENSTOCK_TASKMANAGER_WORKER_TESTING_CHECKPOINT_DIRECTORY_H_
