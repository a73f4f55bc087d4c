#include "tests/support/raw_http.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace penstock::testing {
namespace {

constexpr int kReadTimeoutS = 10;

}  // namespace

RawHttp::RawHttp(int port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)), port_(port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    std::perror("connect");
    std::abort();
  }
  const timeval timeout{kReadTimeoutS, 0};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
}

RawHttp::~RawHttp() { Close(); }

void RawHttp::Close() {
  if (fd_ >= 0) close(fd_);
  fd_ = -1;
}

void RawHttp::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
}

bool RawHttp::Fill() {
  char piece[16384];
  const ssize_t size = recv(fd_, piece, sizeof(piece), 0);
  if (size <= 0) return false;
  unread_.append(piece, static_cast<size_t>(size));
  return true;
}

bool RawHttp::AtEnd() {
  char byte;
  return unread_.empty() && recv(fd_, &byte, 1, 0) == 0;
}

RawResponse RawHttp::Read(bool head) {
  RawResponse response;
  size_t end = 0;
  while ((end = unread_.find("\r\n\r\n")) == std::string::npos) {
    if (!Fill()) return response;
  }
  response.status = std::atoi(unread_.c_str() + unread_.find(' '));
  size_t line = unread_.find("\r\n") + 2;
  while (line < end + 2) {
    const size_t line_end = unread_.find("\r\n", line);
    const size_t colon = unread_.find(": ", line);
    std::string name = unread_.substr(line, colon - line);
    std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
    response.headers[name] = unread_.substr(colon + 2, line_end - colon - 2);
    line = line_end + 2;
  }
  unread_.erase(0, end + 4);
  const size_t size = head ? 0 : static_cast<size_t>(std::atoll(response.headers["content-length"].c_str()));
  while (unread_.size() < size) {
    if (!Fill()) break;
  }
  response.body = unread_.substr(0, size);
  unread_.erase(0, size);
  return response;
}

RawResponse RawHttp::Call(std::string_view method, std::string_view target, std::string_view body,
                          const std::map<std::string, std::string>& headers) {
  std::string request = fmt::format("{} {} HTTP/1.1\r\n", method, target);
  if (headers.count("Host") == 0) request += fmt::format("Host: 127.0.0.1:{}\r\n", port_);
  for (const auto& [name, value] : headers) request += fmt::format("{}: {}\r\n", name, value);
  if (!body.empty() || method != "GET") request += fmt::format("Content-Length: {}\r\n", body.size());
  Send(request + "\r\n" + std::string(body));
  return Read(method == "HEAD");
}

}  // namespace penstock::testing
