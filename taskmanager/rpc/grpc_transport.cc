#include "taskmanager/rpc/grpc_transport.h"

#include <grpc/grpc.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <deque>
#include <sstream>
#include <utility>

#include "proto/control.grpc.pb.h"
#include "runtime/core/clock.h"
#include "runtime/core/mutex.h"
#include "runtime/core/status.h"

namespace penstock::taskmanager {
namespace {

constexpr int kMessageBytesMax = 64 << 20;

// The library shuts down with its last user, for up to ten seconds when one comes back just then: one user stays.
void KeepLibrary() { [[maybe_unused]] static const bool kept = (grpc_init(), true); }

std::unique_ptr<proto::JobManagerControl::Stub> MakeStub(const std::string& address) {
  KeepLibrary();
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 2'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 3'000);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(kMessageBytesMax);
  return proto::JobManagerControl::NewStub(
      grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
}

absl::Status ToAbsl(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), status.error_message());
}

template <class Out, class In>
class GrpcStream final : public ControlStream<Out>, private grpc::ClientBidiReactor<Out, In> {
 public:
  using Start =
      std::function<void(proto::JobManagerControl::Stub&, grpc::ClientContext*, grpc::ClientBidiReactor<Out, In>*)>;

  GrpcStream(const std::string& address, const std::string& token, StreamListener<In>& listener, const Start& start)
      : listener_(listener), stub_(MakeStub(address)) {
    if (!token.empty()) context_.AddMetadata("penstock-token", token);
    start(*stub_, &context_, this);
    this->StartRead(&in_);
    this->AddHold();  // Send() comes from outside of the reactions
    this->StartCall();
  }
  ~GrpcStream() override {
    {
      MutexLock lock(&mutex_);
      // What was sent before Close() still leaves, unless the peer does not take it.
      const int64_t deadline_ms = Clock::System().MonotonicMs() + kFarewellMs;
      while (!done_ && closing_ && Clock::System().MonotonicMs() < deadline_ms) {
        done_changed_.WaitFor(&mutex_, std::chrono::milliseconds(kFarewellMs));
      }
    }
    Abandon();
    MutexLock lock(&mutex_);
    while (!done_) done_changed_.Wait(&mutex_);
  }

  bool Send(const Out& message) override ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    if (closing_ || broken_ || queue_.size() >= kSendQueueMax) return false;
    queue_.push_back(message);
    if (!writing_) WriteNext();
    return true;
  }
  void Close() override ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    closing_ = true;
    if (!writing_) EndWrites();
  }

 private:
  static constexpr int64_t kFarewellMs = 1'000;

  void OnReadDone(bool ok) override {
    if (ok) {
      listener_.OnMessage(std::move(in_));
      in_.Clear();
      return this->StartRead(&in_);
    }
    // The JobManager's status is on its way, or the connection broke: the call ends by itself, with the reason kept.
    MutexLock lock(&mutex_);
    broken_ = true;
    ReleaseHold();
  }
  void OnWriteDone(bool ok) override {
    MutexLock lock(&mutex_);
    writing_ = false;
    queue_.pop_front();
    if (!ok) {
      broken_ = true;
      queue_.clear();
    }
    if (!queue_.empty()) return WriteNext();
    if (closing_ || broken_) EndWrites();
  }
  void OnDone(const grpc::Status& status) override {
    listener_.OnClosed(ToAbsl(status));
    MutexLock lock(&mutex_);
    done_ = true;
    done_changed_.NotifyAll();
  }

  void Abandon() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    broken_ = true;
    if (!done_) context_.TryCancel();
    ReleaseHold();
  }
  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    writing_ = true;
    this->StartWrite(&queue_.front());
  }
  void EndWrites() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (held_ && !broken_) this->StartWritesDone();
    ReleaseHold();
  }
  void ReleaseHold() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (std::exchange(held_, false)) this->RemoveHold();
  }

  StreamListener<In>& listener_;
  const std::unique_ptr<proto::JobManagerControl::Stub> stub_;
  grpc::ClientContext context_;
  In in_;
  Mutex mutex_;
  CondVar done_changed_;
  std::deque<Out> queue_ ABSL_GUARDED_BY(mutex_);  // front: in flight while writing_
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
  bool held_ ABSL_GUARDED_BY(mutex_) = true;
  bool done_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

GrpcTransport::GrpcTransport(const std::string& addresses, std::string cluster_token)
    : cluster_token_(std::move(cluster_token)) {
  MutexLock lock(&mutex_);
  std::istringstream list(addresses);
  for (std::string address; std::getline(list >> std::ws, address, ',');) addresses_.push_back(address);
  if (addresses_.empty()) addresses_.push_back(addresses);
  current_ = addresses_.front();
}

std::string GrpcTransport::NextAddress() {
  MutexLock lock(&mutex_);
  current_ = preferred_.empty() ? addresses_[next_++ % addresses_.size()] : std::exchange(preferred_, "");
  return current_;
}

void GrpcTransport::Prefer(const std::string& address) {
  MutexLock lock(&mutex_);
  preferred_ = address;
}

std::unique_ptr<HostStream> GrpcTransport::ConnectHost(HostListener& listener) {
  return std::make_unique<GrpcStream<proto::HostToJobManager, proto::JobManagerToHost>>(
      NextAddress(), cluster_token_, listener,
      [](proto::JobManagerControl::Stub& stub, grpc::ClientContext* context, auto* reactor) {
        stub.async()->Host(context, reactor);
      });
}

std::unique_ptr<WorkerStream> GrpcTransport::ConnectWorker(WorkerListener& listener) {
  return std::make_unique<GrpcStream<proto::WorkerToJobManager, proto::JobManagerToWorker>>(
      NextAddress(), cluster_token_, listener,
      [](proto::JobManagerControl::Stub& stub, grpc::ClientContext* context, auto* reactor) {
        stub.async()->Worker(context, reactor);
      });
}

absl::Status GrpcTransport::FetchProgram(
    const std::string& digest, int64_t offset,
    const std::function<absl::Status(std::string_view data, int64_t total_bytes)>& sink) {
  std::string address;
  {
    MutexLock lock(&mutex_);
    address = current_;
  }
  const auto stub = MakeStub(address);
  grpc::ClientContext context;
  proto::FetchProgramRequest request;
  request.set_digest(digest);
  request.set_offset(offset);
  request.set_token(cluster_token_);
  const auto reader = stub->FetchProgram(&context, request);
  proto::ProgramChunk chunk;
  while (reader->Read(&chunk)) {
    const absl::Status taken = sink(chunk.data(), chunk.total_bytes());
    if (taken.ok()) continue;
    context.TryCancel();
    reader->Finish();
    return taken;
  }
  return ToAbsl(reader->Finish());
}

}  // namespace penstock::taskmanager
