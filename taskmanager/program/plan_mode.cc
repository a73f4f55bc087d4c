#include "taskmanager/program/plan_mode.h"

#include <google/protobuf/util/json_util.h>
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "runtime/core/status.h"
#include "taskmanager/program/job_graph.h"

namespace penstock::program {
namespace {

absl::StatusOr<GraphRequest> ReadRequest() {
  const std::string text(std::istreambuf_iterator<char>(std::cin), {});
  const nlohmann::json json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) {
    return InvalidArgument("plan reads {{\"arguments\": [...], \"parallelism\": n}} from standard input");
  }
  GraphRequest request;
  request.parallelism = json.value("parallelism", 1);
  request.key_groups = json.value("key_groups", 720);
  for (const nlohmann::json& argument : json.value("arguments", nlohmann::json::array())) {
    if (!argument.is_string()) return InvalidArgument("plan: every argument is a string");
    request.arguments.push_back(argument.get<std::string>());
  }
  return request;
}

bool WriteAll(int fd, const std::string& text) {
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t written = write(fd, text.data() + done, text.size() - done);
    if (written <= 0) return false;
    done += static_cast<size_t>(written);
  }
  return true;
}

}  // namespace

int RunPlan(const JobDefinition& job) {
  const int plan_fd = dup(STDOUT_FILENO);
  dup2(STDERR_FILENO, STDOUT_FILENO);
  absl::StatusOr<GraphRequest> request = ReadRequest();
  if (!request.ok()) {
    std::fprintf(stderr, "%s\n", MessageOf(request.status()).c_str());
    return 2;
  }
  request->submitting = true;
  const absl::StatusOr<CompiledGraph> compiled = BuildGraph(job, *request);
  if (!compiled.ok()) {
    std::fprintf(stderr, "%s\n", MessageOf(compiled.status()).c_str());
    return 1;
  }
  google::protobuf::util::JsonPrintOptions options;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(compiled->graph, &json, options).ok()) return 1;
  return WriteAll(plan_fd, json + "\n") ? 0 : 1;
}

}  // namespace penstock::program
