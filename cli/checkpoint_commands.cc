#include "cli/checkpoint_commands.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <nlohmann/json.hpp>
#include <optional>

#include "cli/child.h"
#include "cli/job_commands.h"
#include "cli/job_program.h"
#include "cli/rest_client.h"
#include "cli/size_text.h"
#include "runtime/core/clock.h"
#include "runtime/core/digest.h"
#include "runtime/core/status.h"

namespace penstock::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int64_t kPollMs = 100;
constexpr int64_t kAwayMaxMs = 30'000;

json MemberOf(const json& object, const char* name) {
  const auto at = object.is_object() ? object.find(name) : object.end();
  return object.is_object() && at != object.end() ? *at : json(nullptr);
}

// A line on a terminal that is written over; nothing elsewhere.
class ProgressLine {
 public:
  ~ProgressLine() { Clear(); }
  void Show(const std::string& text) {
    if (!terminal_ || text == shown_) return;
    std::fprintf(stderr, "\r\x1b[K%s", text.c_str());
    shown_ = text;
  }
  void Clear() {
    if (!shown_.empty()) std::fprintf(stderr, "\r\x1b[K");
    shown_.clear();
  }

 private:
  const bool terminal_ = isatty(STDERR_FILENO) != 0;
  std::string shown_;
};

// Polls the job's status until `look` gives an answer. Unavailable when the JobManager has been away for long.
using Look = std::function<absl::StatusOr<std::optional<json>>(const json& status, ProgressLine& line)>;
absl::StatusOr<json> AwaitStatus(RestClient* client, const std::string& job_id, const Look& look) {
  const Clock& clock = Clock::System();
  ProgressLine line;
  int64_t last_seen_ms = clock.MonotonicMs();
  while (true) {
    const auto status = client->Get("/v2/jobs/" + job_id);
    const int64_t now_ms = clock.MonotonicMs();
    if (status.ok()) {
      last_seen_ms = now_ms;
      PENSTOCK_ASSIGN_OR_RETURN(std::optional<json> answer, look(*status, line));
      if (answer) return *std::move(answer);
    } else if (!absl::IsUnavailable(status.status()) || now_ms - last_seen_ms > kAwayMaxMs) {
      return status.status();
    }
    PauseMs(kPollMs);
  }
}

// The request once it is over. Aborted with the JobManager's words when it failed.
absl::StatusOr<std::optional<json>> LookAtRequest(const json& status, uint64_t number, ProgressLine& line) {
  const json checkpoints = MemberOf(status, "checkpoints");
  for (const json& request : MemberOf(checkpoints, "requests")) {
    if (request.value("request", uint64_t{0}) != number) continue;
    const std::string outcome = request.value("status", "");
    if (outcome == "COMPLETED") return std::optional<json>(request);
    if (outcome == "FAILED") return Aborted("{}", request.value("failure", ""));
    line.Show(ProgressText(request, checkpoints));
    return std::optional<json>();
  }
  // The snapshot may be a little older than the request, but not when the job is over.
  if (status.value("terminal", false)) {
    return Aborted("the job has come to its end ({}) before the checkpoint was taken", status.value("state", ""));
  }
  return std::optional<json>();
}

absl::StatusOr<json> Take(RestClient* client, const std::string& job_id, const json& asked) {
  PENSTOCK_ASSIGN_OR_RETURN(const json answer, client->Post("/v2/jobs/" + job_id + "/checkpoints", asked));
  const auto number = answer.value("request", uint64_t{0});
  return AwaitStatus(client, job_id,
                     [number](const json& status, ProgressLine& line) { return LookAtRequest(status, number, line); });
}

