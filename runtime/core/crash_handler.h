// Writes where a process crashed, so that somebody else can say it in words.
//
// On SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT the handler writes a small text file from an alternate stack and lets
// the signal kill the process. Only async-signal-safe calls; nothing is allocated; modules are those loaded when the
// handler was installed. Grammar of the file, one item a line:
//   signal <number> <code> <fault address, hex>
//   frame <pc, hex> <offset in module, hex> <module path or ?>     (the crashed function first)
//   task <label>             what the thread that crashed was doing, where it said so
//   operator <name>
#ifndef PENSTOCK_RUNTIME_CORE_CRASH_HANDLER_H_
#define PENSTOCK_RUNTIME_CORE_CRASH_HANDLER_H_

#include <signal.h>

#include <memory>
#include <string>

#include "absl/status/status.h"

namespace penstock {

inline constexpr int kCrashFramesMax = 64;

// What the calling thread is doing, for the report of a crash in it. Plain words, written by the thread itself: it
// costs a store, also for every record. What they point to must live as long as they stand here.
struct CrashPlace {
  const char* task = nullptr;
  const void* where = nullptr;                          // inside user code: whose
  const char* (*name_of)(const void* where) = nullptr;  // its name
};
inline constinit thread_local CrashPlace crash_place;

// Once per process. The file is created at once (empty), so that a crash needs no more than a descriptor. The calling
// thread gets an alternate stack. FailedPrecondition: the file cannot be created, or a handler is installed already.
absl::Status InstallCrashHandler(const std::string& path);

// An alternate stack for the calling thread, while this lives. Without one a stack overflow of that thread leaves no
// report. Construct and destroy it on the same thread.
class ThreadCrashStack {
 public:
  ThreadCrashStack();
  ~ThreadCrashStack();
  ThreadCrashStack(const ThreadCrashStack&) = delete;
  ThreadCrashStack& operator=(const ThreadCrashStack&) = delete;

 private:
  std::unique_ptr<char[]> memory_;
  stack_t before_{};  // put back at the end: a sanitizer may have one of its own
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_CORE_CRASH_HANDLER_H_
