#include "jobmanager/job/job_state.h"

#include <algorithm>
#include <array>

namespace penstock::jobmanager {
namespace {

struct Transition {
  JobState from;
  JobState to;
  const char* when;
};

using enum JobState;
constexpr std::array kTransitions{
    Transition{kInitializing, kCreated, "the job was accepted and asks for slots"},
    Transition{kInitializing, kCancelling, "cancel"},
    Transition{kInitializing, kFailing, "it cannot be started at all"},
    Transition{kCreated, kRunning, "every task reports RUNNING"},
    Transition{kCreated, kCancelling, "cancel"},
    Transition{kCreated, kRestarting, "a worker could not start, or a task failed while it was opened"},
    Transition{kCreated, kFailing, "the same, without another attempt"},
    Transition{kRunning, kFinished, "every task reports FINISHED"},
    Transition{kRunning, kCancelling, "cancel"},
    Transition{kRunning, kRestarting, "a task, a worker or a host failed, or it is rescaled"},
    Transition{kRunning, kFailing, "the same, without another attempt"},
    Transition{kRestarting, kCreated, "the failed attempt is gone and the restart delay has passed"},
    Transition{kRestarting, kCancelling, "cancel"},
    Transition{kRestarting, kFailing, "the root cause turned out not to be worth another attempt"},
    Transition{kFailing, kFailed, "no worker of the job is left"},
    Transition{kCancelling, kCanceled, "no worker of the job is left"},
};

}  // namespace

bool IsLegalTransition(JobState from, JobState to) {
  return std::ranges::any_of(kTransitions, [&](const Transition& t) { return t.from == from && t.to == to; });
}

}  // namespace penstock::jobmanager
