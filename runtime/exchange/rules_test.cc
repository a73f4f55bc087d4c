// The rules of the exchange that no single part can break or keep (protocols.md E).
#include <atomic>
#include <catch2/catch.hpp>
#include <deque>
#include <memory>
#include <thread>

#include "runtime/exchange/exchange_endpoint.h"
#include "runtime/exchange/exchange_testing.h"
#include "runtime/exchange/peer_link.h"
#include "runtime/exchange/result_partition.h"

namespace penstock {
namespace {

constexpr uint32_t kBufferBytes = 1024;

// A worker with a pool, one partition that leads to the other worker, and one gate that comes from there.
struct Worker {
  Worker(const std::string& peer, uint32_t out, uint32_t in, std::atomic<int>& broken)
      : link(std::make_unique<PeerLink>(peer, [&broken](const absl::Status&) { ++broken; })),
        partition(ResultPartition::Create(*pool, 1, producer_wait, [this] { producer_wait.Wake(); }).value()) {
    link->AddOutgoing(out, partition->subpartition(0));
    gate.AddChannel(link->AddIncoming(in, *pool).value());
    gate.Start();
  }
  // What is reserved, and a few buffers for whoever comes first.
  std::shared_ptr<BufferPool> pool = BufferPool::Create(kBufferBytes, 1 + kExclusiveBuffersPerChannel + 3);
  TestWait producer_wait;
  TestWait consumer_wait;
  std::unique_ptr<PeerLink> link;
  std::unique_ptr<ResultPartition> partition;
  InputGate gate{[this] { consumer_wait.Wake(); }};
};

void Produce(Worker& worker, int records) {
  const std::string payload(3 * kBufferBytes, 'x');  // each in parts
  for (int i = 0; i < records; ++i) worker.partition->Append(0, FrameKind::kBareRecord, payload);
  worker.partition->AppendEndToAll(true);
  worker.partition->Flush();
}

TEST_CASE("E1: a direction that stands still with all floating buffers does not starve the other", "[exchange]") {
  std::atomic<int> broken{0};
  Worker a("b", 1, 2, broken);
  Worker b("a", 2, 1, broken);
  auto endpoint_a = ExchangeEndpoint::Listen("127.0.0.1", JobId(1, 1), AttemptId(1)).value();
  auto endpoint_b = ExchangeEndpoint::Listen("127.0.0.1", JobId(1, 1), AttemptId(1)).value();
  endpoint_a->Serve(*a.link, 0, 1, endpoint_b->address());
  endpoint_b->Serve(*b.link, 1, 0, "");

  std::thread producer_a([&] { Produce(a, 300); });
  while (a.producer_wait.waits() == 0) std::this_thread::yield();  // nobody reads at b: all that may wait does
  std::thread producer_b([&] { Produce(b, 300); });
  CHECK(ReadAll(a.gate, a.consumer_wait).size() == 300);
  CHECK(ReadAll(b.gate, b.consumer_wait).size() == 300);
  producer_a.join();
  producer_b.join();
  CHECK(broken == 0);
  endpoint_a->Shutdown();
  endpoint_b->Shutdown();
}

TEST_CASE("E2: what has come lies in buffers of the pool, and nothing holds on to the message", "[exchange]") {
  const auto pool = BufferPool::Create(kBufferBytes, kExclusiveBuffersPerChannel);
  const auto channel = RemoteInputChannel::Create(*pool, [] {}).value();
  REQUIRE(channel->TakeGrant() == static_cast<uint32_t>(kExclusiveBuffersPerChannel));
  CHECK(pool->used() == kExclusiveBuffersPerChannel);  // what is granted is set aside before it comes
  for (uint32_t i = 0; i < kExclusiveBuffersPerChannel; ++i) {
    std::string message(kBufferBytes, static_cast<char>('a' + i));
    wire::Cursor cursor({message});
    REQUIRE(channel->Deliver({.sequence = i, .size = kBufferBytes}, cursor).ok());
    message.assign(kBufferBytes, '?');
  }
  CHECK(channel->QueuedBytes() == kExclusiveBuffersPerChannel * int64_t{kBufferBytes});
  CHECK(pool->used() == kExclusiveBuffersPerChannel);
  CHECK(channel->TakeGrant() == 0);
  std::string more(kBufferBytes, 'z');
  wire::Cursor cursor({more});
  CHECK_FALSE(channel->Deliver({.sequence = kExclusiveBuffersPerChannel, .size = kBufferBytes}, cursor).ok());
  for (int i = 0; i < kExclusiveBuffersPerChannel; ++i) {
    bool left = false;
    const Buffer buffer = channel->Pop(&left);
    CHECK(std::string(buffer.data(), buffer.size()) == std::string(kBufferBytes, static_cast<char>('a' + i)));
  }
  channel->Close();
}

// A connection on which a message waits until it is let go.
class SlowStream final : public PeerStream {
 public:
  bool Write(OutMessage message) override {
    MutexLock lock(&mutex_);
    written_.push_back(std::move(message));
    changed_.NotifyAll();
    while (written_.size() > let_go_ && !cancelled_) changed_.Wait(&mutex_);
    return !cancelled_;
  }
  bool Read(const std::function<absl::Status(wire::Cursor&)>& on_message) override {
    MutexLock lock(&mutex_);
    while (!cancelled_) {
      if (incoming_.empty()) {
        changed_.Wait(&mutex_);
        continue;
      }
      wire::Cursor cursor({incoming_.front()});
      mutex_.Unlock();
      const bool good = on_message(cursor).ok();
      mutex_.Lock();
      incoming_.pop_front();
      changed_.NotifyAll();
      if (!good) return false;
    }
    return true;
  }
  void Cancel() override {
    MutexLock lock(&mutex_);
    cancelled_ = true;
    changed_.NotifyAll();
  }
  // The peer has sent this, and it has been taken in.
  void Receive(std::string message) {
    MutexLock lock(&mutex_);
    incoming_.push_back(std::move(message));
    changed_.NotifyAll();
    while (!incoming_.empty()) changed_.Wait(&mutex_);
  }
  void AwaitWritten(size_t messages) {
    MutexLock lock(&mutex_);
    while (written_.size() < messages) changed_.Wait(&mutex_);
  }
  void LetGo(size_t messages) {
    MutexLock lock(&mutex_);
    let_go_ = messages;
    changed_.NotifyAll();
  }
  // Buffers in a message.
  size_t Buffers(size_t message) {
    MutexLock lock(&mutex_);
    size_t buffers = 0;
    for (const OutMessage::Part& part : written_[message].parts) buffers += part.buffer ? 1 : 0;
    return buffers;
  }
  size_t Written() {
    MutexLock lock(&mutex_);
    return written_.size();
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::deque<std::string> incoming_;
  std::vector<OutMessage> written_;
  size_t let_go_ = 0;
  bool cancelled_ = false;
};

TEST_CASE("E4: what all channels have to say travels together, and idle ones say nothing", "[exchange]") {
  constexpr int kChannels = 64;
  const auto pool = BufferPool::Create(kBufferBytes, 4 * kChannels);
  TestWait wait;
  const auto partition = ResultPartition::Create(*pool, kChannels, wait, [&] { wait.Wake(); }).value();
  std::atomic<int> broken{0};
  PeerLink link("b", [&](const absl::Status&) { ++broken; });
  std::string credits;
  for (uint32_t i = 0; i < kChannels; ++i) {
    link.AddOutgoing(i, partition->subpartition(static_cast<int>(i)));
    wire::AppendCredits(i, 4, credits);
  }
  SlowStream stream;
  std::thread runs([&] { link.Run(stream); });
  stream.Receive(credits);

  partition->Append(7, FrameKind::kBareRecord, "one channel has data");
  partition->Flush();
  stream.AwaitWritten(1);
  CHECK(stream.Buffers(0) == 1);
  partition->AppendWatermarkToAll(5);
  partition->Flush();
  stream.LetGo(1);
  stream.AwaitWritten(2);
  CHECK(stream.Buffers(1) == kChannels);
  CHECK(stream.Written() == 2);
  CHECK(broken == 0);
  link.Stop();
  runs.join();
}

TEST_CASE("E4: credits of all channels travel in one message", "[exchange]") {
  constexpr int kChannels = 64;
  const auto pool = BufferPool::Create(kBufferBytes, (kExclusiveBuffersPerChannel + 1) * kChannels);
  std::vector<std::shared_ptr<RemoteInputChannel>> channels;
  std::atomic<int> broken{0};
  PeerLink link("a", [&](const absl::Status&) { ++broken; });
  for (uint32_t i = 0; i < kChannels; ++i) channels.push_back(link.AddIncoming(i, *pool).value());
  SlowStream stream;
  std::thread runs([&] { link.Run(stream); });
  stream.AwaitWritten(1);
  CHECK(stream.Written() == 1);
  link.Stop();
  runs.join();
  for (const auto& channel : channels) CHECK(channel->TakeGrant() == 0);  // all were announced
  CHECK(broken == 0);
}

}  // namespace
}  // namespace penstock
