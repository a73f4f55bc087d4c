// Names, files and lines for program addresses, by libbacktrace. Slow (it reads debug information): for reports only.
#ifndef PENSTOCK_RUNTIME_CORE_STACK_TRACE_H_
#define PENSTOCK_RUNTIME_CORE_STACK_TRACE_H_

#include <cstdint>
#include <string>
#include <vector>

namespace penstock {

// One line a frame, inlined functions as lines of their own: "#0 Count::add(Event const&) at job.cc:17".
// Frames are addresses in this process: return addresses, as LastThrowStack() gives. Thread-safe.
std::string SymbolizeHere(const std::vector<void*>& frames);

// Raw return addresses of the newest throw on this thread, the thrower first. Empty when nothing was thrown or when the
// program does not link penstock_throw_trace.
std::vector<void*> LastThrowStack();

// The text of a crash file (crash_handler.h), symbolised against the files it names. Call it in a process of its own:
// it keeps what it has read in memory, and trusts the debug information of files it did not make.
std::string SymbolizeCrashFile(const std::string& crash_text);

// How LastThrowStack gets at the object that is linked into job programs only.
using ThrowStackFunction = std::vector<void*> (*)();
void SetThrowStackFunction(ThrowStackFunction function);

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_CORE_STACK_TRACE_H_
