#include "runtime/core/http/router.h"

#include <utility>

namespace penstock::http {
namespace {

std::vector<std::string> Split(std::string_view path) {
  std::vector<std::string> segments;
  while (!path.empty()) {
    path.remove_prefix(1);  // the slash
    const size_t slash = path.find('/');
    segments.emplace_back(path.substr(0, slash));
    path = slash == std::string_view::npos ? std::string_view() : path.substr(slash);
  }
  if (!segments.empty() && segments.back().empty()) segments.pop_back();  // "/jobs/" is "/jobs"
  return segments;
}

bool IsParam(const std::string& segment) { return !segment.empty() && segment[0] == ':'; }

bool Matches(const std::vector<std::string>& pattern, const std::vector<std::string>& segments) {
  if (pattern.size() != segments.size()) return false;
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (IsParam(pattern[i])) {
      if (segments[i].empty() || segments[i] == "." || segments[i] == "..") return false;
    } else if (pattern[i] != segments[i]) {
      return false;
    }
  }
  return true;
}

// Both match the same path: a has a literal at the first place where they differ in kind.
bool MoreLiteral(const std::vector<std::string>& a, const std::vector<std::string>& b) {
  for (size_t i = 0; i < a.size(); ++i) {
    if (IsParam(a[i]) != IsParam(b[i])) return IsParam(b[i]);
  }
  return false;
}

}  // namespace

void Router::Add(std::string_view method, std::string_view pattern, Action action) {
  routes_.push_back(Route{std::string(method), Split(pattern), std::move(action)});
}

void Router::Handle(std::string_view method, std::string_view pattern, Handler handler) {
  Add(method, pattern, Action(std::in_place_type<Handler>, std::move(handler)));
}

void Router::HandleAsync(std::string_view method, std::string_view pattern, AsyncHandler handler) {
  Add(method, pattern, Action(std::in_place_type<AsyncHandler>, std::move(handler)));
}

void Router::HandleUpload(std::string_view method, std::string_view pattern, Upload upload) {
  Add(method, pattern, Action(std::in_place_type<Upload>, std::move(upload)));
}

const Router::Route* Router::FindExact(std::string_view method, const std::vector<std::string>& segments,
                                       bool* path_known) const {
  const Route* best = nullptr;
  for (const Route& route : routes_) {
    if (!Matches(route.segments, segments)) continue;
    *path_known = true;
    if (route.method != method) continue;
    if (best == nullptr || MoreLiteral(route.segments, best->segments)) best = &route;
  }
  return best;
}

Router::Match Router::Find(std::string_view method, std::string_view path) const {
  Match match;
  const std::vector<std::string> segments = Split(path);
  const Route* route = FindExact(method, segments, &match.path_known);
  if (route == nullptr && method == "HEAD") route = FindExact("GET", segments, &match.path_known);
  if (route == nullptr) return match;
  match.action = &route->action;
  for (size_t i = 0; i < segments.size(); ++i) {
    if (IsParam(route->segments[i])) match.params[route->segments[i].substr(1)] = segments[i];
  }
  return match;
}

}  // namespace penstock::http
