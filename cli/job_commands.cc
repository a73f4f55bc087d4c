#include "cli/job_commands.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cli/checkpoint_commands.h"
#include "cli/job_watch.h"
#include "cli/plan_text.h"
#include "runtime/core/bundle.h"
#include "runtime/core/clock.h"
#include "runtime/core/ids.h"
#include "runtime/core/status.h"
#include "runtime/core/units.h"

namespace penstock::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr char kWorkerLogSuffix[] = ".err";
constexpr int64_t kLogPieceBytes = 1 << 20;

bool IsTerminal(const std::string& state) { return state == "FINISHED" || state == "FAILED" || state == "CANCELED"; }

std::string DurationText(int64_t duration_ms) {
  const int64_t seconds = duration_ms / 1000;
  if (seconds < 60) return fmt::format("{} s", seconds);
  if (seconds < 3600) return fmt::format("{} min {} s", seconds / 60, seconds % 60);
  return fmt::format("{} h {} min", seconds / 3600, seconds / 60 % 60);
}

struct WorkerLog {
  std::string process;
  std::string name;
  int64_t size = 0;
  int attempt = 0;
};

absl::StatusOr<std::vector<WorkerLog>> FindWorkerLogs(RestClient* client, const std::string& job_id) {
  PENSTOCK_ASSIGN_OR_RETURN(const json processes, client->Get("/v2/processes"));
  std::vector<WorkerLog> logs;
  for (const json& process : processes["processes"]) {
    if (process.value("kind", "") != "taskmanager") continue;
    const std::string id = process.value("id", "");
    PENSTOCK_ASSIGN_OR_RETURN(const json listing, client->Get("/v2/processes/" + id + "/logs"));
    for (const json& log : listing["logs"]) {
      const std::string name = log.value("name", "");
      if (!name.starts_with(job_id + "-") || !name.ends_with(kWorkerLogSuffix)) continue;
      const int attempt = std::atoi(name.c_str() + job_id.size() + 1);
      logs.push_back({.process = id, .name = name, .size = log.value("size", int64_t{0}), .attempt = attempt});
    }
  }
  std::sort(logs.begin(), logs.end(), [](const WorkerLog& a, const WorkerLog& b) {
    return std::tie(a.attempt, a.process) < std::tie(b.attempt, b.process);
  });
  return logs;
}

absl::StatusOr<std::string> ReadWholeLog(RestClient* client, const WorkerLog& log) {
  std::string text;
  while (true) {
    PENSTOCK_ASSIGN_OR_RETURN(const std::string piece,
                              client->GetText(fmt::format("/v2/processes/{}/logs/{}?offset={}&max={}", log.process,
                                                          log.name, text.size(), kLogPieceBytes)));
    if (piece.empty()) return text;
    text += piece;
  }
}

}  // namespace

absl::Status CheckJobId(const std::string& job_id) {
  if (JobId::Parse(job_id).ok()) return absl::OkStatus();
  return InvalidArgument("'{}' is no job id (32 hex digits); `penstock list -a` shows them", job_id);
}

absl::Status ListJobs(const CommandContext& context, bool all) {
  PENSTOCK_ASSIGN_OR_RETURN(RestClient client, Connect(context));
  PENSTOCK_ASSIGN_OR_RETURN(const json overview, client.Get("/jobs/overview"));
  json shown = json::array();
  for (const json& job : overview["jobs"]) {
    if (all || !IsTerminal(job.value("state", ""))) shown.push_back(job);
  }
  if (context.json) {
    PrintJson(shown);
    return absl::OkStatus();
  }
  if (shown.empty()) PrintText(all ? "No jobs.\n" : "No jobs are running; -a shows ended ones.\n");
  for (const json& job : shown) {
    PrintText(fmt::format("{}  {:<12} {:>14}  {}\n", job.value("jid", ""), job.value("state", ""),
                          DurationText(job.value("duration", int64_t{0})), job.value("name", "")));
  }
  return absl::OkStatus();
}

