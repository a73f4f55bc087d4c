// A job graph as text, for `penstock info`. Pure.
#ifndef PENSTOCK_CLI_PLAN_TEXT_H_
#define PENSTOCK_CLI_PLAN_TEXT_H_

#include <string>

#include "proto/graph.pb.h"

namespace penstock::cli {

// One block per vertex, in the graph's order: its operators with uid, description and state, and where it sends.
std::string PlanText(const proto::JobGraph& graph);

}  // namespace penstock::cli

#endif  // PENSTOCK_CLI_PLAN_TEXT_H_
