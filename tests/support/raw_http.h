// A blocking HTTP client over a plain socket, for tests of servers: sends any bytes, reads one answer at a time.
#ifndef PENSTOCK_TESTS_SUPPORT_RAW_HTTP_H_
#define PENSTOCK_TESTS_SUPPORT_RAW_HTTP_H_

#include <map>
#include <string>
#include <string_view>

namespace penstock::testing {

struct RawResponse {
  int status = 0;                              // 0: the connection closed without an answer
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
};

// Not thread-safe. Aborts the test program when it can't connect; reads give up after 10 s.
class RawHttp {
 public:
  explicit RawHttp(int port);
  ~RawHttp();
  RawHttp(const RawHttp&) = delete;
  RawHttp& operator=(const RawHttp&) = delete;

  void Send(std::string_view bytes);
  RawResponse Read(bool head = false);
  // Sends one request with Host and Content-Length and reads its answer.
  RawResponse Call(std::string_view method, std::string_view target, std::string_view body = {},
                   const std::map<std::string, std::string>& headers = {});
  // True when the peer closes within the read timeout, without sending more.
  bool AtEnd();
  void Close();

 private:
  bool Fill();

  int fd_ = -1;
  int port_ = 0;
  std::string unread_;
};

}  // namespace penstock::testing

#endif  // PENSTOCK_TESTS_SUPPORT_RAW_HTTP_H_
