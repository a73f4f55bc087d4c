// What the CLI learns from a job program before it is submitted: that it is one, and its graph.
#ifndef PENSTOCK_CLI_JOB_PROGRAM_H_
#define PENSTOCK_CLI_JOB_PROGRAM_H_

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/graph.pb.h"

namespace penstock::cli {

struct PlanRequest {
  std::string program;  // an executable, or a bundle
  std::vector<std::string> arguments = {};
  int parallelism = 1;
  int key_groups = 720;
  int64_t timeout_ms = 60'000;
};

struct Plan {
  nlohmann::json json;  // as the program printed it
  proto::JobGraph graph;
  std::string messages;  // what it printed on stderr
};

// FailedPrecondition says why the file can't be a job program of this machine: missing, no executable, another machine.
absl::Status CheckProgram(const std::string& path);
// Runs `<program> plan` as a child. FailedPrecondition: it is no job program, crashes, hangs, lacks a library, or
// refuses; the message has its own words.
absl::StatusOr<Plan> MakePlan(const PlanRequest& request);
// The shared libraries the program needs, as name and path, without those of the C library; FailedPrecondition names
// one that is missing.
struct Library {
  std::string name;
  std::string path;
};
absl::StatusOr<std::vector<Library>> FindLibraries(const std::string& program);

}  // namespace penstock::cli

#endif  // PENSTOCK_CLI_JOB_PROGRAM_H_
