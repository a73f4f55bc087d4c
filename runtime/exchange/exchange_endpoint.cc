#include "runtime/exchange/exchange_endpoint.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/method_handler.h>
#include <grpcpp/impl/codegen/rpc_service_method.h>
#include <grpcpp/impl/codegen/service_type.h>

#include <atomic>
#include <chrono>
#include <map>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/core/mutex.h"
#include "runtime/core/status.h"
#include "runtime/core/thread_name.h"
#include "runtime/exchange/grpc_peer_stream.h"
#include "runtime/exchange/peer_link.h"
#include "runtime/exchange/wire.h"

namespace penstock {
namespace {

using ServerStream = grpc::ServerReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>;
using ClientStream = grpc::ClientReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>;
using grpc::internal::RpcMethod;

// HTTP/2's own window must not be the brake: credits are.
constexpr int kStreamLookaheadBytes = 8 * 1024 * 1024;
constexpr int64_t kConnectSliceMs = 50;
constexpr int kHttp2FrameBytesMax = 16 * 1024 * 1024 - 1;

grpc::ByteBuffer FromString(const std::string& bytes) {
  grpc::Slice slice(bytes);
  return grpc::ByteBuffer(&slice, 1);
}

std::string ToString(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  std::string bytes;
  if (!buffer.Dump(&slices).ok()) return bytes;
  for (const grpc::Slice& slice : slices) bytes.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  return bytes;
}

// The links by peer index: offered by the executor, taken once by the stream that serves it.
class LinkTable {
 public:
  void Offer(uint32_t peer, PeerLink* link) {
    MutexLock lock(&mutex_);
    links_[peer] = link;
    changed_.NotifyAll();
  }
  // Waits for the offer, since a peer may have deployed before us. Null: timed out or shut down.
  PeerLink* Take(uint32_t peer) {
    MutexLock lock(&mutex_);
    for (int64_t waited_ms = 0; waited_ms < kPeerConnectTimeoutMs && !closed_; waited_ms += kStepMs) {
      const auto found = links_.find(peer);
      if (found != links_.end()) return std::exchange(found->second, nullptr);
      changed_.WaitFor(&mutex_, std::chrono::milliseconds(kStepMs));
    }
    return nullptr;
  }
  void Close() {
    MutexLock lock(&mutex_);
    closed_ = true;
    changed_.NotifyAll();
  }

 private:
  static constexpr int64_t kStepMs = 100;
  Mutex mutex_;
  CondVar changed_;
  std::map<uint32_t, PeerLink*> links_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

// The service is written by hand instead of generated, because its messages are raw bytes.
class ExchangeService final : public grpc::Service {
 public:
  ExchangeService(JobId job, AttemptId attempt) : job_(job), attempt_(attempt) {
    AddMethod(new grpc::internal::RpcServiceMethod(
        kExchangeMethod, RpcMethod::BIDI_STREAMING,
        new grpc::internal::BidiStreamingHandler<ExchangeService, grpc::ByteBuffer, grpc::ByteBuffer>(
            [](ExchangeService* self, grpc::ServerContext* context, ServerStream* stream) {
              return self->Accept(context, stream);
            },
            this)));
  }

  LinkTable& links() { return links_; }

 private:
  grpc::Status Accept(grpc::ServerContext* context, ServerStream* stream) {
    grpc::ByteBuffer first;
    if (!stream->Read(&first)) return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "no hello");
    const auto hello = wire::DecodeHello(ToString(first));
    if (!hello.ok()) return grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, MessageOf(hello.status()));
    if (hello->job != job_ || hello->attempt != attempt_) {
      return grpc::Status(grpc::StatusCode::ABORTED,
                          fmt::format("stream of job {} attempt {}, this worker runs job {} attempt {}",
                                      hello->job.ToString(), hello->attempt.value, job_.ToString(), attempt_.value));
    }
    PeerLink* link = links_.Take(hello->from);
    if (link == nullptr) return grpc::Status(grpc::StatusCode::UNAVAILABLE, "this worker does not expect the stream");
    GrpcPeerStream<ServerStream> peer(*stream, [context] { context->TryCancel(); });
    link->Run(peer);
    return grpc::Status::OK;
  }

