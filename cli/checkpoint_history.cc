#include "cli/checkpoint_history.h"

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "cli/job_commands.h"
#include "cli/rest_client.h"
#include "cli/size_text.h"
#include "runtime/core/status.h"

namespace penstock::cli {
namespace {

using nlohmann::json;

// "1.5 ms": what a checkpoint spends is worth telling below a millisecond, too.
std::string TimeText(int64_t us) {
  if (us < 1000) return fmt::format("{} us", us);
  if (us < 10'000) return fmt::format("{:.1f} ms", static_cast<double>(us) / 1000);
  if (us < 10'000'000) return fmt::format("{} ms", us / 1000);
  return fmt::format("{:.1f} s", static_cast<double>(us) / 1e6);
}

std::string DurationText(const json& checkpoint) {
  const int64_t duration_ms = checkpoint.value("duration_ms", int64_t{-1});
  return duration_ms < 0 ? "-" : TimeText(duration_ms * 1000);
}

std::string SubtaskRow(const json& subtask) {
  const auto number = subtask.value("subtask", 0);
  if (!subtask.value("acknowledged", false)) return fmt::format("    {:>7}  has not acknowledged\n", number);
  const auto time = [&](const char* name) { return TimeText(subtask.value(name, int64_t{0})); };
  const auto size = [&](const char* name) { return SizeText(subtask.value(name, int64_t{0})); };
  std::string row =
      fmt::format("    {:>7} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}", number,
                  TimeText(subtask.value("duration_ms", int64_t{0}) * 1000), time("start_delay_us"),
                  time("alignment_us"), time("sync_us"), time("async_us"), size("written_bytes"), size("state_bytes"));
  if (const std::string waited_for = subtask.value("waited_for", ""); !waited_for.empty()) {
    row += fmt::format("  {} ({})", waited_for, time("waited_us"));
  }
  return row + "\n";
}

}  // namespace

std::string CheckpointHistoryText(const json& answer) {
  const json& checkpoints = answer.at("checkpoints");
  if (checkpoints.empty()) return "There was no checkpoint yet.\n";
  std::string text = fmt::format("{:>8}  {:<10}  {:<11}  {:>9}  {:>9}  {:>9}  {}\n", "id", "kind", "status", "time",
                                 "written", "state", "subtasks");
  for (const json& each : checkpoints) {
    text += fmt::format(
        "{:>8}  {:<10}  {:<11}  {:>9}  {:>9}  {:>9}  {}/{}", each.value("id", uint64_t{0}), each.value("kind", ""),
        each.value("status", ""), DurationText(each), SizeText(each.value("written_bytes", int64_t{0})),
        SizeText(each.value("state_bytes", int64_t{0})), each.value("acknowledged", 0), each.value("subtasks", 0));
    const std::string failure = each.value("failure", "");
    text += failure.empty() ? "\n" : fmt::format("  {}\n", failure);
  }
  return text;
}

std::string CheckpointDetailsText(const json& details) {
  std::string text = fmt::format("{} {}: {}, {} of {} subtasks, {}, {} ({} written)\n", details.value("kind", ""),
                                 details.value("id", uint64_t{0}), details.value("status", ""),
                                 details.value("acknowledged", 0), details.value("subtasks", 0), DurationText(details),
                                 SizeText(details.value("state_bytes", int64_t{0})),
                                 SizeText(details.value("written_bytes", int64_t{0})));
  if (const std::string failure = details.value("failure", ""); !failure.empty()) text += "  " + failure + "\n";
  for (const json& vertex : details.at("vertices")) {
    text += fmt::format("  {}\n    {:>7} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9} {:>9}  {}\n", vertex.value("name", ""),
                        "subtask", "in all", "start", "alignment", "sync", "async", "written", "state", "waited for");
    for (const json& subtask : vertex.at("subtasks")) text += SubtaskRow(subtask);
  }
  return text;
}

absl::Status ShowCheckpoints(const CommandContext& context, const std::string& job_id, const std::string& checkpoint) {
  PENSTOCK_RETURN_IF_ERROR(CheckJobId(job_id));
  if (checkpoint.find_first_not_of("0123456789") != std::string::npos) {
    return InvalidArgument("'{}' is no checkpoint id: it is a number, as `penstock checkpoints {}` lists them",
                           checkpoint, job_id);
  }
  PENSTOCK_ASSIGN_OR_RETURN(RestClient client, Connect(context));
  const std::string path = "/v2/jobs/" + job_id + "/checkpoints";
  PENSTOCK_ASSIGN_OR_RETURN(const json answer, client.Get(checkpoint.empty() ? path : path + "/" + checkpoint));
  if (context.json) {
    PrintJson(answer);
  } else {
    PrintText(checkpoint.empty() ? CheckpointHistoryText(answer) : CheckpointDetailsText(answer));
  }
  return absl::OkStatus();
}

}  // namespace penstock::cli
