#include "runtime/core/http/static_files.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

namespace penstock::http {
namespace {

namespace fs = std::filesystem;

constexpr std::pair<std::string_view, std::string_view> kContentTypes[] = {
    {".html", "text/html; charset=UTF-8"},
    {".js", "text/javascript; charset=UTF-8"},
    {".css", "text/css; charset=UTF-8"},
    {".json", "application/json; charset=UTF-8"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".ico", "image/x-icon"},
    {".woff2", "font/woff2"},
    {".wasm", "application/wasm"},
    {".txt", kTextContentType},
};

std::string ContentTypeOf(const fs::path& file) {
  const std::string extension = file.extension().string();
  for (const auto& [known, type] : kContentTypes) {
    if (known == extension) return std::string(type);
  }
  return "application/octet-stream";
}

bool IsInside(const fs::path& root, const fs::path& file) {
  const auto [root_end, rest] = std::mismatch(root.begin(), root.end(), file.begin(), file.end());
  return root_end == root.end();
}

}  // namespace

Response ServeStaticFile(const std::string& root, const Request& request) {
  const Response not_found = ErrorResponse(404, "File not found.");
  std::error_code error;
  const fs::path canonical_root = fs::canonical(root, error);
  if (error) return not_found;
  std::string relative = request.path.substr(std::min<size_t>(1, request.path.size()));
  if (relative.empty() || relative.back() == '/') relative += "index.html";
  for (const fs::path& segment : fs::path(relative)) {
    if (segment == ".." || segment == "/") return not_found;
  }
  const fs::path file = fs::canonical(canonical_root / relative, error);
  if (error || !IsInside(canonical_root, file) || !fs::is_regular_file(file, error)) return not_found;
  if (static_cast<int64_t>(fs::file_size(file, error)) > kStaticFileBytesMax || error) return not_found;
  std::ifstream stream(file, std::ios::binary);
  if (!stream) return not_found;
  Response response{.content_type = ContentTypeOf(file)};
  response.body.assign(std::istreambuf_iterator<char>(stream), {});
  return response;
}

}  // namespace penstock::http