// A local directory is meant from here, wherever the JobManager runs.
std::string Absolute(const std::string& directory) {
  if (directory.empty() || directory.find("://") != std::string::npos) return directory;
  return fs::absolute(directory).lexically_normal().string();
}

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = (fs::temp_directory_path() / "penstock-program-XXXXXX").string();
    if (mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

absl::Status DownloadProgram(RestClient* client, const std::string& digest, const std::string& path) {
  std::ofstream file(path, std::ios::binary);
  int64_t offset = 0;
  while (true) {
    PENSTOCK_ASSIGN_OR_RETURN(const std::string piece,
                              client->GetText(fmt::format("/v2/programs/{}/content?offset={}", digest, offset)));
    if (piece.empty()) break;
    file.write(piece.data(), static_cast<std::streamsize>(piece.size()));
    offset += static_cast<int64_t>(piece.size());
  }
  file.close();
  if (!file) return Internal("'{}' can't be written", path);
  PENSTOCK_ASSIGN_OR_RETURN(const std::string got, Sha256OfFile(path));
  if (got != digest) return DataLoss("the JobManager's copy of program {} is damaged (it has digest {})", digest, got);
  fs::permissions(path, fs::perms::owner_all);
  return absl::OkStatus();
}

// The job's graph at another parallelism, from its own program.
absl::StatusOr<Plan> PlanAgain(RestClient* client, const json& status, const RescaleOptions& options) {
  const TemporaryFolder folder;
  std::string program = options.program;
  const std::string digest = status.value("digest", "");
  if (program.empty()) {
    program = folder.path() + "/program";
    PENSTOCK_RETURN_IF_ERROR(DownloadProgram(client, digest, program));
  }
  return MakePlan({.program = program,
                   .arguments = status.value("arguments", std::vector<std::string>()),
                   .parallelism = options.parallelism,
                   .key_groups = status.value("key_groups", 720),
                   .timeout_ms = options.plan_timeout_ms});
}

absl::StatusOr<json> AwaitRescaled(RestClient* client, const json& before, const RescaleOptions& options,
                                   uint64_t number) {
  const int attempt = before.value("attempt", 0);
  return AwaitStatus(
      client, options.job_id, [&](const json& status, ProgressLine& line) -> absl::StatusOr<std::optional<json>> {
        PENSTOCK_ASSIGN_OR_RETURN(const std::optional<json> taken, LookAtRequest(status, number, line));
        if (!taken) return std::optional<json>();
        if (status.value("terminal", false)) {
          return Aborted("the job is {} since", status.value("state", ""));
        }
        const std::string state = status.value("state", "");
        if (status.value("parallelism", 0) == options.parallelism && state == "RUNNING" &&
            status.value("attempt", 0) > attempt) {
          return std::optional<json>(status);
        }
        if (state == "RUNNING" && status.value("attempt", 0) > attempt) {
          return Aborted("the job goes on at parallelism {}: it failed meanwhile", status.value("parallelism", 0));
        }
        line.Show(fmt::format("{} {}", state, status.value("waits_for", "")));
        return std::optional<json>();
      });
}

void PrintTaken(const CommandContext& context, const std::string& job_id, const json& request,
                const std::string& sentence) {
  if (context.json) {
    PrintJson({{"jobid", job_id},
               {"id", MemberOf(request, "id")},
               {"kind", request.value("kind", "")},
               {"location", request.value("location", "")}});
  } else {
    PrintText(sentence);
  }
}

}  // namespace

std::string ProgressText(const json& request, const json& checkpoints) {
  const std::string phase = request.value("phase", "");
  const std::string kind = request.value("kind", "");
  if (phase == "waiting") return kind + ": waits for the checkpoint before it";
  if (phase == "committing") return kind + ": sinks commit what it covers";
  if (phase == "copying") {
    const auto all = std::max<int64_t>(1, request.value("copy_bytes", int64_t{0}));
    return fmt::format("{}: copying, {} %", kind, 100 * request.value("copied_bytes", int64_t{0}) / all);
  }
  const json running = MemberOf(checkpoints, "in_progress");
  if (!running.is_object()) return kind + ": being taken";
  return fmt::format("{}: {} of {} subtasks, {}", kind, running.value("acknowledged", 0), running.value("subtasks", 0),
                     SizeText(running.value("written_bytes", int64_t{0})));
}

std::string CheckpointsText(const json& checkpoints, int64_t now_ms) {
  if (!checkpoints.is_object()) return "";
  std::string text = fmt::format("  checkpoints: {} completed, {} failed\n", checkpoints.value("completed", int64_t{0}),
                                 checkpoints.value("failed", int64_t{0}));
  if (const json last = MemberOf(checkpoints, "last"); last.is_object()) {
    text += fmt::format("    last: {} {}, {} ({} written) in {} ms, {} s ago\n", last.value("kind", ""),
                        last.value("id", uint64_t{0}), SizeText(last.value("state_bytes", int64_t{0})),
                        SizeText(last.value("written_bytes", int64_t{0})), last.value("duration_ms", int64_t{0}),
                        std::max<int64_t>(0, now_ms - last.value("end_ms", now_ms)) / 1000);
  }
  if (const json failed = MemberOf(checkpoints, "last_failed"); failed.is_object()) {
    text += fmt::format("    failed: {} {}: {}\n", failed.value("kind", ""), failed.value("id", uint64_t{0}),
                        failed.value("failure", ""));
  }
  if (const json running = MemberOf(checkpoints, "in_progress"); running.is_object()) {
    text +=
        fmt::format("    in progress: {} {}, {} of {} subtasks\n", running.value("kind", ""),
                    running.value("id", uint64_t{0}), running.value("acknowledged", 0), running.value("subtasks", 0));
  }
  if (const json restored = MemberOf(checkpoints, "restored"); restored.is_object()) {
    text += fmt::format("    restored from {} {} at {}\n", restored.value("kind", ""),
                        restored.value("id", uint64_t{0}), restored.value("location", ""));
  }
  return text;
}

