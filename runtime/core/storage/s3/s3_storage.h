// Storage in a bucket of S3, or of a server that speaks its protocol.
//
// Thread-safe. What lies below part_bytes is one PUT, more is uploaded in parts; an upload that is dropped or fails is
// aborted. A server must know `If-None-Match: *` (storage_probe.h finds out). Bounds: Options.
#ifndef PENSTOCK_RUNTIME_CORE_STORAGE_S3_S3_STORAGE_H_
#define PENSTOCK_RUNTIME_CORE_STORAGE_S3_S3_STORAGE_H_

#include <memory>

#include "runtime/core/storage/s3/client.h"
#include "runtime/core/storage/storage.h"

namespace penstock::s3 {

class S3Storage final : public Storage {
 public:
  // Speaks to nobody yet. InvalidArgument: uri or endpoint; FailedPrecondition: no credentials.
  static absl::StatusOr<std::unique_ptr<S3Storage>> Open(const std::string& uri, const Options& options,
                                                         std::unique_ptr<HttpTransport> transport,
                                                         Surroundings surroundings);

  std::string Describe() const override { return uri_; }
  absl::StatusOr<std::unique_ptr<StorageWriter>> Create(const std::string& name) override;
  absl::Status Write(const std::string& name, std::string_view bytes) override;
  absl::StatusOr<bool> WriteIfAbsent(const std::string& name, std::string_view bytes) override;
  absl::StatusOr<std::string> Read(const std::string& name, int64_t offset, int64_t max_bytes) override;
  absl::StatusOr<std::vector<StoredObject>> List(const std::string& prefix) override;
  absl::Status Delete(const std::vector<std::string>& names) override;
  absl::Status UploadFile(const std::string& name, const std::string& local_path) override;
  absl::Status DownloadFile(const std::string& name, const std::string& local_path) override;

 private:
  S3Storage(std::string uri, std::string prefix, const Options& options, std::unique_ptr<HttpTransport> transport,
            Requester requester)
      : uri_(std::move(uri)),
        prefix_(std::move(prefix)),
        options_(options),
        transport_(std::move(transport)),
        client_(std::move(requester)) {}
  absl::StatusOr<std::string> KeyOf(const std::string& name) const;

  const std::string uri_;
  const std::string prefix_;
  const Options options_;
  const std::unique_ptr<HttpTransport> transport_;
  const Client client_;
};

}  // namespace penstock::s3

#endif  // PENSTOCK_RUNTIME_CORE_STORAGE_S3_S3_STORAGE_H_
