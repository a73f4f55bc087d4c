#include "runtime/core/storage/s3/s3_writer.h"

#include <algorithm>
#include <utility>

#include "runtime/core/log.h"
#include "runtime/core/status.h"
#include "runtime/core/thread_name.h"

namespace penstock::s3 {

S3Writer::~S3Writer() {
  EndThreads();
  if (committed_ || !upload_) return;
  if (const absl::Status status = client_.AbortUpload(*upload_); !status.ok()) {
    PENSTOCK_LOG(warn, "the parts of an unfinished upload stay behind: {}", MessageOf(status));
  }
}

void S3Writer::EndThreads() {
  {
    MutexLock lock(&mutex_);
    ending_ = true;
    waiting_.clear();
    changed_.NotifyAll();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

absl::Status S3Writer::Append(std::string_view bytes) {
  const auto part_bytes = static_cast<size_t>(options_.part_bytes);
  while (!bytes.empty()) {
    // Full only with more to come, so that an object of exactly one part is a plain PUT.
    if (part_.size() == part_bytes) PENSTOCK_RETURN_IF_ERROR(SendPart());
    const size_t taken = std::min(part_bytes - part_.size(), bytes.size());
    part_.append(bytes.substr(0, taken));
    bytes.remove_prefix(taken);
  }
  return absl::OkStatus();
}

absl::Status S3Writer::SendPart() {
  if (!upload_) {
    PENSTOCK_ASSIGN_OR_RETURN(upload_, client_.BeginUpload(key_));
    for (int i = 0; i < options_.parts_in_flight_max; ++i) {
      threads_.emplace_back([this] {
        SetThreadName("s3-part");
        UploadParts();
      });
    }
  }
  MutexLock lock(&mutex_);
  while (in_flight_ >= options_.parts_in_flight_max) changed_.Wait(&mutex_);
  PENSTOCK_RETURN_IF_ERROR(failure_);
  if (static_cast<int64_t>(etags_.size()) == kPartsMax) {
    return ResourceExhausted("{} is larger than {} parts of {} bytes", client_.requester().NameOf(key_), kPartsMax,
                             options_.part_bytes);
  }
  etags_.emplace_back();
  waiting_.push_back({static_cast<int>(etags_.size()), std::exchange(part_, {})});
  ++in_flight_;
  changed_.NotifyAll();
  return absl::OkStatus();
}

void S3Writer::UploadParts() {
  while (true) {
    Part part;
    {
      MutexLock lock(&mutex_);
      while (waiting_.empty() && !ending_) changed_.Wait(&mutex_);
      if (ending_) return;
      part = std::move(waiting_.front());
      waiting_.pop_front();
    }
    absl::StatusOr<std::string> etag = client_.PutPart(*upload_, part.number, part.bytes);
    part.bytes = {};
    MutexLock lock(&mutex_);
    --in_flight_;
    failure_.Update(etag.status());
    if (etag.ok()) etags_[static_cast<size_t>(part.number) - 1] = *std::move(etag);
    changed_.NotifyAll();
  }
}

absl::Status S3Writer::AwaitParts() {
  MutexLock lock(&mutex_);
  while (in_flight_ > 0) changed_.Wait(&mutex_);
  return failure_;
}

absl::Status S3Writer::Commit() {
  if (!upload_) {
    PENSTOCK_RETURN_IF_ERROR(client_.Put(key_, part_));
    committed_ = true;
    return absl::OkStatus();
  }
  PENSTOCK_RETURN_IF_ERROR(SendPart());
  PENSTOCK_RETURN_IF_ERROR(AwaitParts());
  std::vector<std::string> etags;
  {
    MutexLock lock(&mutex_);
    etags = etags_;
  }
  PENSTOCK_RETURN_IF_ERROR(client_.CompleteUpload(*upload_, etags));
  committed_ = true;
  return absl::OkStatus();
}

}  // namespace penstock::s3
