// A job program whose tasks do what the job's first argument says: see fake_executor.h, and below for how it can die.
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "taskmanager/worker/run_worker.h"
#include "taskmanager/worker/testing/fake_executor.h"

namespace {

__attribute__((noinline, no_sanitize("undefined"))) void ReadNowhere(volatile int* nowhere) { *nowhere = 1; }

__attribute__((noinline)) void CrashInUserCode(const std::string& mode) {
  if (mode == "segv" || mode == "peer-segv") ReadNowhere(nullptr);
  if (mode == "null-call") {
    void (*volatile nothing)() = nullptr;
    nothing();
  }
  if (mode == "abort") std::abort();
  if (mode == "exit") {
    std::fputs("the author's last words\n", stderr);
    std::_Exit(7);
  }
  if (mode == "kill") kill(getpid(), SIGKILL);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2 || std::strcmp(argv[1], "worker") != 0) return 2;
  const penstock::MetricRegistry registry;
  return penstock::worker::RunWorker(penstock::worker::MakeFakeFactory(CrashInUserCode), registry);
}
