// Calling user code: optional open(Context&) and close(), and marking the failing operator on the way of an exception.
#ifndef PENSTOCK_RUNTIME_OPERATORS_USER_FUNCTION_H_
#define PENSTOCK_RUNTIME_OPERATORS_USER_FUNCTION_H_

#include <utility>

#include "runtime/core/crash_handler.h"
#include "runtime/task/operator.h"

namespace penstock {

// While it lives, a crash of this thread is in the user code of that operator. Calls nest: a function may emit.
class UserCodeMark {
 public:
  explicit UserCodeMark(const OperatorContext* context) : outer_(crash_place.where) { crash_place.where = context; }
  ~UserCodeMark() { crash_place.where = outer_; }
  UserCodeMark(const UserCodeMark&) = delete;
  UserCodeMark& operator=(const UserCodeMark&) = delete;

 private:
  const void* const outer_;
};

// Runs fn; an exception passes on, after the operator has been noted. Costs two stores while nothing goes wrong.
template <class Fn>
decltype(auto) CallUser(OperatorContext* context, Fn&& fn) {
  const UserCodeMark mark(context);
  try {
    return std::forward<Fn>(fn)();
  } catch (...) {
    context->NoteFailingOperator();
    throw;
  }
}

template <class Fn>
void OpenFunction(Fn& fn, OperatorContext* context) {
  if constexpr (requires(Context & c) { fn.open(c); }) {
    CallUser(context, [&] { fn.open(static_cast<Context&>(*context)); });
  }
}

template <class Fn>
void CloseFunction(Fn& fn) {
  if constexpr (requires { fn.close(); }) fn.close();
}

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_USER_FUNCTION_H_