absl::Status TakeCheckpoint(const CommandContext& context, const std::string& job_id) {
  PENSTOCK_RETURN_IF_ERROR(CheckJobId(job_id));
  PENSTOCK_ASSIGN_OR_RETURN(RestClient client, Connect(context));
  PENSTOCK_ASSIGN_OR_RETURN(const json taken, Take(&client, job_id, {{"kind", "checkpoint"}}));
  PrintTaken(context, job_id, taken,
             fmt::format("Checkpoint {} of job {} is complete: {}\n", taken.value("id", uint64_t{0}), job_id,
                         taken.value("location", "")));
  return absl::OkStatus();
}

absl::Status TakeSavepoint(const CommandContext& context, const std::string& job_id, const std::string& directory) {
  PENSTOCK_RETURN_IF_ERROR(CheckJobId(job_id));
  PENSTOCK_ASSIGN_OR_RETURN(RestClient client, Connect(context));
  PENSTOCK_ASSIGN_OR_RETURN(const json taken,
                            Take(&client, job_id, {{"kind", "savepoint"}, {"directory", Absolute(directory)}}));
  PrintTaken(context, job_id, taken, fmt::format("Savepoint completed. Path: {}\n", taken.value("location", "")));
  return absl::OkStatus();
}

absl::Status StopJob(const CommandContext& context, const StopOptions& options) {
  PENSTOCK_RETURN_IF_ERROR(CheckJobId(options.job_id));
  PENSTOCK_ASSIGN_OR_RETURN(RestClient client, Connect(context));
  PENSTOCK_ASSIGN_OR_RETURN(const json taken, Take(&client, options.job_id,
                                                   {{"kind", "savepoint"},
                                                    {"ending", options.drain ? "drain" : "suspend"},
                                                    {"directory", Absolute(options.directory)}}));
  PENSTOCK_ASSIGN_OR_RETURN(
      const json ended, AwaitStatus(&client, options.job_id,
                                    [](const json& status, ProgressLine& line) -> absl::StatusOr<std::optional<json>> {
                                      if (status.value("terminal", false)) return std::optional<json>(status);
                                      line.Show("waiting for the tasks to end");
                                      return std::optional<json>();
                                    }));
  const std::string state = ended.value("state", "");
  const std::string location = taken.value("location", "");
  if (state != "FINISHED") return Aborted("the savepoint was taken ({}), but the job is {}", location, state);
  PrintTaken(context, options.job_id, taken,
             fmt::format("Job {} is stopped. Savepoint completed. Path: {}\n", options.job_id, location));
  return absl::OkStatus();
}

absl::Status RescaleJob(const CommandContext& context, const RescaleOptions& options) {
  PENSTOCK_RETURN_IF_ERROR(CheckJobId(options.job_id));
  PENSTOCK_ASSIGN_OR_RETURN(RestClient client, Connect(context));
  PENSTOCK_ASSIGN_OR_RETURN(const json before, client.Get("/v2/jobs/" + options.job_id));
  if (before.value("terminal", false)) {
    return FailedPrecondition("job {} is {}: only a running job can be rescaled; start it again with run -p {}",
                              options.job_id, before.value("state", ""), options.parallelism);
  }
  PENSTOCK_ASSIGN_OR_RETURN(const Plan plan, PlanAgain(&client, before, options));
  std::fputs(plan.messages.c_str(), stderr);
  PENSTOCK_ASSIGN_OR_RETURN(const json answer,
                            client.Post("/v2/jobs/" + options.job_id + "/rescale", {{"plan", plan.json}}));
  PENSTOCK_ASSIGN_OR_RETURN(const json after,
                            AwaitRescaled(&client, before, options, answer.value("request", uint64_t{0})));
  if (context.json) {
    PrintJson({{"jobid", options.job_id},
               {"from", before.value("parallelism", 0)},
               {"to", options.parallelism},
               {"attempt", after.value("attempt", 0)}});
  } else {
    PrintText(fmt::format("Job {} runs at parallelism {} (it was {}), attempt {}\n", options.job_id,
                          options.parallelism, before.value("parallelism", 0), after.value("attempt", 0)));
  }
  return absl::OkStatus();
}

}  // namespace penstock::cli
