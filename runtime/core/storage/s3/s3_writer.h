// An object on its way to S3: collected into parts, which threads of the writer upload while it is appended to.
//
// One user at a time; client outlives this. Holds at most parts_in_flight_max + 1 parts in memory: Append waits for
// room. An object of one part is a plain PUT. A part that fails is the error of the next call.
#ifndef PENSTOCK_RUNTIME_CORE_STORAGE_S3_S3_WRITER_H_
#define PENSTOCK_RUNTIME_CORE_STORAGE_S3_S3_WRITER_H_

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "runtime/core/mutex.h"
#include "runtime/core/storage/s3/client.h"
#include "runtime/core/storage/storage.h"

namespace penstock::s3 {

class S3Writer final : public StorageWriter {
 public:
  S3Writer(const Client& client, std::string key, const Options& options)
      : client_(client), key_(std::move(key)), options_(options) {}
  ~S3Writer() override;  // aborts what is not committed

  absl::Status Append(std::string_view bytes) override;
  absl::Status Commit() override;

 private:
  struct Part {
    int number = 0;
    std::string bytes;
  };
  absl::Status SendPart();
  absl::Status AwaitParts();
  void UploadParts();  // what each thread does
  void EndThreads();

  const Client& client_;
  const std::string key_;
  const Options options_;
  std::string part_;
  std::optional<Client::Upload> upload_;  // begun with the first full part
  std::vector<std::thread> threads_;      // started with the first part, parts_in_flight_max of them
  bool committed_ = false;

  Mutex mutex_;
  CondVar changed_;
  std::deque<Part> waiting_ ABSL_GUARDED_BY(mutex_);
  int in_flight_ ABSL_GUARDED_BY(mutex_) = 0;  // waiting or being sent: at most parts_in_flight_max
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> etags_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace penstock::s3

#endif  // PENSTOCK_RUNTIME_CORE_STORAGE_S3_S3_WRITER_H_
