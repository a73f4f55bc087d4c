#include "tests/support/fault_proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace penstock::testing {
namespace {

constexpr size_t kBlockBytes = 16 << 10;
constexpr int kStallPollMs = 20;

sockaddr_in Loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

bool SendAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

}  // namespace

FaultProxy::FaultProxy(int target_port) : target_port_(target_port) {
  listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  if (bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(listener_, 64) != 0) abort();
  getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { Accept(); });
}

FaultProxy::~FaultProxy() {
  ending_ = true;
  shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  {
    MutexLock lock(&mutex_);
    for (const int fd : sockets_) shutdown(fd, SHUT_RDWR);
  }
  for (std::thread& thread : threads_) thread.join();
  for (const int fd : sockets_) close(fd);
  close(listener_);
}

void FaultProxy::Order(ConnectionFault fault, int times) {
  MutexLock lock(&mutex_);
  faults_.insert(faults_.end(), static_cast<size_t>(times), fault);
}

size_t FaultProxy::faults_left() {
  MutexLock lock(&mutex_);
  return faults_.size();
}

void FaultProxy::Track(int fd) {
  MutexLock lock(&mutex_);
  sockets_.push_back(fd);
}

void FaultProxy::Accept() {
  while (!ending_) {
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    ++connections_;
    Track(client);
    ConnectionFault fault;
    {
      MutexLock lock(&mutex_);
      if (!faults_.empty()) {
        fault = faults_.front();
        faults_.pop_front();
      }
    }
    threads_.emplace_back([this, client, fault] { Serve(client, fault); });
  }
}

void FaultProxy::Serve(int client, ConnectionFault fault) {
  using Kind = ConnectionFault::Kind;
  if (fault.kind == Kind::kRefuse) {
    shutdown(client, SHUT_RDWR);
    return;
  }
  if (fault.kind == Kind::kAnswer503) {
    char head[kBlockBytes];
    if (recv(client, head, sizeof(head), 0) > 0) {
      SendAll(client, "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    }
    shutdown(client, SHUT_WR);
    while (recv(client, head, sizeof(head), 0) > 0) {
    }
    return;
  }
  const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  Track(server);
  const sockaddr_in address = Loopback(target_port_);
  if (connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) return;
  std::thread answers([&] { Pump(server, client, fault.kind == Kind::kCutAnswer ? fault.bytes : INT64_MAX, false); });
  const bool bounded = fault.kind == Kind::kCutRequest || fault.kind == Kind::kStall;
  Pump(client, server, bounded ? fault.bytes : INT64_MAX, fault.kind == Kind::kStall);
  answers.join();
}

void FaultProxy::Pump(int from, int to, int64_t bytes_max, bool stall) {
  char block[kBlockBytes];
  while (bytes_max > 0) {
    const ssize_t got = recv(from, block, std::min<size_t>(sizeof(block), static_cast<size_t>(bytes_max)), 0);
    if (got <= 0 || !SendAll(to, {block, static_cast<size_t>(got)})) {
      bytes_max = -1;
      break;
    }
    bytes_max -= got;
  }
  if (stall && bytes_max == 0) {  // until the client gives up
    pollfd gone{from, POLLRDHUP, 0};
    while (!ending_ && poll(&gone, 1, kStallPollMs) == 0) {
    }
  }
  shutdown(from, SHUT_RDWR);
  shutdown(to, SHUT_RDWR);
}

}  // namespace penstock::testing
