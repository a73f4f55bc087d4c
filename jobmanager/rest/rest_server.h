// The REST server of the JobManager: Flink's v1 routes at / and /v1, ours under /v2, and static files.
//
// Answers come from the cached snapshot; only submit, cancel and log reads of TaskManagers go to the dispatcher. Every
// call is checked for Host and Origin, changing calls for the local token (a file only the user can read).
// Thread-safe. Lifetime: Stop() is idempotent; what is passed in outlives the server. Errors: a taken port, an address
// off loopback without `insecure`, a token file that can't be written.
#ifndef PENSTOCK_JOBMANAGER_REST_REST_SERVER_H_
#define PENSTOCK_JOBMANAGER_REST_REST_SERVER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "jobmanager/commands.h"
#include "jobmanager/rest/program_store.h"
#include "jobmanager/snapshot.h"
#include "runtime/core/clock.h"
#include "runtime/core/config.h"

namespace penstock::jobmanager {

struct RestOptions {
  std::string address = "127.0.0.1";
  int port = 0;  // 0: a free one
  bool insecure = false;
  std::vector<std::string> allowed_hosts;  // further Host names
  std::string token_file;                  // empty: DefaultLocalTokenFile(port)
  std::string ui_dir;                      // empty: a plain page
  std::string log_dir;                     // of the JobManager; empty: it has no log files
  int64_t refresh_interval_ms = 3000;
  int64_t rate_interval_ms = 1000;        // between samples of the record counters
  std::string restart_strategy = "none";  // as /jobs/:id/config shows it

  // From rest.*, web.*, jobmanager.log.dir, insecure and restart-strategy.type.
  static RestOptions From(const Config& config);
};

class RestServer {
 public:
  RestServer(RestOptions options, const SnapshotHolder& snapshots, Commands& commands, ProgramStore& programs,
             const Clock& clock);
  ~RestServer();
  RestServer(const RestServer&) = delete;
  RestServer& operator=(const RestServer&) = delete;

  absl::Status Start();
  void Stop();
  // After Start().
  std::string address() const;  // host:port
  int port() const;
  const std::string& token_file() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_REST_REST_SERVER_H_
