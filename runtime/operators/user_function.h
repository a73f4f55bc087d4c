// Calling user code: optional open(Context&) and close(), and marking the failing operator on the way of an exception.
#ifndef PENSTOCK_RUNTIME_OPERATORS_USER_FUNCTION_H_
#define PENSTOCK_RUNTIME_OPERATORS_USER_FUNCTION_H_

#include <utility>

#include "runtime/task/operator.h"

namespace penstock {

// Runs fn; an exception passes on, after the operator has been noted. Costs nothing while nothing is thrown.
template <class Fn>
decltype(auto) CallUser(OperatorContext* context, Fn&& fn) {
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
