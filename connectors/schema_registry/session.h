// One task's way to the registry: its client's calls run beside the task, which waits in its mailbox.
//
// Owner: the task's thread. A call ends with the task: cancel stops the client.
#ifndef PENSTOCK_CONNECTORS_SCHEMA_REGISTRY_SESSION_H_
#define PENSTOCK_CONNECTORS_SCHEMA_REGISTRY_SESSION_H_

#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "penstock/schema_registry/client.h"
#include "runtime/core/status.h"
#include "runtime/task/function_context.h"

namespace penstock::schema_registry {

class Session {
 public:
  explicit Session(const Registry& registry) : client_(registry) {}

  void Open(Context& context) { context_ = &context; }
  Client& client() { return client_; }

  // call() → StatusOr<T>. what: "schema 7", "subject orders-value". Before Open it runs here.
  template <class Call>
  auto Await(const std::string& what, Call call) -> decltype(call()) {
    if (context_ == nullptr) return call();
    std::optional<decltype(call())> result;
    std::atomic<bool> done{false};
    const std::shared_ptr<Waker> waker = context_->waker();
    std::thread thread([&] {
      result.emplace(call());
      done.store(true, std::memory_order_release);
      waker->Wake();
    });
    const bool is_done =
        context_->WaitUntil("the schema registry: " + what, [&] { return done.load(std::memory_order_acquire); });
    if (!is_done) client_.Stop();
    thread.join();
    if (!is_done) return Cancelled("schema registry: {}: the task ends", what);
    return *std::move(result);
  }

 private:
  Client client_;
  Context* context_ = nullptr;
};

}  // namespace penstock::schema_registry

#endif  // PENSTOCK_CONNECTORS_SCHEMA_REGISTRY_SESSION_H_
