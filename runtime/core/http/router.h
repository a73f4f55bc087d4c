// Finds the handler of a method and path. Built before the server starts, then read only.
//
// A pattern is "/jobs/:jobid/plan"; a literal segment beats a parameter at the same place. Segments are compared
// decoded; "." and ".." match nothing but a literal of that name.
#ifndef PENSTOCK_RUNTIME_CORE_HTTP_ROUTER_H_
#define PENSTOCK_RUNTIME_CORE_HTTP_ROUTER_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "runtime/core/http/message.h"

namespace penstock::http {

struct Upload {
  UploadHandler handler;
  int64_t body_bytes_max = 0;
};

class Router {
 public:
  using Action = std::variant<Handler, AsyncHandler, Upload>;

  void Handle(std::string_view method, std::string_view pattern, Handler handler);
  void HandleAsync(std::string_view method, std::string_view pattern, AsyncHandler handler);
  void HandleUpload(std::string_view method, std::string_view pattern, Upload upload);
  // Answers GET and HEAD of paths without a route (static files).
  void SetFallback(Handler handler) { fallback_ = std::move(handler); }

  struct Match {
    const Action* action = nullptr;  // null: no route
    std::map<std::string, std::string> params;
    bool path_known = false;  // the path has a route, but not for this method
  };
  // HEAD is answered by the GET route unless it has one of its own.
  Match Find(std::string_view method, std::string_view path) const;
  const Handler& fallback() const { return fallback_; }

 private:
  struct Route {
    std::string method;
    std::vector<std::string> segments;
    Action action;
  };
  void Add(std::string_view method, std::string_view pattern, Action action);
  const Route* FindExact(std::string_view method, const std::vector<std::string>& segments, bool* path_known) const;

  std::vector<Route> routes_;
  Handler fallback_;
};

}  // namespace penstock::http

#endif  // PENSTOCK_RUNTIME_CORE_HTTP_ROUTER_H_
