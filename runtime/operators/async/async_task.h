// AsyncTask<Out>: an asynchronous call written as a coroutine.
//
//   AsyncTask<Enriched> operator()(Order order) {
//     auto customer = co_await async_call<Customer>([&](AsyncCall<Customer> done) {
//       client->get(order.customer, [done](absl::StatusOr<Customer> c) { done(std::move(c)); });
//     });
//     if (!customer.ok()) co_return customer.status();
//     co_return Enriched{order, *customer};
//   }
//
// It begins on the task's thread and goes on, after each co_await, on the thread that answered. Parameters are taken by
// value: references would dangle. A coroutine that is never resumed is never freed.
#ifndef PENSTOCK_RUNTIME_OPERATORS_ASYNC_ASYNC_TASK_H_
#define PENSTOCK_RUNTIME_OPERATORS_ASYNC_ASYNC_TASK_H_

#include <coroutine>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "runtime/operators/async/async_result.h"

namespace penstock {

template <class Out>
class AsyncTask {
 public:
  struct promise_type {
    std::optional<AsyncResult<Out>> result;

    AsyncTask get_return_object() { return AsyncTask(std::coroutine_handle<promise_type>::from_promise(*this)); }
    std::suspend_always initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }  // frees itself
    void return_value(Out value) { result->complete(std::move(value)); }
    void return_value(std::vector<Out> values) { result->complete(std::move(values)); }
    void return_value(absl::Status status) { result->fail(std::move(status)); }
    void return_value(absl::StatusOr<Out> value) {
      value.ok() ? result->complete(std::move(*value)) : result->fail(value.status());
    }
    void unhandled_exception() { result->fail(std::current_exception()); }
  };

  AsyncTask(AsyncTask&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  AsyncTask& operator=(AsyncTask&&) = delete;
  ~AsyncTask() {
    if (handle_) handle_.destroy();  // it was not started
  }
  // From here on it owns itself.
  void Start(AsyncResult<Out> result) {
    handle_.promise().result.emplace(std::move(result));
    std::exchange(handle_, nullptr).resume();
  }

 private:
  explicit AsyncTask(std::coroutine_handle<promise_type> handle) : handle_(handle) {}
  std::coroutine_handle<promise_type> handle_;
};

namespace detail {

// An answer and who waits for it: whichever comes second goes on.
template <class R>
struct AsyncCallState {
  Mutex mutex;
  std::optional<absl::StatusOr<R>> answer ABSL_GUARDED_BY(mutex);
  std::coroutine_handle<> waiter ABSL_GUARDED_BY(mutex);
};

}  // namespace detail

// Answers one async_call, once, from any thread.
template <class R>
class AsyncCall {
 public:
  explicit AsyncCall(std::shared_ptr<detail::AsyncCallState<R>> state) : state_(std::move(state)) {}
  void operator()(absl::StatusOr<R> answer) const {
    std::coroutine_handle<> waiter;
    {
      MutexLock lock(&state_->mutex);
      if (state_->answer.has_value()) return;
      state_->answer.emplace(std::move(answer));
      waiter = state_->waiter;
    }
    if (waiter) waiter.resume();
  }

 private:
  std::shared_ptr<detail::AsyncCallState<R>> state_;
};

// begin(AsyncCall<R>) starts a call of a client library; co_await gives its absl::StatusOr<R>.
template <class R, class Begin>
auto async_call(Begin begin) {
  struct Awaiter {
    Begin begin;
    std::shared_ptr<detail::AsyncCallState<R>> state = std::make_shared<detail::AsyncCallState<R>>();

    bool await_ready() {
      begin(AsyncCall<R>(state));
      MutexLock lock(&state->mutex);
      return state->answer.has_value();
    }
    bool await_suspend(std::coroutine_handle<> handle) {
      // Once the lock is open, the answer may resume and free the coroutine, and this awaiter with it.
      const auto shared = state;
      MutexLock lock(&shared->mutex);
      if (shared->answer.has_value()) return false;
      shared->waiter = handle;
      return true;
    }
    absl::StatusOr<R> await_resume() {
      MutexLock lock(&state->mutex);
      return std::move(*state->answer);
    }
  };
  return Awaiter{std::move(begin)};
}

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_ASYNC_ASYNC_TASK_H_
