#include "connectors/tcp/feeds.h"

#include <netdb.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "penstock/connectors/tcp.h"
#include "runtime/core/clock.h"
#include "runtime/core/status.h"
#include "runtime/core/thread_name.h"

namespace penstock::tcp {
namespace {

constexpr size_t kReadBytes = 64 << 10;
constexpr int64_t kConnectMaxMs = 10'000;

struct FreeAddresses {
  void operator()(addrinfo* found) const { freeaddrinfo(found); }
};

// A socket that is connecting. The first address that the name has is tried; the next time perhaps another one.
absl::StatusOr<int> BeginConnect(const std::string& address) {
  const auto parts = SplitAddress(address);
  if (!parts) return InvalidArgument("'{}' is no address", address);
  addrinfo wanted = {};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int error = getaddrinfo(parts->first.c_str(), parts->second.c_str(), &wanted, &list);
  if (error != 0) return Unavailable("{}: {}", address, gai_strerror(error));
  const std::unique_ptr<addrinfo, FreeAddresses> found(list);
  std::string problem;
  for (const addrinfo* each = found.get(); each != nullptr; each = each->ai_next) {
    const int fd = ::socket(each->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, each->ai_protocol);
    if (fd < 0) return Unavailable("{}: {}", address, strerror(errno));
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    if (::connect(fd, each->ai_addr, each->ai_addrlen) == 0 || errno == EINPROGRESS) return fd;
    problem = strerror(errno);
    close(fd);
  }
  return Unavailable("{}: {}", address, problem);
}

}  // namespace

std::optional<std::pair<std::string, std::string>> SplitAddress(const std::string& address) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == address.size()) return std::nullopt;
  std::string host = address.substr(0, colon);
  const std::string port = address.substr(colon + 1);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (host.empty() || (!bracketed && host.find(':') != std::string::npos)) return std::nullopt;
  const bool digits = std::all_of(port.begin(), port.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!digits || port.size() > 5 || std::stoi(port) < 1 || std::stoi(port) > 65535) return std::nullopt;
  return std::pair(host, port);
}

Feeds::Feeds(FeedsOptions options, std::shared_ptr<Waker> waker)
    : options_(std::move(options)),
      waker_(std::move(waker)),
      wake_fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      feeds_(options_.addresses.size()) {
  thread_ = std::thread([this] { Run(); });
}

Arrived Feeds::Take(size_t address) {
  Arrived taken;
  {
    MutexLock lock(&mutex_);
    Arrived& arrived = feeds_[address].arrived;
    taken = std::move(arrived);
    arrived = {.over = taken.over, .connected = taken.connected};
  }
  if (taken.bytes.size() >= kBufferedBytesMax || taken.ended) eventfd_write(wake_fd_, 1);
  return taken;
}

std::string Feeds::Trouble() {
  MutexLock lock(&mutex_);
  for (const Feed& feed : feeds_) {
    if (!feed.trouble.empty()) return feed.trouble;
  }
  return "";
}

void Feeds::Stop() {
  if (!thread_.joinable()) return;
  {
    MutexLock lock(&mutex_);
    stopping_ = true;
  }
  eventfd_write(wake_fd_, 1);
  thread_.join();
  for (const Feed& feed : feeds_) {
    if (feed.fd >= 0) close(feed.fd);
  }
  close(wake_fd_);
}

