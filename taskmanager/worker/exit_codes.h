// With what codes a worker process ends. Documented for operators: the JobManager shows them.
#ifndef PENSTOCK_TASKMANAGER_WORKER_EXIT_CODES_H_
#define PENSTOCK_TASKMANAGER_WORKER_EXIT_CODES_H_

namespace penstock::worker {

inline constexpr int kExitDone = 0;
inline constexpr int kExitBadSpec = 65;         // its standard input held no worker specification
inline constexpr int kExitStartFailed = 66;     // the executor could not be made; the JobManager was told why
inline constexpr int kExitRefused = 67;         // the JobManager refused it (another attempt, graph or version)
inline constexpr int kExitJobManagerLost = 68;  // the JobManager did not answer for too long
inline constexpr int kExitTasksStuck = 69;      // tasks did not stop within task.cancellation.timeout
inline constexpr int kExitHostGone = 70;        // its host process is gone

}  // namespace penstock::worker

#endif  // PENSTOCK_TASKMANAGER_WORKER_EXIT_CODES_H_
