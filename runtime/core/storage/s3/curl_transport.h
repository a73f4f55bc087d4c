// HTTP by libcurl, with connections that are kept and used again.
//
// Thread-safe. At most connections_max exchanges at a time: a further call waits for one to end. Proxies are those of
// the environment (https_proxy, no_proxy), certificates those the system trusts. Redirects are not followed: a
// signature holds for one host.
#ifndef PENSTOCK_RUNTIME_CORE_STORAGE_S3_CURL_TRANSPORT_H_
#define PENSTOCK_RUNTIME_CORE_STORAGE_S3_CURL_TRANSPORT_H_

#include <memory>
#include <vector>

#include "runtime/core/mutex.h"
#include "runtime/core/storage/s3/http_transport.h"
#include "runtime/core/storage/s3/options.h"

namespace penstock::s3 {

class CurlTransport final : public HttpTransport {
 public:
  explicit CurlTransport(const Options& options);
  // REQUIRES: no call is under way.
  ~CurlTransport() override;

  absl::Status Send(const HttpRequest& request, HttpAnswer* answer) override;

 private:
  class Handle;
  std::unique_ptr<Handle> Take();
  void GiveBack(std::unique_ptr<Handle> handle);

  const Options options_;
  Mutex mutex_;
  CondVar freed_;
  int taken_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::unique_ptr<Handle>> idle_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace penstock::s3

#endif  // PENSTOCK_RUNTIME_CORE_STORAGE_S3_CURL_TRANSPORT_H_
