// The one header of a job:
//
//   PENSTOCK_JOB("word-count", (Environment& env, const Args& args)) { env.source(...)....sink(...); }
//
// defines the job's graph and the program's main. The program runs alone (`./word_count --brokers ...`), prints its
// plan (`plan`), or runs as a worker of a cluster (`worker`); build it with add_penstock_job(word_count word_count.cc).
#ifndef PENSTOCK_JOB_H_
#define PENSTOCK_JOB_H_

#include <penstock/args.h>
#include <penstock/environment.h>
#include <penstock/serde.h>
#include <penstock/stream.h>

#include <chrono>
#include <functional>
#include <string>

namespace penstock {

using namespace std::chrono_literals;

struct JobDefinition {
  std::string name;  // and uid: under which its state and checkpoints are found
  std::function<void(Environment& env, const Args& args)> build;
};

// The main of a job program; in taskmanager/program. Returns the exit code (docs/job_programs.md).
int RunJobProgram(const JobDefinition& job, int argc, char** argv);

}  // namespace penstock

#define PENSTOCK_JOB(name, parameters)                                                                         \
  static void PenstockBuildJob parameters;                                                                     \
  int main(int argc, char** argv) { return ::penstock::RunJobProgram({name, &PenstockBuildJob}, argc, argv); } \
  static void PenstockBuildJob parameters

#endif  // PENSTOCK_JOB_H_
