// S3 in memory behind the transport, with faults to order, for tests without a server.
//
// Thread-safe. It checks no signatures and knows path-style requests to one bucket only.
#ifndef PENSTOCK_RUNTIME_CORE_STORAGE_S3_TESTING_FAKE_S3_H_
#define PENSTOCK_RUNTIME_CORE_STORAGE_S3_TESTING_FAKE_S3_H_

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/core/mutex.h"
#include "runtime/core/storage/s3/http_transport.h"

namespace penstock::s3::testing {

struct Fault {
  enum class Kind {
    kUnreachable,  // the request does not arrive
    kAnswerLost,   // it is carried out, nothing comes back
    kCutBody,      // half of the answer's body comes back
    kAnswer,       // `status` with an error document of `code` instead of being carried out
    kLateError,    // carried out not, but answered with 200 and an error document
  };
  std::string method;  // "" matches any
  std::string part;    // of the URL; "" matches any
  Kind kind;
  int status = 503;
  std::string code = "SlowDown";
};

class FakeS3 {
 public:
  absl::Status Handle(const HttpRequest& request, HttpAnswer* answer);

  void Order(Fault fault, int times = 1);
  void IgnoreConditions() { ignores_conditions_ = true; }
  void RefuseMultiDelete() { refuses_multi_delete_ = true; }
  void SetPageKeys(size_t keys) { page_keys_ = keys; }
  void Replace(const std::string& key, std::string bytes);

  std::vector<std::string> Calls();  // "PUT a/b?uploads="
  size_t OpenUploads();
  size_t FaultsLeft();

 private:
  struct Object {
    std::string bytes;
    std::string etag;
    std::string mark;
  };
  struct Upload {
    std::string key;
    std::string mark;
    std::map<int, std::string> parts;
  };
  using Query = std::map<std::string, std::string>;

  void Act(const HttpRequest& request, const std::string& key, const Query& query, HttpAnswer* answer)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Get(const HttpRequest& request, const std::string& key, HttpAnswer* answer)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Put(const HttpRequest& request, const std::string& key, const Query& query, HttpAnswer* answer)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Post(const HttpRequest& request, const std::string& key, const Query& query, HttpAnswer* answer)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void List(const Query& query, HttpAnswer* answer) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Store(const std::string& key, std::string bytes, const std::string& mark) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  bool ignores_conditions_ = false;
  bool refuses_multi_delete_ = false;
  size_t page_keys_ = 1000;

  Mutex mutex_;
  std::map<std::string, Object> objects_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Upload> uploads_ ABSL_GUARDED_BY(mutex_);
  std::deque<Fault> faults_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> calls_ ABSL_GUARDED_BY(mutex_);
  int64_t next_ ABSL_GUARDED_BY(mutex_) = 0;
};

// Owned by a storage, while the test keeps the FakeS3.
class FakeTransport final : public HttpTransport {
 public:
  explicit FakeTransport(std::shared_ptr<FakeS3> s3) : s3_(std::move(s3)) {}
  absl::Status Send(const HttpRequest& request, HttpAnswer* answer) override { return s3_->Handle(request, answer); }

 private:
  const std::shared_ptr<FakeS3> s3_;
};

}  // namespace penstock::s3::testing

#endif  // PENSTOCK_RUNTIME_CORE_STORAGE_S3_TESTING_FAKE_S3_H_
