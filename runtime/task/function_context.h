// What user functions, sources and sinks may ask of the task that runs them.
#ifndef PENSTOCK_RUNTIME_TASK_FUNCTION_CONTEXT_H_
#define PENSTOCK_RUNTIME_TASK_FUNCTION_CONTEXT_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace penstock {

class Clock;
class Counter;
class Histogram;
class MetricGroup;

// Wakes the task that sleeps in its mailbox wait. Thread-safe, cheap, never blocks; may outlive the task (a wake-up of
// an ended task does nothing). Given to callbacks of client libraries.
class Waker {
 public:
  virtual ~Waker() = default;
  virtual void Wake() = 0;
};

// Owner: the task's thread; not to be used from another. Lives as long as the task.
class Context {
 public:
  virtual ~Context() = default;

  virtual int subtask() const = 0;  // 0-based
  virtual int parallelism() const = 0;
  virtual uint32_t attempt() const = 0;
  virtual const std::string& job_name() const = 0;
  virtual const std::string& operator_name() const = 0;
  virtual const Clock& clock() const = 0;

  // User metrics: exported as <operator>.<name>, shown in REST and /metrics. The same name gives the same metric.
  virtual Counter& counter(std::string_view name) = 0;
  virtual Histogram& histogram(std::string_view name) = 0;
  virtual void gauge(std::string_view name, std::function<double()> read) = 0;  // read on the metrics thread

  // Logs one line with job, operator and subtask in front.
  virtual void log_info(std::string_view line) = 0;
  virtual void log_warn(std::string_view line) = 0;

  // True once the task is to stop: a long loop in user code should leave then.
  virtual bool cancelled() const = 0;

  // ---- for sources and sinks ----
  virtual std::shared_ptr<Waker> waker() = 0;
  // The one blocking primitive of a task (protocols.md D1): returns when `ready` holds (true), or the task is to stop
  // (false). `ready` is evaluated on the task's thread, at first and after each wake-up. `why` shows in status while
  // waiting ("room in the Kafka queue").
  virtual bool WaitUntil(std::string_view why, const std::function<bool()>& ready) = 0;
  // What the queues of a client library of this source or sink may hold, of the worker's memory.
  virtual int64_t client_queue_bytes() const { return 16 << 20; }
  // One line for `penstock status` about a trouble that is being retried; empty clears it.
  virtual void set_status_note(std::string note) = 0;
  virtual void count_malformed() = 0;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_TASK_FUNCTION_CONTEXT_H_
