// A directory of programs, each in a file named by its digest. Thread-safe; reads the directory anew for each call.
#ifndef PENSTOCK_JOBMANAGER_RPC_DIRECTORY_PROGRAMS_H_
#define PENSTOCK_JOBMANAGER_RPC_DIRECTORY_PROGRAMS_H_

#include <string>

#include "jobmanager/rpc/gateways.h"

namespace penstock::jobmanager {

class DirectoryPrograms final : public ProgramSource {
 public:
  explicit DirectoryPrograms(std::string directory) : directory_(std::move(directory)) {}
  absl::StatusOr<Program> Find(const std::string& digest) override;

 private:
  const std::string directory_;
};

}  // namespace penstock::jobmanager

#endif  // PENSTOCK_JOBMANAGER_RPC_DIRECTORY_PROGRAMS_H_
