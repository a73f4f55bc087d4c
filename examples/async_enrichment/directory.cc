#include "examples/async_enrichment/directory.h"

#include <chrono>

Directory::Directory(int threads) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Serve(); });
}

Directory::~Directory() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    stopped_ = true;
    questions_.clear();
  }
  asked_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void Directory::Get(int64_t customer, Done done) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    questions_.emplace_back(customer, std::move(done));
  }
  asked_.notify_one();
}

void Directory::Serve() {
  constexpr const char* kCountries[] = {"AT", "BE", "CZ", "DE", "ES", "FI"};
  while (true) {
    std::unique_lock<std::mutex> lock(mutex_);
    asked_.wait(lock, [this] { return stopped_ || !questions_.empty(); });
    if (stopped_) return;
    auto [customer, done] = std::move(questions_.front());
    questions_.pop_front();
    const bool busy = ++asked_so_far_ % 97 == 0;
    lock.unlock();
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    if (busy) {
      done(absl::UnavailableError("the directory is busy"));
    } else {
      done(Customer{"customer " + std::to_string(customer), kCountries[customer % 6]});
    }
  }
}
