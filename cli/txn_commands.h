// penstock txn list, txn abort: transactions of a job's exactly-once sinks.
#ifndef PENSTOCK_CLI_TXN_COMMANDS_H_
#define PENSTOCK_CLI_TXN_COMMANDS_H_

#include <string>

#include "absl/status/status.h"
#include "cli/command_context.h"
#include "cli/job_program.h"

namespace penstock::cli {

struct TxnOptions {
  PlanRequest plan;
  std::string uid;  // of a clone; empty: the program's own
  int slots = 0;    // that the sinks have ever had, when that is more than their parallelism
  bool abort = false;
  bool force = false;  // abort without asking the JobManager whether the job runs
};
// FailedPrecondition: the program cannot say, or its job runs and would be failed by an abort.
absl::Status HandleTransactions(const CommandContext& context, const TxnOptions& options);

}  // namespace penstock::cli

#endif  // PENSTOCK_CLI_TXN_COMMANDS_H_
