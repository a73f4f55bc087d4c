// One suite for every way in which buffers get from a partition to a gate.
#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <random>
#include <thread>

#include "runtime/core/mutex.h"
#include "runtime/exchange/exchange_endpoint.h"
#include "runtime/exchange/exchange_testing.h"
#include "runtime/exchange/input_gate.h"
#include "runtime/exchange/peer_link.h"
#include "runtime/exchange/result_partition.h"

namespace penstock {
namespace {

// One producer with n subpartitions, n consumers with a gate of one channel each.
struct Exchange {
  virtual ~Exchange() = default;
  std::shared_ptr<BufferPool> producer_pool = BufferPool::Create(1024, 64);
  std::shared_ptr<BufferPool> consumer_pool = BufferPool::Create(1024, 64);
  TestWait producer_wait;
  std::vector<std::unique_ptr<TestWait>> consumer_waits;
  std::unique_ptr<ResultPartition> partition;
  std::vector<std::unique_ptr<InputGate>> gates;

  explicit Exchange(int consumers) {
    partition =
        ResultPartition::Create(*producer_pool, consumers, producer_wait, [this] { producer_wait.Wake(); }).value();
    for (int i = 0; i < consumers; ++i) {
      consumer_waits.push_back(std::make_unique<TestWait>());
      gates.push_back(std::make_unique<InputGate>([wait = consumer_waits.back().get()] { wait->Wake(); }));
    }
  }
};

struct LocalExchange final : Exchange {
  explicit LocalExchange(int consumers) : Exchange(consumers) {
    for (int i = 0; i < consumers; ++i) {
      gates[i]->AddChannel(std::make_shared<LocalInputChannel>(partition->subpartition(i)));
      gates[i]->Start();
    }
  }
};

struct GrpcExchange final : Exchange {
  std::unique_ptr<PeerLink> sender;
  std::unique_ptr<PeerLink> receiver;
  std::unique_ptr<ExchangeEndpoint> sender_endpoint;
  std::unique_ptr<ExchangeEndpoint> receiver_endpoint;
  std::atomic<int> broken{0};

