// A service that knows who customers are, and takes its time: what a client library of a database looks like to a job.
#ifndef PENSTOCK_EXAMPLES_ASYNC_ENRICHMENT_DIRECTORY_H_
#define PENSTOCK_EXAMPLES_ASYNC_ENRICHMENT_DIRECTORY_H_

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

struct Customer {
  std::string name;
  std::string country;
};

// Answers on threads of its own, each after a millisecond; every 97th question meets a busy server.
class Directory {
 public:
  using Done = std::function<void(absl::StatusOr<Customer>)>;
  explicit Directory(int threads);
  ~Directory();
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  void Get(int64_t customer, Done done);

 private:
  void Serve();

  std::mutex mutex_;
  std::condition_variable asked_;
  std::deque<std::pair<int64_t, Done>> questions_;
  int64_t asked_so_far_ = 0;
  bool stopped_ = false;
  std::vector<std::thread> threads_;
};

#endif  // PENSTOCK_EXAMPLES_ASYNC_ENRICHMENT_DIRECTORY_H_
