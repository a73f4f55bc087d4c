// Keeps the stack of the newest throw of each thread, by standing before __cxa_throw. Linked into job programs only, as
// an object: an exception carries no stack, and when it is caught the frames that threw it are gone.
#include <dlfcn.h>
#include <unwind.h>

#include <cstdint>
#include <cstdlib>
#include <typeinfo>
#include <vector>

#include "runtime/core/stack_trace.h"

namespace {

constexpr int kThrowFramesMax = 48;

struct ThrowStack {
  void* frames[kThrowFramesMax];
  int count = 0;
};
thread_local ThrowStack newest;

_Unwind_Reason_Code Keep(_Unwind_Context* context, void* argument) {
  auto* stack = static_cast<ThrowStack*>(argument);
  if (stack->count == kThrowFramesMax) return _URC_END_OF_STACK;
  stack->frames[stack->count++] = reinterpret_cast<void*>(_Unwind_GetIP(context));
  return _URC_NO_REASON;
}

std::vector<void*> NewestThrow() {
  if (newest.count == 0) return {};
  return std::vector<void*>(newest.frames + 1, newest.frames + newest.count);  // without __cxa_throw itself
}

[[maybe_unused]] const bool registered = [] {
  penstock::SetThrowStackFunction(NewestThrow);
  return true;
}();

}  // namespace

extern "C" [[noreturn]] __attribute__((visibility("default"), noinline)) void __cxa_throw(void* object,
                                                                                          std::type_info* type,
                                                                                          void (*destructor)(void*)) {
  newest.count = 0;
  _Unwind_Backtrace(Keep, &newest);
  using Throw = void (*)(void*, std::type_info*, void (*)(void*));
  static const auto real = reinterpret_cast<Throw>(dlsym(RTLD_NEXT, "__cxa_throw"));
  real(object, type, destructor);
  std::abort();  // the real one does not return
}
