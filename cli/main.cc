// penstock: the command line.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>

#include "cli/checkpoint_commands.h"
#include "cli/checkpoint_history.h"
#include "cli/cluster_commands.h"
#include "cli/command_context.h"
#include "cli/config_commands.h"
#include "cli/exit_codes.h"
#include "cli/job_commands.h"
#include "cli/run_command.h"
#include "cli/state_commands.h"
#include "cli/txn_commands.h"
#include "runtime/core/status.h"
#include "runtime/core/version.h"

namespace penstock::cli {
namespace {

constexpr char kExitCodesText[] =
    "Exit codes: 0 ok, 1 failed, 2 bad usage, 3 JobManager unreachable, 4 refused, 5 the job failed, 6 the job was\n"
    "cancelled, 130 interrupted (the job goes on).";

// Everything the command line can say; filled by CLI11. `action` is what was asked for.
struct CommandLine {
  CommandContext context;
  std::function<absl::StatusOr<ExitCode>()> action;
  RunOptions run;
  PlanRequest info;
  BundleOptions bundle;
  ClusterStartOptions cluster;
  StopOptions stop;  // savepoint and checkpoint, too
  std::string checkpoint;
  RescaleOptions rescale;
  DiffOptions diff;
  InspectOptions inspect;
  TxnOptions txn;
  std::string job_id;
  std::string key;
  bool all = false;
};

absl::StatusOr<ExitCode> OkOr(const absl::Status& status) {
  if (!status.ok()) return status;
  return kExitOk;
}

CLI::App* AddCommand(CLI::App* app, CommandLine* line, const std::string& name, const std::string& help,
                     std::function<absl::StatusOr<ExitCode>()> action) {
  CLI::App* command = app->add_subcommand(name, help);
  command->fallthrough();  // so that the options below may stand before or after the command
  command->callback([line, action = std::move(action)] { line->action = action; });
  return command;
}

void AddJobCommands(CLI::App* app, CommandLine* line) {
  CommandContext& context = line->context;
  CLI::App* run = AddCommand(app, line, "run", "Submit a job program and watch it",
                             [line] { return RunJob(line->context, line->run); });
  run->add_option("job", line->run.program, "The job program, or a bundle")->required();
  run->add_option("arguments", line->run.arguments, "The job's own arguments, after --");
  run->add_option("-p,--parallelism", line->run.parallelism, "Parallelism of the job")->check(CLI::Range(1, 32768));
  run->add_option("--uid", line->run.uid, "Run it under this uid, beside the job of the program's own: a clone");
  run->add_flag("-d,--detached", line->run.detached, "Return once the job is submitted");
  run->add_flag("--bundle", line->run.bundle, "Send the program's shared libraries along");
  CLI::Option* from = run->add_option("-s,--savepoint", line->run.savepoint, "Begin from this savepoint or checkpoint");
  CLI::Option* resume =
      run->add_flag("--resume", line->run.resume, "Begin from the newest checkpoint of the job's uid");
  CLI::Option* empty =
      run->add_flag("--allow-empty", line->run.allow_empty, "Begin without state, although there are checkpoints");
  from->excludes(resume)->excludes(empty);
  resume->excludes(empty);
  run->add_flag("--allow-non-restored-state,-n", line->run.allow_non_restored,
                "Leave state behind that the job has no operator for");
  run->add_flag("--allow-duplicates", line->run.allow_duplicates,
                "Begin from another than the newest checkpoint, though an exactly-once sink writes again");
  run->add_option("--plan-timeout-ms", line->run.plan_timeout_ms, "How long `plan` may take");

  CLI::App* info = AddCommand(app, line, "info", "Show the graph of a job program",
                              [line] { return OkOr(ShowInfo(line->context, line->info)); });
  info->add_option("job", line->info.program, "The job program, or a bundle")->required();
  info->add_option("arguments", line->info.arguments, "The job's own arguments, after --");
  info->add_option("-p,--parallelism", line->info.parallelism, "Parallelism of the job")->check(CLI::Range(1, 32768));

  CLI::App* bundle = AddCommand(app, line, "bundle", "Pack a job program with its libraries and files",
                                [line] { return OkOr(MakeBundle(line->context, line->bundle)); });
  bundle->add_option("job", line->bundle.program, "The job program")->required();
  bundle->add_option("-o,--output", line->bundle.output, "The bundle; <job>.tar.zst by default");
  bundle->add_option("--file", line->bundle.files, "A file to take along under data/: path, or path=name")
      ->allow_extra_args(false);

  CLI::App* list = AddCommand(app, line, "list", "List running jobs",
                              [line, &context] { return OkOr(ListJobs(context, line->all)); });
  list->add_flag("-a,--all", line->all, "Ended jobs too");
  CLI::App* cancel = AddCommand(app, line, "cancel", "Cancel a job",
                                [line, &context] { return OkOr(CancelJob(context, line->job_id)); });
  CLI::App* status = AddCommand(app, line, "status", "Show what a job does, waits for and lags behind",
                                [line, &context] { return OkOr(ShowStatus(context, line->job_id)); });
  CLI::App* logs = AddCommand(app, line, "logs", "Show what a job's workers wrote to stderr",
                              [line, &context] { return OkOr(ShowLogs(context, line->job_id, line->all)); });
  logs->add_flag("-a,--all", line->all, "Of all attempts");
  CLI::App* memory = AddCommand(app, line, "memory", "Show who holds how much memory of a job's workers",
                                [line, &context] { return OkOr(ShowMemory(context, line->job_id)); });
  for (CLI::App* command : {cancel, status, logs, memory})
    command->add_option("id", line->job_id, "Job id")->required();
}

void AddCheckpointCommands(CLI::App* app, CommandLine* line) {
  CommandContext& context = line->context;
  CLI::App* savepoint = AddCommand(app, line, "savepoint", "Take a savepoint of a running job",
                                   [line, &context]() -> absl::StatusOr<ExitCode> {
                                     // A parent is called behind its subcommand.
                                     if (!line->diff.path.empty()) return OkOr(DiffSavepoint(context, line->diff));
                                     return OkOr(TakeSavepoint(context, line->stop.job_id, line->stop.directory));
                                   });
  savepoint->add_option("id", line->stop.job_id, "Job id");
  savepoint->add_option("directory", line->stop.directory, "Where it is copied; default: as configured");
  CLI::App* diff = savepoint->add_subcommand("diff", "Show what a job program would make of a savepoint");
  diff->fallthrough();
  diff->add_option("path", line->diff.path, "A savepoint or checkpoint")->required();
  diff->add_option("job", line->diff.plan.program, "The job program, or a bundle")->required();
  diff->add_option("arguments", line->diff.plan.arguments, "The job's own arguments, after --");
  CLI::App* state = app->add_subcommand("state", "State in savepoints")->require_subcommand(1)->fallthrough();
  CLI::App* inspect = AddCommand(state, line, "inspect", "Show what lies in a savepoint or checkpoint",
                                 [line, &context] { return OkOr(InspectState(context, line->inspect)); });
  inspect->add_option("path", line->inspect.path, "A savepoint or checkpoint")->required();
  inspect->add_option("job", line->inspect.program, "A job program: it counts the keys");
  CLI::App* checkpoint = AddCommand(app, line, "checkpoint", "Take a checkpoint of a running job now",
                                    [line, &context] { return OkOr(TakeCheckpoint(context, line->stop.job_id)); });
  checkpoint->add_option("id", line->stop.job_id, "Job id")->required();
  CLI::App* checkpoints =
      AddCommand(app, line, "checkpoints", "Show a job's checkpoints, or where the time of one went",
                 [line, &context] { return OkOr(ShowCheckpoints(context, line->stop.job_id, line->checkpoint)); });
  checkpoints->add_option("id", line->stop.job_id, "Job id")->required();
  checkpoints->add_option("checkpoint", line->checkpoint, "Id of one of them; default: a line for each");
  CLI::App* stop = AddCommand(app, line, "stop", "End a job with a savepoint",
                              [line, &context] { return OkOr(StopJob(context, line->stop)); });
  stop->add_option("id", line->stop.job_id, "Job id")->required();
  stop->add_flag("--drain", line->stop.drain, "Let all windows and timers fire first: the job is over for good");
  stop->add_option("--savepoint", line->stop.directory, "Where the savepoint is copied; default: as configured");
  CLI::App* rescale = AddCommand(app, line, "rescale", "Let a running job go on at another parallelism",
                                 [line, &context] { return OkOr(RescaleJob(context, line->rescale)); });
  rescale->add_option("id", line->rescale.job_id, "Job id")->required();
  rescale->add_option("-p,--parallelism", line->rescale.parallelism, "The new parallelism")
      ->required()
      ->check(CLI::Range(1, 32768));
  rescale->add_option("--program", line->rescale.program, "The job's program; default: the JobManager's copy");
}

void AddTxnCommands(CLI::App* app, CommandLine* line) {
  CommandContext& context = line->context;
  CLI::App* txn =
      app->add_subcommand("txn", "Transactions of exactly-once sinks")->require_subcommand(1)->fallthrough();
  line->txn.plan.parallelism = 0;
  const auto add = [&](const char* name, const char* help, bool abort) {
    CLI::App* command = AddCommand(txn, line, name, help, [line, &context, abort] {
      line->txn.abort = abort;
      return OkOr(HandleTransactions(context, line->txn));
    });
    command->add_option("job", line->txn.plan.program, "The job program")->required();
    command->add_option("arguments", line->txn.plan.arguments, "The job's own arguments, after --");
    command->add_option("-p,--parallelism", line->txn.plan.parallelism, "Parallelism that the job runs at");
    command->add_option("--slots", line->txn.slots, "How many subtasks its sinks have ever had, when that is more");
    command->add_option("--uid", line->txn.uid, "Of a clone");
    return command;
  };
  add("list", "Show what the sinks of a job have committed and left open", false);
  add("abort", "End what a job that is gone has left open", true)
      ->add_flag("--force", line->txn.force, "Also while the job runs, or when nobody can say");
}

void AddClusterCommands(CLI::App* app, CommandLine* line) {
  CommandContext& context = line->context;
  CLI::App* cluster = app->add_subcommand("cluster", "A local cluster")->require_subcommand(1)->fallthrough();
  CLI::App* start = AddCommand(cluster, line, "start", "Start a JobManager and TaskManagers on this machine",
                               [line, &context] { return OkOr(ClusterStart(context, line->cluster)); });
  start->add_option("-n,--taskmanagers", line->cluster.taskmanagers, "How many TaskManagers")
      ->check(CLI::Range(1, kTaskManagersMax));
  start->add_option("-s,--slots", line->cluster.slots, "Slots of each")->check(CLI::Range(1, 4096));
  AddCommand(cluster, line, "stop", "End what `cluster start` started",
             [&context] { return OkOr(ClusterStop(context)); });
  AddCommand(cluster, line, "status", "Show the local cluster", [&context] { return OkOr(ClusterStatus(context)); });

  CLI::App* config = app->add_subcommand("config", "Configuration keys")->require_subcommand(1)->fallthrough();
  CLI::App* explain = AddCommand(config, line, "explain", "Show values and where they came from",
                                 [line, &context] { return OkOr(ExplainConfig(context, line->key)); });
  explain->add_option("key", line->key, "One key; all by default");
  AddCommand(config, line, "reference", "Print the reference page", [] {
    PrintText(ConfigReference());
    return absl::StatusOr<ExitCode>(kExitOk);
  });
}

void AddGlobalOptions(CLI::App* app, CommandContext* context) {
  app->add_flag("--json", context->json, "Print JSON");
  app->add_option("-m,--jobmanager", context->jobmanager, "host:port of the JobManager's REST server");
  app->add_option("--config", context->config_file, "YAML configuration file");
  app->add_option("-D", context->defines, "Configuration: -Dkey=value")->allow_extra_args(false);
}

std::string ExecutableDir() {
  std::error_code error;
  return std::filesystem::read_symlink("/proc/self/exe", error).parent_path().string();
}

int Run(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  CommandLine line;
  line.context.executable_dir = ExecutableDir();
  CLI::App app{"penstock: stream processing jobs on a cluster", "penstock"};
  app.set_version_flag("--version", std::string("penstock ") + std::string(kEngineVersion));
  app.footer(kExitCodesText);
  app.require_subcommand(1);
  AddGlobalOptions(&app, &line.context);
  AddJobCommands(&app, &line);
  AddCheckpointCommands(&app, &line);
  AddTxnCommands(&app, &line);
  AddClusterCommands(&app, &line);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // help, version
    std::fprintf(stderr, "penstock: %s (see penstock --help)\n", e.what());
    return kExitUsage;
  }
  const auto outcome = line.action();
  if (outcome.ok()) return *outcome;
  std::fprintf(stderr, "penstock: %s\n", MessageOf(outcome.status()).c_str());
  return ExitCodeOf(outcome.status());
}

}  // namespace
}  // namespace penstock::cli

int main(int argc, char** argv) { return penstock::cli::Run(argc, argv); }
