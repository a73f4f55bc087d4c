#include "taskmanager/program/in_process_transport.h"

#include "runtime/core/mutex.h"

namespace penstock::taskmanager {
namespace {

using jobmanager::ControlService;

// The JobManager's end of a connection; Gateway is HostGateway or WorkerGateway.
template <class Gateway, class In>
class Pipe final : public Gateway {
 public:
  explicit Pipe(StreamListener<In>& listener) : listener_(&listener) {}
  void Send(const In& message) override ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    if (listener_ != nullptr) listener_->OnMessage(message);
  }
  void Close() override ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    if (listener_ == nullptr) return;
    listener_->OnClosed(absl::UnavailableError("closed by the JobManager"));
    listener_ = nullptr;
  }
  // False when the JobManager has closed it already.
  bool Detach() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    const bool open = listener_ != nullptr;
    listener_ = nullptr;
    return open;
  }
  bool open() ABSL_LOCKS_EXCLUDED(mutex_) {
    MutexLock lock(&mutex_);
    return listener_ != nullptr;
  }

 private:
  Mutex mutex_;
  StreamListener<In>* listener_ ABSL_GUARDED_BY(mutex_);
};

class InProcessHostStream final : public HostStream {
 public:
  InProcessHostStream(ControlService& service, HostListener& listener)
      : service_(service), pipe_(std::make_shared<Pipe<jobmanager::HostGateway, proto::JobManagerToHost>>(listener)) {}
  ~InProcessHostStream() override {
    pipe_->Detach();
    service_.OnHostClosed(pipe_, orderly_);
  }
  bool Send(const proto::HostToJobManager& message) override {
    if (!pipe_->open()) return false;
    service_.OnHostMessage(pipe_, message);
    return true;
  }
  void Close() override { orderly_ = true; }

 private:
  ControlService& service_;
  const std::shared_ptr<Pipe<jobmanager::HostGateway, proto::JobManagerToHost>> pipe_;
  bool orderly_ = false;
};

class InProcessWorkerStream final : public WorkerStream {
 public:
  InProcessWorkerStream(ControlService& service, WorkerListener& listener)
      : service_(service),
        pipe_(std::make_shared<Pipe<jobmanager::WorkerGateway, proto::JobManagerToWorker>>(listener)) {}
  ~InProcessWorkerStream() override {
    pipe_->Detach();
    service_.OnWorkerClosed(pipe_);
  }
  bool Send(const proto::WorkerToJobManager& message) override {
    if (!pipe_->open()) return false;
    service_.OnWorkerMessage(pipe_, message);
    return true;
  }
  void Close() override {}

 private:
  ControlService& service_;
  const std::shared_ptr<Pipe<jobmanager::WorkerGateway, proto::JobManagerToWorker>> pipe_;
};

}  // namespace

std::unique_ptr<HostStream> InProcessTransport::ConnectHost(HostListener& listener) {
  return std::make_unique<InProcessHostStream>(service_, listener);
}

std::unique_ptr<WorkerStream> InProcessTransport::ConnectWorker(WorkerListener& listener) {
  return std::make_unique<InProcessWorkerStream>(service_, listener);
}

}  // namespace penstock::taskmanager
