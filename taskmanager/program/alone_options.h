// What a job program that is run alone takes beside the job's own arguments, which all begin with "--".
#ifndef PENSTOCK_TASKMANAGER_PROGRAM_ALONE_OPTIONS_H_
#define PENSTOCK_TASKMANAGER_PROGRAM_ALONE_OPTIONS_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace penstock::program {

struct AloneOptions {
  int parallelism = 1;                                         // -p N
  std::optional<int> rest_port;                                // -r PORT; 0: a free one
  std::vector<std::pair<std::string, std::string>> overrides;  // -Dkey=value
  std::vector<std::string> job;
};

// InvalidArgument says what was expected.
absl::StatusOr<AloneOptions> ParseAloneOptions(const std::vector<std::string>& arguments);

}  // namespace penstock::program

#endif  // PENSTOCK_TASKMANAGER_PROGRAM_ALONE_OPTIONS_H_
