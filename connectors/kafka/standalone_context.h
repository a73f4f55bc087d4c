// A Context for programs that use a reader or writer without an engine around it: tools, benchmarks, the dev broker.
//
// Owner: one thread, which is then "the task's". Stop() may come from any thread. Status notes go to the log.
#ifndef PENSTOCK_CONNECTORS_KAFKA_STANDALONE_CONTEXT_H_
#define PENSTOCK_CONNECTORS_KAFKA_STANDALONE_CONTEXT_H_

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "runtime/metrics/metrics.h"
#include "runtime/task/function_context.h"

namespace penstock::kafka {

class StandaloneContext final : public Context {
 public:
  explicit StandaloneContext(std::string name);
  ~StandaloneContext() override;

  // Sleeps until the waker is called or the time has passed.
  void Sleep(std::chrono::milliseconds at_most);
  // Makes waits return false from now on.
  void Stop();
  // When set, asked in each round of a wait; true is as Stop().
  void set_stop_check(std::function<bool()> check) { stop_check_ = std::move(check); }

  int subtask() const override { return 0; }
  int parallelism() const override { return 1; }
  uint32_t attempt() const override { return 1; }
  const std::string& job_name() const override { return name_; }
  const std::string& operator_name() const override { return name_; }
  const Clock& clock() const override;
  Counter& counter(std::string_view name) override { return counters_[std::string(name)]; }
  Histogram& histogram(std::string_view name) override { return histograms_[std::string(name)]; }
  void gauge(std::string_view, std::function<double()>) override {}
  void log_info(std::string_view line) override;
  void log_warn(std::string_view line) override;
  bool cancelled() const override { return stopped_.load(std::memory_order_relaxed); }
  std::shared_ptr<Waker> waker() override;
  bool WaitUntil(std::string_view why, const std::function<bool()>& ready) override;
  void set_status_note(std::string) override {}  // its text was logged when the trouble began
  void count_malformed() override {}

 private:
  class Bell;

  const std::string name_;
  const std::shared_ptr<Bell> bell_;
  std::atomic<bool> stopped_{false};
  std::function<bool()> stop_check_;
  std::map<std::string, Counter> counters_;
  std::map<std::string, Histogram> histograms_;
};

}  // namespace penstock::kafka

#endif  // PENSTOCK_CONNECTORS_KAFKA_STANDALONE_CONTEXT_H_
