// What a changed program does to the state of a checkpoint, from the two job graphs alone. Pure.
//
// The states of a keyed function count as one row (docs/state_format.md), each map and the windows of an operator as a
// table of their own. Only what Schema::Encode keeps is compared: a rename is seen as a loss and a gain.
#ifndef PENSTOCK_RUNTIME_CHECKPOINT_STATE_CHANGES_H_
#define PENSTOCK_RUNTIME_CHECKPOINT_STATE_CHANGES_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/graph.pb.h"

namespace penstock {

enum class StateVerdict {
  kMatched,
  kCompatible,    // read by names: fields gained, lost, widened
  kNew,           // begins empty
  kMissing,       // the program has no operator or table for it
  kIncompatible,  // cannot be read
};
const char* StateVerdictName(StateVerdict verdict);

struct StateChange {
  std::string uid;    // of the operator
  std::string state;  // "count, total" of a row, the name of a map, "windows"; empty: what the operator itself keeps
  StateVerdict verdict = StateVerdict::kMatched;
  std::string was;  // "int64 -> {count:optional<int64>}": key and value; empty: there was none
  std::string is;
  std::string reason;
  std::string fix;  // what to do; empty when nothing need be done
};

// In the order of uids. DataLoss: a schema in a graph that is none.
absl::StatusOr<std::vector<StateChange>> CompareStates(const proto::JobGraph& was, const proto::JobGraph& is);

// OK when `is` can begin from state of `was`; else FailedPrecondition with all that stands against it.
absl::Status CheckStates(const proto::JobGraph& was, const proto::JobGraph& is, bool allow_non_restored);

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_CHECKPOINT_STATE_CHANGES_H_
