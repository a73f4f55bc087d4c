#include "cli/run_command.h"

#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "cli/job_commands.h"
#include "cli/job_program.h"
#include "cli/job_watch.h"
#include "runtime/core/bundle.h"
#include "runtime/core/digest.h"
#include "runtime/core/status.h"

namespace penstock::cli {
namespace {

using nlohmann::json;

// A bundle made for one submission; removed afterwards.
class TemporaryBundle {
 public:
  TemporaryBundle()
      : path_((std::filesystem::temp_directory_path() / fmt::format("penstock-{}.tar.zst", getpid())).string()) {}
  ~TemporaryBundle() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
};

absl::Status PackProgram(const std::string& program, const std::string& bundle) {
  PENSTOCK_ASSIGN_OR_RETURN(const std::vector<Library> libraries, FindLibraries(program));
  std::vector<BundleFile> files = {{.name = kBundleProgram, .source = program, .executable = true}};
  for (const Library& library : libraries) files.push_back({.name = "lib/" + library.name, .source = library.path});
  return WriteBundle(bundle, files);
}

json RestoreOf(const RunOptions& options) {
  std::string path = options.savepoint;
  std::error_code ignored;
  if (!path.empty() && std::filesystem::exists(path, ignored)) path = std::filesystem::absolute(path).string();
  return {{"path", path},
          {"resume", options.resume},
          {"allow_empty", options.allow_empty},
          {"allow_non_restored", options.allow_non_restored},
          {"allow_duplicates", options.allow_duplicates}};
}

absl::StatusOr<std::string> Submit(RestClient* client, const std::string& file, const Plan& plan,
                                   const RunOptions& options, const std::map<std::string, std::string>& config) {
  PENSTOCK_ASSIGN_OR_RETURN(const std::string digest, Sha256OfFile(file));
  const bool show_progress = isatty(STDERR_FILENO) != 0;
  PENSTOCK_RETURN_IF_ERROR(client->UploadProgram(digest, file, [show_progress](int64_t done, int64_t total) {
    if (show_progress) std::fprintf(stderr, "\r\x1b[Kuploading: %d %%", static_cast<int>(100 * done / total));
  }));
  if (show_progress) std::fprintf(stderr, "\r\x1b[K");
  PENSTOCK_ASSIGN_OR_RETURN(const json answer, client->Post("/v2/jobs", {{"plan", plan.json},
                                                                         {"digest", digest},
                                                                         {"is_bundle", LooksLikeBundle(file)},
                                                                         {"arguments", options.arguments},
                                                                         {"restore", RestoreOf(options)},
                                                                         {"config", config}}));
  return answer.value("jobid", "");
}

}  // namespace

absl::StatusOr<ExitCode> RunJob(const CommandContext& context, const RunOptions& options) {
  PENSTOCK_ASSIGN_OR_RETURN(const Config config, LoadConfig(context));
  PENSTOCK_ASSIGN_OR_RETURN(const auto defines, ParseDefines(context.defines));
  PENSTOCK_ASSIGN_OR_RETURN(
      Plan plan,
      MakePlan({.program = options.program,
                .arguments = options.arguments,
                .parallelism = options.parallelism > 0 ? options.parallelism
                                                       : static_cast<int>(config.GetInt("parallelism.default")),
                .key_groups = static_cast<int>(config.GetInt("pipeline.max-parallelism")),
                .timeout_ms = options.plan_timeout_ms}));
  std::fputs(plan.messages.c_str(), stderr);
  if (!options.uid.empty()) plan.json["uid"] = options.uid;

  const TemporaryBundle bundle;
  std::string file = options.program;
  if (options.bundle && !LooksLikeBundle(file)) {
    PENSTOCK_RETURN_IF_ERROR(PackProgram(file, bundle.path()));
    file = bundle.path();
  }
  PENSTOCK_ASSIGN_OR_RETURN(RestClient client, Connect(context));
  // Only what was said for this job: the rest of the configuration is the cluster's own.
  const std::map<std::string, std::string> job_config(defines.begin(), defines.end());
  PENSTOCK_ASSIGN_OR_RETURN(const std::string job_id, Submit(&client, file, plan, options, job_config));
  if (context.json && options.detached) {
    PrintJson({{"jobid", job_id}});
  } else if (context.json) {
    std::fprintf(stderr, "Job has been submitted with JobID %s\n", job_id.c_str());
  } else {
    PrintText("Job has been submitted with JobID " + job_id + "\n");
  }
  if (options.detached) return kExitOk;
  return WatchJob(&client, job_id, context.json);
}

}  // namespace penstock::cli
