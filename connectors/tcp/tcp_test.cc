// The TCP source against senders on loopback.
#include "penstock/connectors/tcp.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "connectors/tcp/feeds.h"
#include "penstock/testing/connector_conformance.h"
#include "tests/support/require_ok.h"

namespace penstock::tcp {
namespace {

using framing::Framing;
using testing::FakeContext;
using Values = std::vector<std::string>;

// Listens; the test accepts, sends and hangs up.
class Sender {
 public:
  Sender() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    REQUIRE(bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0);
    REQUIRE(listen(listener_, 64) == 0);
    REQUIRE(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0);
    port_ = ntohs(address.sin_port);
  }
  ~Sender() {
    Hang();
    StopListening();
  }
  Sender(const Sender&) = delete;
  Sender& operator=(const Sender&) = delete;

  std::string address() const { return fmt::format("127.0.0.1:{}", port_); }
  // False: nobody came in time.
  bool Accept(int timeout_ms = 10'000) {
    Hang();
    pollfd waiting{.fd = listener_, .events = POLLIN, .revents = 0};
    if (poll(&waiting, 1, timeout_ms) <= 0) return false;
    peer_ = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    return peer_ >= 0;
  }
  void Send(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t sent = send(peer_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
  }
  // How much it takes until the other side reads no more.
  size_t SendUntilFull(size_t bytes_max) const {
    const std::string block(64 << 10, 'x');
    size_t taken = 0;
    pollfd waiting{.fd = peer_, .events = POLLOUT, .revents = 0};
    while (taken < bytes_max && poll(&waiting, 1, 300) > 0) {
      const ssize_t sent = send(peer_, block.data(), block.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent > 0) taken += static_cast<size_t>(sent);
    }
    return taken;
  }
  // Until then the system takes connections for it, though it never accepts them.
  void StopListening() {
    if (listener_ >= 0) close(listener_);
    listener_ = -1;
  }
  void Hang() {
    if (peer_ >= 0) close(peer_);
    peer_ = -1;
  }
  // As a machine that dies: the peer gets a reset.
  void Reset() {
    const linger at_once{.l_onoff = 1, .l_linger = 0};
    setsockopt(peer_, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    Hang();
  }

 private:
  int listener_;
  int port_ = 0;
  int peer_ = -1;
};

// Sends the same to whoever connects, and hangs up.
class Feeder {
 public:
  explicit Feeder(std::string bytes)
      : bytes_(std::move(bytes)), thread_([this] {
          while (!stop_) {
            if (sender_.Accept(50)) sender_.Send(bytes_);
            sender_.Hang();
          }
        }) {}
  ~Feeder() {
    stop_ = true;
    thread_.join();
  }
  std::string address() const { return sender_.address(); }

 private:
  const std::string bytes_;
  Sender sender_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

// A reader of one address.
struct Opened {
  explicit Opened(Source source) {
    source.reconnect_first = std::chrono::milliseconds(1);
    source.reconnect_longest = std::chrono::milliseconds(20);
    REQUIRE_OK(source.Validate());
    reader = source.CreateReader();
    REQUIRE_OK(reader->Open(context, output));
  }
  ~Opened() { reader->Close(); }
  bool Until(const std::function<bool()>& done) {
    return testing::PollUntil<Bytes>(*reader, output, context, done, &failure);
  }
  bool UntilCount(size_t count) {
    return Until([&] { return output.records.size() >= count; });
  }
  FakeContext context;
  testing::FakeOutput<Bytes, std::string> output = testing::BytesOutput();
  std::unique_ptr<SourceReader<Bytes>> reader;
  absl::Status failure;
};

TEST_CASE("the tcp source conforms, but for what it cannot do", "[tcp]") {
  const auto framing = GENERATE(Framing::kLines, Framing::kCsv, Framing::kLengthPrefixed);
  Values expected;
  std::vector<std::unique_ptr<Feeder>> feeders;
  Source source{.framing = framing, .bounded = true};
  for (int feeder = 0; feeder < 4; ++feeder) {
    std::string bytes;
    for (int i = 0; i < feeder * 700; ++i) {  // the first has none
      expected.push_back(fmt::format("{},{}", feeder, i));
      REQUIRE_OK(framing::AppendFrame(framing, expected.back(), bytes));
    }
    feeders.push_back(std::make_unique<Feeder>(bytes));
    source.addresses.push_back(feeders.back()->address());
  }
  REQUIRE_OK(testing::CheckSource<Bytes, std::string>({
      .make = [&] { return source.CreateReader(); },
      .keep = [](const Bytes& bytes) { return bytes.str(); },
      .expected = expected,
      .replayable = false,
  }));
}

TEST_CASE("a connection that ends or breaks is made again; a record that was cut off is dropped", "[tcp]") {
  Sender sender;
  Opened opened({.addresses = {sender.address()}});
  REQUIRE(sender.Accept());
  sender.Send("one\ntwo\nthr");
  REQUIRE(opened.UntilCount(2));
  const bool resets = GENERATE(false, true);
  resets ? sender.Reset() : sender.Hang();
  REQUIRE(opened.Until([&] { return !opened.context.note.empty(); }));
  CHECK_THAT(opened.context.note, Catch::Contains(sender.address()) && Catch::Contains("connecting again"));
  REQUIRE(sender.Accept());
  sender.Send("four\n");
  REQUIRE(opened.UntilCount(3));
  CHECK(opened.output.values() == Values{"one", "two", "four"});
  CHECK(opened.context.counter("recordsCutOff").value() == 1);
  REQUIRE(opened.Until([&] { return opened.context.note.empty(); }));
  CHECK(opened.output.finished.empty());
}

TEST_CASE("caught up while connected and dry, not while nobody is there", "[tcp]") {
  Sender sender;
  Opened opened({.addresses = {sender.address()}});
  REQUIRE(sender.Accept());
  sender.Send("one\npart");
  REQUIRE(opened.UntilCount(1));
  REQUIRE(opened.Until([&] { return !opened.output.caught_up.empty(); }));
  sender.StopListening();
  sender.Hang();
  REQUIRE(opened.Until([&] { return !opened.context.note.empty(); }));
  opened.output.caught_up.clear();
  for (int i = 0; i < 20; ++i) REQUIRE(opened.reader->Poll(opened.output).ok());
  CHECK(opened.output.caught_up.empty());
}

TEST_CASE("a bounded address ends with its connection, and a last line without its end counts", "[tcp]") {
  Sender sender;
  Opened opened({.addresses = {sender.address()}, .bounded = true});
  REQUIRE(sender.Accept());
  sender.Send("one\nlast");
  sender.Hang();
  REQUIRE_OK(testing::PollToEnd(*opened.reader, opened.output, opened.context));
  CHECK(opened.output.values() == Values{"one", "last"});
  CHECK(opened.output.finished.size() == 1);
}

TEST_CASE("a sender that is faster has to wait", "[tcp]") {
  Sender sender;
  Opened opened({.addresses = {sender.address()}});
  REQUIRE(sender.Accept());
  constexpr size_t kSystemBuffersMax = 20 << 20;
  CHECK(sender.SendUntilFull(kBufferedBytesMax + 2 * kSystemBuffersMax) < kBufferedBytesMax + kSystemBuffersMax);
}

TEST_CASE("a record over the limit is an error by its address", "[tcp]") {
  Sender sender;
  Opened opened({.addresses = {sender.address()}, .record_bytes_max = 10});
  REQUIRE(sender.Accept());
  sender.Send("0123456789ab\n");
  opened.UntilCount(1);
  CHECK(absl::IsOutOfRange(opened.failure));
  CHECK_THAT(std::string(opened.failure.message()), Catch::Contains(sender.address()));
}

TEST_CASE("nobody there is shown, and tried again until somebody is", "[tcp]") {
  int port = 0;
  {
    Sender gone;
    port = std::stoi(gone.address().substr(gone.address().rfind(':') + 1));
  }
  Opened opened({.addresses = {fmt::format("127.0.0.1:{}", port)}});
  REQUIRE(opened.Until([&] { return !opened.context.note.empty(); }));
  CHECK_THAT(opened.context.note, Catch::Contains("refused", Catch::CaseSensitive::No));
}

TEST_CASE("a restore says what it means", "[tcp]") {
  FakeContext context;
  auto output = testing::BytesOutput();
  const auto reader = Source{.addresses = {"127.0.0.1:1"}}.CreateReader();
  REQUIRE_OK(reader->Restore({"tcp 127.0.0.1:1"}));
  REQUIRE_OK(reader->Open(context, output));
  REQUIRE(context.warnings.size() == 1);
  CHECK_THAT(context.warnings[0], Catch::Contains("is lost"));
  reader->Close();
}

TEST_CASE("addresses", "[tcp]") {
  using Parts = std::pair<std::string, std::string>;
  CHECK(SplitAddress("a.b:80") == Parts("a.b", "80"));
  CHECK(SplitAddress("[::1]:65535") == Parts("::1", "65535"));
  for (const char* text : {"", "a", ":1", "a:", "a:x", "a:0", "a:65536", "::1:80", "[]:80", "a:123456"}) {
    CHECK_FALSE(SplitAddress(text).has_value());
  }
}

TEST_CASE("the plan says at most once, and refuses exactly-once sinks behind", "[tcp]") {
  Environment env;
  env.source("feed", Source{.addresses = {"127.0.0.1:1"}}).sink("nowhere", discard::Sink{});
  CHECK(env.graph().nodes[0].delivery == kAtMostOnce);
  REQUIRE_OK(testing::CheckSourceRefused(
      Source{.addresses = {"nowhere"}, .record_bytes_max = 0, .reconnect_longest = std::chrono::milliseconds(1)},
      {".addresses: 'nowhere'", ".record_bytes_max", ".reconnect_longest"}));
}

}  // namespace
}  // namespace penstock::tcp