void Feeds::Run() {
  SetThreadName("tcp source");
  std::vector<pollfd> waiting;
  while (true) {
    const int64_t now_ms = Clock::System().MonotonicMs();
    int64_t next_ms = now_ms + kConnectMaxMs;
    waiting.assign(1, {.fd = wake_fd_, .events = POLLIN, .revents = 0});
    {
      MutexLock lock(&mutex_);
      if (stopping_) return;
      for (const Feed& feed : feeds_) {
        // Nothing is read, and no other connection made, until the task has taken what there is.
        const bool full = feed.arrived.bytes.size() >= kBufferedBytesMax || feed.arrived.ended;
        const short events = feed.state == State::kConnecting ? POLLOUT : full ? 0 : POLLIN;
        waiting.push_back({.fd = feed.state == State::kOpen && full ? -1 : feed.fd, .events = events, .revents = 0});
        const bool timed = feed.state == State::kConnecting || (feed.state == State::kWaiting && !feed.arrived.ended);
        if (timed) next_ms = std::min(next_ms, feed.due_ms);
      }
    }
    poll(waiting.data(), waiting.size(), static_cast<int>(std::max<int64_t>(0, next_ms - now_ms)));
    eventfd_t ignored = 0;
    eventfd_read(wake_fd_, &ignored);
    for (size_t i = 0; i < feeds_.size(); ++i) Step(i, waiting[i + 1].revents, Clock::System().MonotonicMs());
  }
}

void Feeds::Step(size_t number, short events, int64_t now_ms) {
  Feed& feed = feeds_[number];
  const std::string& address = options_.addresses[number];
  if (feed.state == State::kWaiting && now_ms >= feed.due_ms) {
    {
      MutexLock lock(&mutex_);
      if (feed.arrived.ended) return;
    }
    Connect(feed, address, now_ms);
  } else if (feed.state == State::kConnecting && events != 0) {
    OnConnected(feed, address, now_ms);
  } else if (feed.state == State::kConnecting && now_ms >= feed.due_ms) {
    End(feed, false, fmt::format("{}: no connection within {} s", address, kConnectMaxMs / 1000), now_ms);
  } else if (feed.state == State::kOpen && events != 0) {
    Read(feed, address, now_ms);
  }
}

void Feeds::Connect(Feed& feed, const std::string& address, int64_t now_ms) {
  const absl::StatusOr<int> begun = BeginConnect(address);
  if (!begun.ok()) return End(feed, false, MessageOf(begun.status()), now_ms);
  feed.fd = *begun;
  feed.got_any = false;
  feed.state = State::kConnecting;
  feed.due_ms = now_ms + kConnectMaxMs;
}

void Feeds::OnConnected(Feed& feed, const std::string& address, int64_t now_ms) {
  int error = 0;
  socklen_t size = sizeof(error);
  getsockopt(feed.fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) return End(feed, false, fmt::format("{}: {}", address, strerror(error)), now_ms);
  feed.state = State::kOpen;
  {
    MutexLock lock(&mutex_);
    feed.arrived.connected = true;
    feed.trouble.clear();
  }
  waker_->Wake();
}

void Feeds::Read(Feed& feed, const std::string& address, int64_t now_ms) {
  char block[kReadBytes];
  const ssize_t got = recv(feed.fd, block, sizeof(block), 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got < 0) return End(feed, false, fmt::format("{}: {}", address, strerror(errno)), now_ms);
  if (got == 0) return End(feed, true, fmt::format("{}: the peer has ended the connection", address), now_ms);
  feed.got_any = true;
  {
    MutexLock lock(&mutex_);
    feed.arrived.bytes.append(block, static_cast<size_t>(got));
  }
  waker_->Wake();
}

void Feeds::End(Feed& feed, bool in_order, const std::string& trouble, int64_t now_ms) {
  const bool was_open = feed.state == State::kOpen;
  if (feed.fd >= 0) close(feed.fd);
  feed.fd = -1;
  // A peer that accepts and hangs up at once is no reason to begin anew with the shortest wait.
  feed.backoff_ms = feed.got_any || feed.backoff_ms == 0 ? options_.reconnect_first_ms
                                                         : std::min(feed.backoff_ms * 2, options_.reconnect_longest_ms);
  feed.got_any = false;
  feed.due_ms = now_ms + feed.backoff_ms;
  feed.state = options_.bounded && in_order ? State::kOver : State::kWaiting;
  {
    MutexLock lock(&mutex_);
    feed.arrived.ended = feed.arrived.ended || was_open;
    feed.arrived.over = feed.state == State::kOver;
    feed.arrived.connected = false;
    if (feed.state != State::kOver) feed.trouble = trouble;
  }
  waker_->Wake();
}

}  // namespace penstock::tcp
