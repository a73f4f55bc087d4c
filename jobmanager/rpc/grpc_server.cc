#include "jobmanager/rpc/grpc_server.h"

#include <grpc/grpc.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <deque>
#include <fstream>
#include <set>
#include <utility>

#include "proto/control.grpc.pb.h"
#include "runtime/core/listen_address.h"
#include "runtime/core/log.h"
#include "runtime/core/mutex.h"
#include "runtime/core/status.h"

namespace penstock::jobmanager {
namespace {

constexpr const char* kTokenKey = "penstock-token";

// One stream seen from the server: a queue of writes, one in flight, and reads handed on one by one. The gateway that
// actors hold outlives the call; it is detached when the call is done.
template <class Gateway, class In, class Out>
class StreamReactor final : public grpc::ServerBidiReactor<In, Out> {
 public:
  using GatewayPtr = std::shared_ptr<Gateway>;
  struct Handlers {
    std::function<void(const GatewayPtr&, In)> on_message;
    std::function<void(const GatewayPtr&, bool orderly)> on_closed;
  };

  explicit StreamReactor(Handlers handlers) : handlers_(std::move(handlers)), link_(std::make_shared<Link>(this)) {
    this->StartRead(&in_);
  }

  void OnReadDone(bool ok) override {
    if (ok) {
      handlers_.on_message(link_, std::move(in_));
      in_.Clear();
      return this->StartRead(&in_);
    }
    MutexLock lock(&mutex_);
    orderly_ = !cancelled_;
    closing_ = true;
    FinishWhenIdle();
  }
  void OnWriteDone(bool ok) override {
    MutexLock lock(&mutex_);
    writing_ = false;
    if (!ok) {
      queue_.clear();
    } else {
      queue_.pop_front();
    }
    if (!queue_.empty()) return WriteNext();
    FinishWhenIdle();
  }
  void OnCancel() override {
    MutexLock lock(&mutex_);
    cancelled_ = true;
    closing_ = true;
    if (!writing_) queue_.clear();
    FinishWhenIdle();
  }
  void OnDone() override {
    link_->Detach();
    bool orderly = false;
    {
      MutexLock lock(&mutex_);
      orderly = orderly_ && !cancelled_;
    }
    handlers_.on_closed(link_, orderly);
    delete this;
  }

  void Enqueue(const Out& message) ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    if (closing_ || finished_) return;
    if (queue_.size() >= kStreamQueueMax) {  // the peer does not read: it is as good as dead
      closing_ = true;
      return FinishNow(grpc::Status(grpc::StatusCode::RESOURCE_EXHAUSTED, "the peer does not read its messages"));
    }
    queue_.push_back(message);
    if (!writing_) WriteNext();
  }
  void CloseWhenSent() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    closing_ = true;
    FinishWhenIdle();
  }

 private:
  class Link final : public Gateway {
   public:
    explicit Link(StreamReactor* reactor) : reactor_(reactor) {}
    void Send(const Out& message) override ABSL_LOCKS_EXCLUDED(mutex_) {
      MutexLock lock(&mutex_);
      if (reactor_ != nullptr) reactor_->Enqueue(message);
    }
    void Close() override ABSL_LOCKS_EXCLUDED(mutex_) {
      MutexLock lock(&mutex_);
      if (reactor_ != nullptr) reactor_->CloseWhenSent();
    }
    void Detach() ABSL_LOCKS_EXCLUDED(mutex_) {
      MutexLock lock(&mutex_);
      reactor_ = nullptr;
    }

   private:
    Mutex mutex_;
    StreamReactor* reactor_ ABSL_GUARDED_BY(mutex_);
  };

  void WriteNext() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    writing_ = true;
    this->StartWrite(&queue_.front());
  }
  void FinishWhenIdle() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (closing_ && !writing_ && queue_.empty()) FinishNow(grpc::Status::OK);
  }
  void FinishNow(const grpc::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (finished_) return;
    finished_ = true;
    this->Finish(status);
  }

  const Handlers handlers_;
  const std::shared_ptr<Link> link_;
  In in_;
  Mutex mutex_;
  std::deque<Out> queue_ ABSL_GUARDED_BY(mutex_);  // front: in flight while writing_
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool orderly_ ABSL_GUARDED_BY(mutex_) = false;
};

// The library shuts down with its last user, for up to ten seconds when one comes back just then: one user stays.
void KeepLibrary() { [[maybe_unused]] static const bool kept = (grpc_init(), true); }

template <class In, class Out>
class RefusedStream final : public grpc::ServerBidiReactor<In, Out> {
 public:
  explicit RefusedStream(const grpc::Status& status) { this->Finish(status); }
  void OnDone() override { delete this; }
};

class ProgramReactor final : public grpc::ServerWriteReactor<proto::ProgramChunk> {
 public:
  explicit ProgramReactor(const grpc::Status& refusal) { Finish(refusal); }
  ProgramReactor(const ProgramSource::Program& program, int64_t offset) : file_(program.path, std::ios::binary) {
    file_.seekg(0, std::ios::end);
    const int64_t total_bytes = file_.tellg();
    if (!file_ || offset < 0 || offset > total_bytes) {
      Finish(grpc::Status(grpc::StatusCode::OUT_OF_RANGE,
                          fmt::format("offset {} is not in a program of {} bytes", offset, total_bytes)));
      return;
    }
    file_.seekg(offset);
    left_bytes_ = total_bytes - offset;
    chunk_.set_total_bytes(total_bytes);
    chunk_.set_is_bundle(program.is_bundle);
    Next();
  }
  void OnWriteDone(bool ok) override {
    if (!ok) return Finish(grpc::Status(grpc::StatusCode::CANCELLED, "the host went away"));
    if (left_bytes_ == 0) return Finish(grpc::Status::OK);
    Next();
  }
  void OnDone() override { delete this; }

