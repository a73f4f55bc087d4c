// SHA-256 of bytes and files, as 64 lower-case hex digits: the names of job programs.
#ifndef PENSTOCK_RUNTIME_CORE_DIGEST_H_
#define PENSTOCK_RUNTIME_CORE_DIGEST_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace penstock {

// Not thread-safe. Hex() ends the computation.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  void Update(std::string_view bytes);
  std::string Hex();

 private:
  struct Context;
  std::unique_ptr<Context> context_;
};

std::string Sha256Of(std::string_view bytes);
// NotFound when the file can't be opened.
absl::StatusOr<std::string> Sha256OfFile(const std::string& path);
// True for 64 lower-case hex digits.
bool IsSha256Hex(std::string_view text);

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_CORE_DIGEST_H_
