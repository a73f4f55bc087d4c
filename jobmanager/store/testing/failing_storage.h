// A storage in memory that fails at the n-th change, as a process that is killed there: before the change, or after it
// was made but before the answer came. For tests.
#ifndef PENSTOCK_JOBMANAGER_STORE_TESTING_FAILING_STORAGE_H_
#define PENSTOCK_JOBMANAGER_STORE_TESTING_FAILING_STORAGE_H_

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/core/status.h"
#include "runtime/core/storage/storage.h"

namespace penstock::testing {

class FailingStorage final : public Storage {
 public:
  enum class Fails { kBefore, kAfter };

  using Objects = std::map<std::string, std::string>;
  explicit FailingStorage(std::shared_ptr<Objects> objects) : objects_(std::move(objects)) {}
  // Changes after this many fail; all that follow do, too.
  void FailAfter(int changes, Fails how) {
    left_ = changes;
    how_ = how;
  }
  int changes() const { return changes_; }

  std::string Describe() const override { return "memory"; }
  absl::StatusOr<std::unique_ptr<StorageWriter>> Create(const std::string&) override {
    return absl::UnimplementedError("not in this test");
  }
  absl::Status Write(const std::string& name, std::string_view bytes) override {
    return Change([&] { (*objects_)[name] = bytes; });
  }
  absl::StatusOr<bool> WriteIfAbsent(const std::string& name, std::string_view bytes) override {
    bool won = false;
    const absl::Status status = Change([&] { won = objects_->emplace(name, bytes).second; });
    if (!status.ok()) return status;
    return won;
  }
  absl::StatusOr<std::string> Read(const std::string& name, int64_t, int64_t) override {
    if (dead_) return Unavailable("the process is dead");
    const auto at = objects_->find(name);
    if (at == objects_->end()) return NotFound("{} is not there", name);
    return at->second;
  }
  absl::StatusOr<std::vector<StoredObject>> List(const std::string& prefix) override {
    if (dead_) return Unavailable("the process is dead");
    std::vector<StoredObject> found;
    for (auto at = objects_->lower_bound(prefix); at != objects_->end() && at->first.starts_with(prefix); ++at) {
      found.push_back({at->first, static_cast<int64_t>(at->second.size()), 0});
    }
    return found;
  }
  absl::Status Delete(const std::vector<std::string>& names) override {
    for (const std::string& name : names) {
      const absl::Status status = Change([&] { objects_->erase(name); });
      if (!status.ok()) return status;
    }
    return absl::OkStatus();
  }
  absl::Status UploadFile(const std::string& name, const std::string& local_path) override {
    return Write(name, local_path);  // its name stands for its content
  }
  absl::Status DownloadFile(const std::string& name, const std::string&) override { return Read(name, 0, 0).status(); }

 private:
  template <class Fn>
  absl::Status Change(Fn change) {
    if (dead_) return Unavailable("the process is dead");
    ++changes_;
    if (left_-- > 0) {
      change();
      return absl::OkStatus();
    }
    dead_ = true;
    if (how_ == Fails::kAfter) change();
    return Unavailable("the process dies here");
  }

  const std::shared_ptr<Objects> objects_;
  int left_ = 1 << 30;
  Fails how_ = Fails::kBefore;
  bool dead_ = false;
  int changes_ = 0;
};

}  // namespace penstock::testing

#endif  // PENSTOCK_JOBMANAGER_STORE_TESTING_FAILING_STORAGE_H_
