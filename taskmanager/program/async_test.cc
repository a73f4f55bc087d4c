#include <penstock/testing.h>

#include <map>
#include <mutex>
#include <random>
#include <set>
#include <stdexcept>
#include <thread>

#include "catch2/catch.hpp"
#include "runtime/core/mutex.h"

namespace penstock::testing {
namespace {

using std::chrono::milliseconds;

// A service whose answers the test gives.
class Service {
 public:
  struct Call {
    int value;
    std::function<void(absl::StatusOr<std::string>)> answer;
  };
  void Ask(int value, std::function<void(absl::StatusOr<std::string>)> answer) {
    calls.push_back({value, std::move(answer)});
  }
  // Answers the newest call for that value.
  void Answer(int value, absl::StatusOr<std::string> with) {
    for (size_t i = calls.size(); i > 0; --i) {
      if (calls[i - 1].value != value) continue;
      const auto answer = calls[i - 1].answer;
      calls.erase(calls.begin() + static_cast<std::ptrdiff_t>(i) - 1);
      return answer(std::move(with));
    }
    FAIL("no call for " << value);
  }
  std::vector<Call> calls;
};

// Calls that nobody answers keep the function alive, and the function the service: let go of at the end.
struct OwnedService : std::shared_ptr<Service> {
  OwnedService() : std::shared_ptr<Service>(std::make_shared<Service>()) {}
  ~OwnedService() { get()->calls.clear(); }
};

struct ByCallback {
  std::shared_ptr<Service> service;
  void operator()(const int& value, AsyncResult<std::string> result) const {
    service->Ask(value, [result](absl::StatusOr<std::string> answer) {
      answer.ok() ? result.complete(*answer) : result.fail(answer.status());
    });
  }
};
struct ByCoroutine {
  std::shared_ptr<Service> service;
  AsyncTask<std::string> operator()(int value) const {
    const auto answer = co_await async_call<std::string>([this, value](AsyncCall<std::string> done) {
      service->Ask(value, [done](absl::StatusOr<std::string> given) { done(std::move(given)); });
    });
    if (!answer.ok()) co_return answer.status();
    if (*answer == "throw") throw std::runtime_error("thrown behind co_await");
    co_return *answer + "!";
  }
};

TEST_CASE("Ordered answers leave in the order of their records, and hold watermarks back", "[async][once]") {
  Harness<int> harness;
  const OwnedService service;
  auto out = harness.output(harness.input().async<std::string>("ask", ByCallback{service}));
  harness.push(1, 10);
  harness.push(2, 20);
  harness.watermark(15);
  harness.push(3, 30);
  service->Answer(3, "three");
  service->Answer(2, "two");
  harness.watermark(16);
  CHECK(out.values().empty());
  CHECK(out.watermark() == kNoTimestamp);
  service->Answer(1, "one");
  harness.watermark(17);
  CHECK(out.values() == std::vector<std::string>{"one", "two", "three"});
  CHECK(out.records()[1].timestamp == 20);
  CHECK(out.watermark() == 17);
}

TEST_CASE("Unordered answers leave as they come, but pass no watermark", "[async][once]") {
  Harness<int> harness;
  const OwnedService service;
  auto out =
      harness.output(harness.input().async<std::string>("ask", ByCallback{service}, AsyncOptions{.ordered = false}));
  harness.push(1, 10);
  harness.push(2, 20);
  harness.watermark(15);
  harness.push(3, 30);
  service->Answer(3, "three");
  service->Answer(2, "two");
  harness.advance(milliseconds(1));
  CHECK(out.values() == std::vector<std::string>{"two"});
  service->Answer(1, "one");
  harness.advance(milliseconds(1));
  CHECK(out.values() == std::vector<std::string>{"two", "one", "three"});
  CHECK(out.watermark() == 15);
}

TEST_CASE("A coroutine goes on where its answer comes; what it throws fails the task", "[async][once]") {
  Harness<int> harness;
  const OwnedService service;
  auto out = harness.output(harness.input().async<std::string>("ask", ByCoroutine{service}));
  harness.push(1);
  harness.push(2);
  std::thread([&] { service->Answer(1, "one"); }).join();
  harness.advance(milliseconds(1));
  CHECK(out.values() == std::vector<std::string>{"one!"});
  service->Answer(2, "throw");
  CHECK_THROWS_WITH(harness.advance(milliseconds(1)), Catch::Contains("thrown behind co_await"));
  CHECK(harness.failing_operator() == "ask");
}

TEST_CASE("A failed call is tried again, and fails the task in the end", "[async][once]") {
  Harness<int> harness;
  const OwnedService service;
  AsyncOptions options;
  options.retries = {.max_attempts = 3, .delay = milliseconds(100)};
  auto out = harness.output(harness.input().async<std::string>("ask", ByCallback{service}, options));
  harness.push(1);
  service->Answer(1, absl::UnavailableError("busy"));
  harness.advance(milliseconds(1));
  harness.advance(milliseconds(99));
  CHECK(service->calls.empty());
  harness.advance(milliseconds(1));
  service->Answer(1, absl::UnavailableError("busy"));
  harness.advance(milliseconds(1));
  harness.advance(milliseconds(199));
  CHECK(service->calls.empty());
  harness.advance(milliseconds(1));
  service->Answer(1, "at last");
  harness.advance(milliseconds(1));
  CHECK(out.values() == std::vector<std::string>{"at last"});

  harness.push(2);
  for (int attempt = 0; attempt < 3; ++attempt) {
    service->Answer(2, absl::UnavailableError("down"));
    harness.advance(milliseconds(1));
    harness.advance(milliseconds(1'000));
  }
  CHECK(harness.failure().message() == "an asynchronous call failed: down (after 3 attempts)");
}

TEST_CASE("What fails for good goes aside, a timeout too; its answer is dropped when it comes", "[async][once]") {
  Harness<int> harness;
  const OwnedService service;
  AsyncOptions options;
  options.timeout = milliseconds(50);
  options.on_failure = side_output;
  auto asked = harness.input().async<std::string>("ask", ByCallback{service}, options);
  auto out = harness.output(asked);
  auto failed = harness.output(asked.side_output<AsyncFailure<int>>("failed"));
  harness.push(1, 10);
  harness.push(2, 20);
  service->Answer(2, absl::NotFoundError("unknown"));
  harness.advance(milliseconds(50));
  REQUIRE(failed.values().size() == 2);
  CHECK(failed.values()[0].value == 2);
  CHECK(failed.values()[0].reason == "unknown");
  CHECK(failed.records()[1].timestamp == 10);
  CHECK(failed.values()[1].reason == "no answer within 50 ms");
  service->Answer(1, "too late");
  harness.push(3, 30);
  service->Answer(3, "three");
  harness.advance(milliseconds(1));
  CHECK(out.values() == std::vector<std::string>{"three"});
  CHECK(harness.malformed_records() == 2);
}

TEST_CASE("Records under way are in the checkpoint, and asked for again", "[async][once]") {
  Harness<int> harness({.restore_after_each_step = true});
  const OwnedService service;
  auto out = harness.output(harness.input().async<std::string>("ask", ByCallback{service}));
  harness.push(1, 10);
  harness.push(2, 20);
  CHECK(service->calls.size() > 2);
  service->calls.front().answer("of an attempt that has ended");
  service->Answer(2, "two");  // the newest call, of the attempt that lives
  harness.advance(milliseconds(1));
  CHECK(out.values().empty());
  service->Answer(2, "two");
  service->Answer(1, "one");
  harness.advance(milliseconds(1));
  CHECK(out.values() == std::vector<std::string>{"one", "two"});
  CHECK(out.records()[0].timestamp == 10);
}

// Answers after a while, from threads of its own.
class SlowService {
 public:
  explicit SlowService(uint64_t seed) : random_(seed) {
    for (int i = 0; i < 3; ++i) threads_.emplace_back([this] { Serve(); });
  }
  ~SlowService() {
    {
      MutexLock lock(&mutex_);
      stopped_ = true;
    }
    wake_.NotifyAll();
    for (std::thread& thread : threads_) thread.join();
  }
  void Ask(std::function<void()> answer) {
    {
      MutexLock lock(&mutex_);
      most_ = std::max(most_, waiting_.size() + 1);
      // Anywhere in the line.
      waiting_.insert(waiting_.begin() + static_cast<std::ptrdiff_t>(random_() % (waiting_.size() + 1)),
                      std::move(answer));
    }
    wake_.NotifyOne();
  }
  size_t most() const {
    MutexLock lock(&mutex_);
    return most_;
  }

 private:
  void Serve() {
    while (true) {
      std::function<void()> answer;
      {
        MutexLock lock(&mutex_);
        while (waiting_.empty() && !stopped_) wake_.Wait(&mutex_);
        if (waiting_.empty()) return;
        answer = std::move(waiting_.back());
        waiting_.pop_back();
      }
      answer();
    }
  }

  mutable Mutex mutex_;
  CondVar wake_;
  std::mt19937_64 random_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::function<void()>> waiting_ ABSL_GUARDED_BY(mutex_);
  size_t most_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

TEST_CASE("A job of asynchronous calls has each answer once, never more under way than its capacity", "[async]") {
  const bool ordered = GENERATE(true, false);
  std::vector<int> values;
  for (int i = 0; i < 5'000; ++i) values.push_back(i);
  collect::Results<int> results;
  SlowService service(7);
  const absl::Status status = RunJob(
      [&](Environment& env, const Args&) {
        env.source("in", collection::Source<int>{values})
            .async<int>(
                "double",
                [&service](const int& value, AsyncResult<int> result) {
                  service.Ask([value, result] { result.complete(2 * value); });
                },
                AsyncOptions{.capacity = 16, .ordered = ordered})
            .sink("out", collect::Sink<int>{results});
      },
      {.parallelism = 1});
  REQUIRE(status.message() == "");
  std::vector<int> found = results.values();
  std::vector<int> wanted;
  for (const int value : values) wanted.push_back(2 * value);
  if (!ordered) std::sort(found.begin(), found.end());
  CHECK((found == wanted));
  CHECK(service.most() <= 16);
}

TEST_CASE("Wrong options of asynchronous calls are refused when the graph is built", "[async]") {
  Harness<int> harness;
  const OwnedService service;
  harness.input().async<std::string>("none", ByCallback{service}, AsyncOptions{.capacity = 0});
  harness.input().async<std::string>("never", ByCallback{service}, AsyncOptions{.timeout = milliseconds(0)});
  const std::string error = std::string(harness.open().message());
  CHECK_THAT(error, Catch::Contains("async 'none': the capacity must be above 0"));
  CHECK_THAT(error, Catch::Contains("async 'never': the timeout must be above 0 ms"));
}

}  // namespace
}  // namespace penstock::testing