  const JobId job_;
  const AttemptId attempt_;
  LinkTable links_;
};

class GrpcExchangeEndpoint final : public ExchangeEndpoint {
 public:
  GrpcExchangeEndpoint(JobId job, AttemptId attempt) : job_(job), attempt_(attempt), service_(job, attempt) {}
  ~GrpcExchangeEndpoint() override { Shutdown(); }

  absl::Status Start(const std::string& host) {
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort(host + ":0", grpc::InsecureServerCredentials(), &port);
    builder.SetMaxReceiveMessageSize(-1);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kStreamLookaheadBytes);
    builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, kHttp2FrameBytesMax);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    if (server_ == nullptr || port == 0) {
      return Unavailable("no data port could be opened on {}: is taskmanager.host an address of this machine?", host);
    }
    address_ = fmt::format("{}:{}", host, port);
    return absl::OkStatus();
  }

  const std::string& address() const override { return address_; }

  void Serve(PeerLink& link, uint32_t own_index, uint32_t peer_index, const std::string& peer_address) override {
    MutexLock lock(&mutex_);
    links_.push_back(&link);
    if (own_index > peer_index) {
      service_.links().Offer(peer_index, &link);
      return;
    }
    dialers_.emplace_back([this, &link, own_index, peer_index, peer_address] {
      SetThreadName("dial " + link.peer_name());
      Dial(link, own_index, peer_index, peer_address);
    });
  }

  void Shutdown() override {
    std::vector<std::thread> dialers;
    stopping_ = true;
    {
      MutexLock lock(&mutex_);
      for (PeerLink* link : links_) link->Stop();
      links_.clear();  // they may be gone when the destructor calls again
      dialers.swap(dialers_);
    }
    service_.links().Close();
    if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::time_point());  // now: streams are cancelled
    for (std::thread& dialer : dialers) dialer.join();
    if (server_ != nullptr) server_->Wait();
  }

 private:
  void Dial(PeerLink& link, uint32_t own_index, uint32_t peer_index, const std::string& peer_address) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own for each pair
    arguments.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kStreamLookaheadBytes);
    arguments.SetInt(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, kHttp2FrameBytesMax);
    const auto channel = grpc::CreateCustomChannel(peer_address, grpc::InsecureChannelCredentials(), arguments);
    if (!Connect(*channel)) {
      link.Break(Unavailable("worker {} did not answer at {} within {} s", link.peer_name(), peer_address,
                             kPeerConnectTimeoutMs / 1000));
      return;
    }
    grpc::ClientContext context;
    const RpcMethod method(kExchangeMethod, RpcMethod::BIDI_STREAMING, channel);
    const std::unique_ptr<ClientStream> stream(
        grpc::internal::ClientReaderWriterFactory<grpc::ByteBuffer, grpc::ByteBuffer>::Create(channel.get(), method,
                                                                                              &context));
    stream->Write(FromString(wire::EncodeHello({wire::kExchangeVersion, job_, attempt_, own_index, peer_index})));
    GrpcPeerStream<ClientStream> peer(*stream, [&context] { context.TryCancel(); });
    link.Run(peer);
    context.TryCancel();
    stream->Finish();
  }

  // In slices, since nothing interrupts gRPC's wait: a peer may be gone before we have met it.
  bool Connect(grpc::Channel& channel) const {
    for (int64_t waited_ms = 0; waited_ms < kPeerConnectTimeoutMs && !stopping_; waited_ms += kConnectSliceMs) {
      if (channel.WaitForConnected(
              gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(kConnectSliceMs, GPR_TIMESPAN)))) {
        return true;
      }
    }
    return false;
  }

  const JobId job_;
  const AttemptId attempt_;
  std::atomic<bool> stopping_{false};
  ExchangeService service_;
  std::unique_ptr<grpc::Server> server_;
  std::string address_;

  Mutex mutex_;
  std::vector<PeerLink*> links_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> dialers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

absl::StatusOr<std::unique_ptr<ExchangeEndpoint>> ExchangeEndpoint::Listen(const std::string& host, JobId job,
                                                                           AttemptId attempt) {
  auto endpoint = std::make_unique<GrpcExchangeEndpoint>(job, attempt);
  PENSTOCK_RETURN_IF_ERROR(endpoint->Start(host));
  return endpoint;
}

}  // namespace penstock