  explicit GrpcExchange(int consumers) : Exchange(consumers) {
    sender = std::make_unique<PeerLink>("b", [this](const absl::Status&) { ++broken; });
    receiver = std::make_unique<PeerLink>("a", [this](const absl::Status&) { ++broken; });
    for (int i = 0; i < consumers; ++i) {
      sender->AddOutgoing(i, partition->subpartition(i));
      gates[i]->AddChannel(receiver->AddIncoming(i, *consumer_pool).value());
      gates[i]->Start();
    }
    sender_endpoint = ExchangeEndpoint::Listen("127.0.0.1", JobId(1, 1), AttemptId(1)).value();
    receiver_endpoint = ExchangeEndpoint::Listen("127.0.0.1", JobId(1, 1), AttemptId(1)).value();
    sender_endpoint->Serve(*sender, 0, 1, receiver_endpoint->address());
    receiver_endpoint->Serve(*receiver, 1, 0, "");
  }
  ~GrpcExchange() override {
    CHECK(broken == 0);
    sender_endpoint->Shutdown();
    receiver_endpoint->Shutdown();
    gates.clear();
  }
};

std::unique_ptr<Exchange> Make(bool remote, int consumers) {
  if (remote) return std::make_unique<GrpcExchange>(consumers);
  return std::make_unique<LocalExchange>(consumers);
}

TEST_CASE("Elements arrive once and in order, whatever their size", "[exchange]") {
  const bool remote = GENERATE(false, true);
  const uint32_t seed = 7 + Catch::rngSeed();
  INFO("remote " << remote << " seed " << seed);
  auto exchange = Make(remote, 3);
  std::vector<std::vector<std::string>> got(3);
  std::vector<std::thread> consumers;
  for (int i = 0; i < 3; ++i) {
    consumers.emplace_back([&, i] { got[i] = ReadAll(*exchange->gates[i], *exchange->consumer_waits[i]); });
  }
  std::mt19937 random(seed);
  std::vector<std::vector<std::string>> sent(3);
  for (int n = 0; n < 3000; ++n) {
    const int to = static_cast<int>(random() % 3);
    const size_t size = random() % 50 == 0 ? random() % 5000 : random() % 60;
    const std::string payload(size, static_cast<char>('a' + random() % 26));
    exchange->partition->Append(to, FrameKind::kBareRecord, payload);
    sent[to].push_back("5:" + payload);
    if (random() % 20 == 0) exchange->partition->Flush();
  }
  exchange->partition->AppendEndToAll(true);
  exchange->partition->Flush();
  for (std::thread& consumer : consumers) consumer.join();
  for (int i = 0; i < 3; ++i) CHECK(got[i] == sent[i]);
}

TEST_CASE("A consumer that does not read stops the producer with bounded buffers", "[exchange]") {
  const bool remote = GENERATE(false, true);
  INFO("remote " << remote);
  auto exchange = Make(remote, 1);
  std::atomic<int> appended{0};
  std::thread producer([&] {
    const std::string payload(1000, 'x');
    for (int i = 0; i < 500; ++i) {
      exchange->partition->Append(0, FrameKind::kBareRecord, payload);
      ++appended;
    }
    exchange->partition->AppendEndToAll(true);
    exchange->partition->Flush();
  });
  while (exchange->producer_wait.waits() == 0) std::this_thread::yield();
  // One buffer per record: at most the producer's quota and the receiver's reservation are under way.
  const int bound = 1 + kFloatingBuffersPerPartition + kExclusiveBuffersPerChannel + kFloatingBuffersPerChannelMax;
  CHECK(exchange->producer_pool->used() <= 1 + kFloatingBuffersPerPartition);
  CHECK(exchange->consumer_pool->used() <= kExclusiveBuffersPerChannel + kFloatingBuffersPerChannelMax);
  CHECK(appended <= bound);
  CHECK(ReadAll(*exchange->gates[0], *exchange->consumer_waits[0]).size() == 500);
  producer.join();
}

TEST_CASE("A limit bounds what is under way, and more goes once it is raised", "[exchange]") {
  const bool remote = GENERATE(false, true);
  const int buffers = GENERATE(0, 2);  // 0: those that are reserved stay
  INFO("remote " << remote << " buffers " << buffers);
  constexpr int kRecords = 500;
  constexpr int kRecordBytes = 100;
  auto exchange = Make(remote, 1);
  exchange->gates[0]->SetLimit({.buffer_bytes = 256, .sender_buffers = buffers, .receiver_buffers = buffers});
  while (exchange->partition->subpartition(0)->limit().buffer_bytes > 256) std::this_thread::yield();
  std::atomic<int> appended{0};
  std::thread producer([&] {
    for (int i = 0; i < kRecords; ++i) {
      exchange->partition->Append(0, FrameKind::kBareRecord, std::string(kRecordBytes, 'x'));
      ++appended;
    }
    exchange->partition->AppendEndToAll(true);
    exchange->partition->Flush();
  });
  while (exchange->producer_wait.waits() == 0) std::this_thread::yield();
  // A local channel has one end only, so that a single buffer is reserved there.
  const int held = std::max(buffers, 1) + (remote ? std::max(buffers, kExclusiveBuffersPerChannel) : buffers);
  CHECK(appended * kRecordBytes <= held * 256);
  CHECK(exchange->gates[0]->QueuedBytes() <= held * 256);
  CHECK(exchange->gates[0]->QueuedBytes() >= (remote ? 0 : 200));
  exchange->gates[0]->SetLimit(ChannelLimit());
  while (exchange->partition->subpartition(0)->limit() != ChannelLimit()) std::this_thread::yield();
  InputGate::Input input;
  size_t largest = 0;
  int records = 0;
  std::string partial;
  for (bool ended = false; !ended;) {
    REQUIRE(
        exchange->consumer_waits[0]->WaitUntil(WaitKind::kInput, "", [&] { return exchange->gates[0]->Next(input); }));
    largest = std::max<size_t>(largest, input.buffer.size());
    FrameReader reader(input.buffer.data(), input.buffer.size());
    Frame frame;
    while (reader.Next(frame) == FrameResult::kFrame) {
      ended = frame.kind == FrameKind::kEnd;
      partial += frame.payload;
      if (frame.more || ended) continue;
      records += partial == std::string(kRecordBytes, 'x') ? 1 : 0;
      partial.clear();
    }
    input.buffer.Release();
  }
  producer.join();
  CHECK(records == kRecords);
  CHECK(largest > 512);
  CHECK(exchange->gates[0]->QueuedBytes() == 0);
}

TEST_CASE("Cancel unblocks a producer, which then drops", "[exchange]") {
  const bool remote = GENERATE(false, true);
  INFO("remote " << remote);
  auto exchange = Make(remote, 1);
  std::thread producer([&] {
    for (int i = 0; i < 10'000; ++i) exchange->partition->Append(0, FrameKind::kBareRecord, std::string(1000, 'x'));
  });
  while (exchange->producer_wait.waits() == 0) std::this_thread::yield();
  exchange->producer_wait.Cancel();
  producer.join();
}

TEST_CASE("A stream of another attempt is refused and breaks the link", "[exchange]") {
  std::atomic<int> broken{0};
  PeerLink link("b", [&](const absl::Status&) { ++broken; });
  auto dialer = ExchangeEndpoint::Listen("127.0.0.1", JobId(1, 1), AttemptId(1)).value();
  auto acceptor = ExchangeEndpoint::Listen("127.0.0.1", JobId(1, 1), AttemptId(2)).value();
  dialer->Serve(link, 0, 1, acceptor->address());
  while (broken == 0) std::this_thread::yield();
  dialer->Shutdown();
  acceptor->Shutdown();
}

TEST_CASE("A worker that dies breaks the link", "[exchange]") {
  GrpcExchange exchange(1);
  exchange.partition->AppendEndToAll(true);
  exchange.partition->Flush();
  CHECK(ReadAll(*exchange.gates[0], *exchange.consumer_waits[0]).empty());  // the stream is up
  exchange.receiver_endpoint->Shutdown();
  while (exchange.broken == 0) std::this_thread::yield();
  exchange.broken = 0;
}

}  // namespace
}  // namespace penstock