 private:
  void Next() {
    std::string& data = *chunk_.mutable_data();
    data.resize(static_cast<size_t>(std::min<int64_t>(left_bytes_, kProgramChunkBytes)));
    file_.read(data.data(), static_cast<std::streamsize>(data.size()));
    if (!file_) return Finish(grpc::Status(grpc::StatusCode::DATA_LOSS, "the stored program could not be read"));
    left_bytes_ -= static_cast<int64_t>(data.size());
    StartWrite(&chunk_);
  }

  std::ifstream file_;
  int64_t left_bytes_ = 0;
  proto::ProgramChunk chunk_;
};

class ControlGrpcService final : public proto::JobManagerControl::CallbackService {
 public:
  ControlGrpcService(std::string cluster_token, ControlService& service, ProgramSource* programs)
      : cluster_token_(std::move(cluster_token)), service_(service), programs_(programs) {}

  grpc::ServerBidiReactor<proto::HostToJobManager, proto::JobManagerToHost>* Host(
      grpc::CallbackServerContext* context) override {
    const auto token = context->client_metadata().find(kTokenKey);
    if (!Accepts(token == context->client_metadata().end() ? ""
                                                           : std::string(token->second.data(), token->second.size()))) {
      return new RefusedStream<proto::HostToJobManager, proto::JobManagerToHost>(BadToken());
    }
    using Reactor = StreamReactor<HostGateway, proto::HostToJobManager, proto::JobManagerToHost>;
    return new Reactor({[this](const HostGatewayPtr& from, proto::HostToJobManager message) {
                          service_.OnHostMessage(from, std::move(message));
                        },
                        [this](const HostGatewayPtr& from, bool orderly) { service_.OnHostClosed(from, orderly); }});
  }

  grpc::ServerBidiReactor<proto::WorkerToJobManager, proto::JobManagerToWorker>* Worker(
      grpc::CallbackServerContext*) override {
    using Reactor = StreamReactor<WorkerGateway, proto::WorkerToJobManager, proto::JobManagerToWorker>;
    return new Reactor({[this](const WorkerGatewayPtr& from, proto::WorkerToJobManager message) {
                          service_.OnWorkerMessage(from, std::move(message));
                        },
                        [this](const WorkerGatewayPtr& from, bool) { service_.OnWorkerClosed(from); }});
  }

  grpc::ServerWriteReactor<proto::ProgramChunk>* FetchProgram(grpc::CallbackServerContext*,
                                                              const proto::FetchProgramRequest* request) override {
    if (!Accepts(request->token())) return new ProgramReactor(BadToken());
    if (programs_ == nullptr) {
      return new ProgramReactor(grpc::Status(grpc::StatusCode::NOT_FOUND, "this JobManager stores no programs"));
    }
    const auto program = programs_->Find(request->digest());
    if (!program.ok()) {
      return new ProgramReactor(grpc::Status(grpc::StatusCode::NOT_FOUND, MessageOf(program.status())));
    }
    return new ProgramReactor(*program, request->offset());
  }

 private:
  bool Accepts(const std::string& token) const { return cluster_token_.empty() || token == cluster_token_; }
  static grpc::Status BadToken() {
    return {grpc::StatusCode::UNAUTHENTICATED, "the cluster token is missing or wrong: give both sides the same file"};
  }

  const std::string cluster_token_;
  ControlService& service_;
  ProgramSource* const programs_;
};

}  // namespace

struct GrpcServer::Parts {
  Parts(const GrpcServerOptions& options, ControlService& control, ProgramSource* programs)
      : service(options.cluster_token, control, programs) {}
  ControlGrpcService service;
  std::string address;
  std::unique_ptr<grpc::Server> server;  // last: its threads use the service
};

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(GrpcServerOptions options, ControlService& service,
                                                              ProgramSource* programs) {
  KeepLibrary();
  PENSTOCK_RETURN_IF_ERROR(CheckListenAddress("the rpc server", options.address, options.insecure));
  auto parts = std::make_unique<Parts>(options, service, programs);
  grpc::ServerBuilder builder;
  int bound_port = 0;
  const std::string address = fmt::format("{}:{}", options.address, options.port);
  builder.AddListeningPort(address, grpc::InsecureServerCredentials(), &bound_port);
  builder.RegisterService(&parts->service);
  builder.SetMaxReceiveMessageSize(kMessageBytesMax);
  // Without this two JobManagers could share one port and each see half of the connections.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  // A peer whose machine vanished sends no FIN: pings find out.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 2'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 3'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 500);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  parts->server = builder.BuildAndStart();
  if (parts->server == nullptr || bound_port == 0) {
    return Unavailable(
        "cannot listen on {}: the port is taken, or the address is not of this machine; set "
        "jobmanager.rpc.port or jobmanager.rpc.address",
        address);
  }
  parts->address = fmt::format("{}:{}", options.address, bound_port);
  return std::unique_ptr<GrpcServer>(new GrpcServer(std::move(parts)));
}

GrpcServer::GrpcServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

GrpcServer::~GrpcServer() { Stop(); }

void GrpcServer::Stop() {
  // Streams do not end by themselves: after the deadline (at once) they are cancelled.
  parts_->server->Shutdown(gpr_inf_past(GPR_CLOCK_REALTIME));
  parts_->server->Wait();
}

std::string GrpcServer::address() const { return parts_->address; }

}  // namespace penstock::jobmanager