absl::Status CancelJob(const CommandContext& context, const std::string& job_id) {
  PENSTOCK_RETURN_IF_ERROR(CheckJobId(job_id));
  PENSTOCK_ASSIGN_OR_RETURN(RestClient client, Connect(context));
  PENSTOCK_RETURN_IF_ERROR(client.Post("/v2/jobs/" + job_id + "/cancel", json::object()).status());
  if (context.json) {
    PrintJson({{"jobid", job_id}, {"cancelling", true}});
  } else {
    PrintText("Job " + job_id + " is being cancelled.\n");
  }
  return absl::OkStatus();
}

std::string MemoryText(const json& memory) {
  const auto megabytes = [](int64_t bytes) { return fmt::format("{:.1f} MB", static_cast<double>(bytes) / (1 << 20)); };
  if (memory["workers"].empty()) return "No worker of this job has reported its memory.\n";
  std::string text;
  for (const json& worker : memory["workers"]) {
    const int64_t grant = worker.value("grant_bytes", int64_t{0});
    text += fmt::format("worker on {} (pid {}): {} resident{}{}\n", worker.value("taskmanager_id", ""),
                        worker.value("pid", 0), megabytes(worker.value("rss_bytes", int64_t{0})),
                        grant > 0 ? " of " + megabytes(grant) + " granted" : ", no grant",
                        worker.value("pressure", false) ? ", UNDER PRESSURE: caches were made smaller" : "");
    for (const json& holder : worker["holders"]) {
      const int64_t budget = holder.value("budget_bytes", int64_t{0});
      text += fmt::format("  {:<22} {:>12}{}\n", holder.value("holder", ""),
                          megabytes(holder.value("used_bytes", int64_t{0})),
                          budget > 0 ? fmt::format(" of {:>12}", megabytes(budget)) : "");
    }
  }
  return text;
}

absl::Status ShowMemory(const CommandContext& context, const std::string& job_id) {
  PENSTOCK_RETURN_IF_ERROR(CheckJobId(job_id));
  PENSTOCK_ASSIGN_OR_RETURN(RestClient client, Connect(context));
  PENSTOCK_ASSIGN_OR_RETURN(const json memory, client.Get("/v2/jobs/" + job_id + "/memory"));
  if (context.json) {
    PrintJson(memory);
  } else {
    PrintText(MemoryText(memory));
  }
  return absl::OkStatus();
}

std::string StatusText(const json& status) {
  std::string text = fmt::format("{} ({})\n  state {}, attempt {}, parallelism {}, for {}\n", status.value("name", ""),
                                 status.value("id", ""), status.value("state", ""), status.value("attempt", 0),
                                 status.value("parallelism", 0), DurationText(status.value("duration_ms", int64_t{0})));
  if (const std::string why = status.value("waits_for", ""); !why.empty()) text += "  " + why + "\n";
  text += fmt::format("  in {} records ({:.0f}/s), out {} records ({:.0f}/s)\n", status.value("records_in", int64_t{0}),
                      status.value("records_in_per_second", 0.0), status.value("records_out", int64_t{0}),
                      status.value("records_out_per_second", 0.0));
  if (status.contains("checkpoints")) text += CheckpointsText(status["checkpoints"], Clock::System().NowMs());
  for (const json& vertex : status["vertices"]) {
    text += fmt::format("  {:<11} {} x{}: in {} ({:.0f}/s), out {} ({:.0f}/s)", vertex.value("state", ""),
                        vertex.value("name", ""), vertex.value("parallelism", 0),
                        vertex.value("records_in", int64_t{0}), vertex.value("records_in_per_second", 0.0),
                        vertex.value("records_out", int64_t{0}), vertex.value("records_out_per_second", 0.0));
    if (vertex.value("late_records", 0) > 0) text += fmt::format(", {} late", vertex.value("late_records", 0));
    if (vertex.value("malformed_records", 0) > 0) {
      text += fmt::format(", {} malformed", vertex.value("malformed_records", 0));
    }
    if (const std::string holder = vertex.value("watermark_holder", ""); !holder.empty()) {
      text += ", watermark held by " + holder;
    }
    text += "\n";
  }
  for (const json& split : status["splits"]) {
    text += fmt::format("  split {}: at {} of {}, lag {}{}\n", split.value("name", ""), split.value("position", 0LL),
                        split.value("end", 0LL), split.value("lag", 0LL), split.value("idle", false) ? ", idle" : "");
  }
  for (const json& note : status["notes"]) {
    text += fmt::format("  note from {} ({}): {}\n", note.value("vertex", ""), note.value("subtask", 0),
                        note.value("note", ""));
  }
  if (const json& failure = status["failure"]; failure.is_object()) {
    text +=
        fmt::format("  last failure in {}: {}",
                    failure.value("task", "").empty() ? "the job" : failure.value("task", ""), FailureText(failure));
  }
  return text;
}

