#include "cli/job_watch.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>

#include "cli/child.h"
#include "cli/command_context.h"
#include "runtime/core/clock.h"
#include "runtime/core/status.h"

namespace penstock::cli {
namespace {

using nlohmann::json;

constexpr int64_t kPollMs = 500;
constexpr int64_t kPlainLineMs = 10'000;
constexpr int64_t kAwayMaxMs = 30'000;

volatile std::sig_atomic_t interrupted = 0;

// Takes Ctrl-C while it lives.
class InterruptGuard {
 public:
  InterruptGuard() {
    interrupted = 0;
    struct sigaction action {};
    action.sa_handler = [](int) { interrupted = 1; };
    sigaction(SIGINT, &action, &old_);
  }
  ~InterruptGuard() { sigaction(SIGINT, &old_, nullptr); }

 private:
  struct sigaction old_ {};
};

std::string WithCommas(double value) {
  const std::string digits = fmt::format("{:.0f}", std::max(0.0, value));
  std::string grouped;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) grouped += ',';
    grouped += digits[i];
  }
  return grouped;
}

// The terminal's line that is written over and over, or plain lines.
class StatusPrinter {
 public:
  explicit StatusPrinter(bool quiet) : quiet_(quiet), live_(!quiet && isatty(STDOUT_FILENO) != 0) {}

  void Show(const json& status, int64_t now_ms) {
    if (quiet_) return;
    const std::string line = StatusLine(status);
    if (live_) {
      PrintText("\r\x1b[K" + line);
      open_line_ = true;
      return;
    }
    const std::string state = status.value("state", "") + status.value("waits_for", "");
    if (state == last_state_ && now_ms - last_line_ms_ < kPlainLineMs) return;
    last_state_ = state;
    last_line_ms_ = now_ms;
    PrintText(line + "\n");
  }
  void EndLine() {
    if (open_line_) PrintText("\n");
    open_line_ = false;
  }

 private:
  const bool quiet_;
  const bool live_;
  bool open_line_ = false;
  std::string last_state_;
  int64_t last_line_ms_ = 0;
};

ExitCode Conclude(const std::string& job_id, const json& status, bool as_json) {
  const std::string state = status.value("state", "");
  if (as_json) {
    PrintJson(status);
  } else if (state == "FAILED") {
    const json failure = status.value("failure", json::object());
    std::string text = fmt::format("Job {} has failed", job_id);
    if (failure.is_object()) {
      const std::string where = failure.value("task", "").empty() ? "" : " in " + failure.value("task", "");
      text += where + ": " + FailureText(failure);
    }
    if (!text.ends_with('\n')) text += '\n';
    std::fputs(text.c_str(), stderr);
  } else {
    PrintText(fmt::format("Job {} is {}\n", job_id, state));
  }
  if (state == "FAILED") return kExitJobFailed;
  return state == "CANCELED" ? kExitJobCanceled : kExitOk;
}

// True when the user wants the job cancelled; false when it is to be left.
bool AskToCancel(const std::string& job_id) {
  if (isatty(STDIN_FILENO) == 0) return false;
  std::fprintf(stderr, "\nCancel job %s? [y/N] ", job_id.c_str());
  interrupted = 0;
  std::string answer;
  std::getline(std::cin, answer);
  return interrupted == 0 && (answer == "y" || answer == "Y" || answer == "yes");
}

}  // namespace

std::string FailureText(const json& failure) {
  std::string text = fmt::format("{}: {}\n", failure.value("type", ""), failure.value("message", ""));
  if (const std::string name = failure.value("operator", ""); !name.empty()) text += "in operator '" + name + "'\n";
  if (const std::string host = failure.value("taskmanager_id", ""); !host.empty()) {
    text += "on TaskManager " + host + "\n";
  }
  text += failure.value("stack", "");
  if (!text.ends_with('\n')) text += '\n';
  return text;
}

std::string StatusLine(const json& status) {
  std::string line = fmt::format("{}  in {}/s  out {}/s", status.value("state", ""),
                                 WithCommas(status.value("records_in_per_second", 0.0)),
                                 WithCommas(status.value("records_out_per_second", 0.0)));
  if (const double lag = status.value("lag", 0.0); lag > 0) line += "  lag " + WithCommas(lag);
  if (const std::string why = status.value("waits_for", ""); !why.empty()) line += "  " + why;
  const json notes = status.value("notes", json::array());
  if (!notes.empty()) line += "  " + notes[0].value("note", "");
  return line;
}

absl::StatusOr<ExitCode> WatchJob(RestClient* client, const std::string& job_id, bool as_json) {
  const Clock& clock = Clock::System();
  InterruptGuard guard;
  StatusPrinter printer(as_json);
  int64_t last_seen_ms = clock.MonotonicMs();
  while (true) {
    const auto status = client->Get("/v2/jobs/" + job_id);
    const int64_t now_ms = clock.MonotonicMs();
    if (status.ok()) {
      last_seen_ms = now_ms;
      printer.Show(*status, now_ms);
      if (status->value("terminal", false)) {
        printer.EndLine();
        return Conclude(job_id, *status, as_json);
      }
    } else if (!absl::IsUnavailable(status.status()) || now_ms - last_seen_ms > kAwayMaxMs) {
      printer.EndLine();
      return status.status();
    }
    if (interrupted == 0) PauseMs(kPollMs);
    if (interrupted == 0) continue;
    printer.EndLine();
    if (!AskToCancel(job_id)) {
      std::fprintf(stderr, "Job %s goes on; `penstock cancel %s` ends it.\n", job_id.c_str(), job_id.c_str());
      return kExitInterrupted;
    }
    PENSTOCK_RETURN_IF_ERROR(client->Post("/v2/jobs/" + job_id + "/cancel", json::object()).status());
  }
}

}  // namespace penstock::cli
