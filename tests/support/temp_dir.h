// A directory that is removed at the end.
#ifndef PENSTOCK_TESTS_SUPPORT_TEMP_DIR_H_
#define PENSTOCK_TESTS_SUPPORT_TEMP_DIR_H_

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>

namespace penstock::testing {

class TempDir {
 public:
  TempDir() : path_(std::filesystem::temp_directory_path() / "penstock-test-XXXXXX") {
    if (mkdtemp(path_.data()) == nullptr) throw std::runtime_error("no temporary directory");
  }
  ~TempDir() { std::filesystem::remove_all(path_); }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  // Returns the path of the file.
  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ + "/" + name) << text;
    return path_ + "/" + name;
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace penstock::testing

#endif  // PENSTOCK_TESTS_SUPPORT_TEMP_DIR_H_