absl::Status ShowStatus(const CommandContext& context, const std::string& job_id) {
  PENSTOCK_RETURN_IF_ERROR(CheckJobId(job_id));
  PENSTOCK_ASSIGN_OR_RETURN(RestClient client, Connect(context));
  PENSTOCK_ASSIGN_OR_RETURN(const json status, client.Get("/v2/jobs/" + job_id));
  if (context.json) {
    PrintJson(status);
  } else {
    PrintText(StatusText(status));
  }
  return absl::OkStatus();
}

absl::Status ShowLogs(const CommandContext& context, const std::string& job_id, bool all_attempts) {
  PENSTOCK_RETURN_IF_ERROR(CheckJobId(job_id));
  PENSTOCK_ASSIGN_OR_RETURN(RestClient client, Connect(context));
  PENSTOCK_RETURN_IF_ERROR(client.Get("/jobs/" + job_id + "/status").status());
  PENSTOCK_ASSIGN_OR_RETURN(const std::vector<WorkerLog> logs, FindWorkerLogs(&client, job_id));
  const int newest = logs.empty() ? 0 : logs.back().attempt;
  json shown = json::array();
  for (const WorkerLog& log : logs) {
    if (!all_attempts && log.attempt != newest) continue;
    PENSTOCK_ASSIGN_OR_RETURN(const std::string text, ReadWholeLog(&client, log));
    if (context.json) {
      shown.push_back({{"process", log.process}, {"name", log.name}, {"attempt", log.attempt}, {"text", text}});
    } else {
      PrintText(fmt::format("==> {} {} <==\n{}", log.process, log.name, text));
    }
  }
  if (context.json) {
    PrintJson(shown);
  } else if (logs.empty()) {
    PrintText("No worker of this job has left a log.\n");
  }
  return absl::OkStatus();
}

absl::Status ShowInfo(const CommandContext& context, const PlanRequest& request) {
  PENSTOCK_ASSIGN_OR_RETURN(const Plan plan, MakePlan(request));
  std::fputs(plan.messages.c_str(), stderr);
  if (context.json) {
    PrintJson(plan.json);
  } else {
    PrintText(PlanText(plan.graph));
  }
  return absl::OkStatus();
}

absl::Status MakeBundle(const CommandContext& context, const BundleOptions& options) {
  PENSTOCK_ASSIGN_OR_RETURN(const std::vector<Library> libraries, FindLibraries(options.program));
  std::vector<BundleFile> files = {{.name = kBundleProgram, .source = options.program, .executable = true}};
  for (const Library& library : libraries) files.push_back({.name = "lib/" + library.name, .source = library.path});
  for (const std::string& file : options.files) {
    const size_t equals = file.find('=');
    const std::string source = file.substr(0, equals);
    const std::string name =
        equals == std::string::npos ? fs::path(source).filename().string() : file.substr(equals + 1);
    files.push_back({.name = "data/" + name, .source = source});
  }
  const std::string output = options.output.empty() ? options.program + ".tar.zst" : options.output;
  PENSTOCK_RETURN_IF_ERROR(WriteBundle(output, files));
  if (context.json) {
    json names = json::array();
    for (const BundleFile& file : files) names.push_back(file.name);
    PrintJson({{"bundle", output}, {"bytes", fs::file_size(output)}, {"files", std::move(names)}});
  } else {
    PrintText(fmt::format("{}: {} files, {} bytes\n", output, files.size(), fs::file_size(output)));
  }
  return absl::OkStatus();
}

}  // namespace penstock::cli
