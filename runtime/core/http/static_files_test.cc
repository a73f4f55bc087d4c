#include "runtime/core/http/static_files.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

namespace penstock::http {
namespace {

namespace fs = std::filesystem;

// A folder `root` with files, and a secret beside it.
class Site {
 public:
  Site() : base_(fs::temp_directory_path() / ("penstock-site-" + std::to_string(getpid()))) {
    fs::create_directories(base_ / "root" / "assets");
    Write("root/index.html", "home");
    Write("root/assets/app.js", "code");
    Write("secret", "secret");
    fs::create_symlink(base_ / "secret", base_ / "root" / "link");
  }
  ~Site() { fs::remove_all(base_); }

  Response Get(const std::string& path) const {
    Request request;
    request.path = path;
    return ServeStaticFile((base_ / "root").string(), request);
  }

 private:
  void Write(const std::string& name, const std::string& text) { std::ofstream(base_ / name) << text; }
  const fs::path base_;
};

}  // namespace

TEST_CASE("Files are served with their type, and / is index.html", "[http]") {
  const Site site;
  CHECK(site.Get("/").body == "home");
  CHECK(site.Get("/").content_type == "text/html; charset=UTF-8");
  CHECK(site.Get("/assets/app.js").body == "code");
  CHECK(site.Get("/assets/app.js").content_type == "text/javascript; charset=UTF-8");
}

TEST_CASE("Nothing outside the folder is served", "[http]") {
  const Site site;
  for (const char* path : {"/../secret", "/assets/../../secret", "//etc/passwd", "/link", "/assets", "/none", ""}) {
    INFO(path);
    const Response response = site.Get(path);
    if (std::string(path).empty()) {
      CHECK(response.body == "home");
    } else {
      CHECK(response.status == 404);
      CHECK(response.body == R"({"errors":["File not found."]})");
    }
  }
}

}  // namespace penstock::http
