#include "runtime/core/secret.h"

#include <cstdlib>
#include <fstream>

#include "runtime/core/status.h"

namespace penstock {
namespace {

constexpr std::string_view kOpening = "${";
constexpr std::string_view kEnv = "env:";
constexpr std::string_view kFile = "file:";

absl::StatusOr<std::string> FromFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string content(kSecretBytesMax + 1, '\0');
  if (file) file.read(content.data(), static_cast<std::streamsize>(content.size()));
  if (file.bad() || !file.is_open()) return FailedPrecondition("${{file:{}}}: the file cannot be read", path);
  content.resize(static_cast<size_t>(file.gcount()));
  if (content.size() > kSecretBytesMax) return FailedPrecondition("${{file:{}}}: the file is too large", path);
  if (content.ends_with('\n')) content.pop_back();
  if (content.ends_with('\r')) content.pop_back();
  return content;
}

absl::StatusOr<std::string> Resolve(std::string_view reference) {
  if (reference.starts_with(kEnv)) {
    const std::string name(reference.substr(kEnv.size()));
    const char* const value = std::getenv(name.c_str());
    if (value == nullptr) return FailedPrecondition("${{env:{}}}: the variable is not set", name);
    return value;
  }
  return FromFile(std::string(reference.substr(kFile.size())));
}

// Walks over the references; `use` gets each, or nothing is done with them.
template <class OnText, class OnReference>
absl::Status Walk(std::string_view text, OnText on_text, OnReference on_reference) {
  while (!text.empty()) {
    const size_t begin = text.find(kOpening);
    on_text(text.substr(0, begin));
    if (begin == std::string_view::npos) break;
    const size_t end = text.find('}', begin);
    const std::string_view reference =
        end == std::string_view::npos ? "" : text.substr(begin + kOpening.size(), end - begin - kOpening.size());
    const bool known = (reference.starts_with(kEnv) && reference.size() > kEnv.size()) ||
                       (reference.starts_with(kFile) && reference.size() > kFile.size());
    if (!known) return InvalidArgument("a '${{' that begins neither ${{env:NAME}} nor ${{file:/path}}");
    PENSTOCK_RETURN_IF_ERROR(on_reference(reference));
    text.remove_prefix(end + 1);
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> ResolveSecrets(std::string_view text) {
  std::string resolved;
  PENSTOCK_RETURN_IF_ERROR(Walk(
      text, [&](std::string_view plain) { resolved += plain; },
      [&](std::string_view reference) -> absl::Status {
        PENSTOCK_ASSIGN_OR_RETURN(const std::string value, Resolve(reference));
        resolved += value;
        return absl::OkStatus();
      }));
  return resolved;
}

absl::Status CheckSecretReferences(std::string_view text) {
  return Walk(
      text, [](std::string_view) {}, [](std::string_view) { return absl::OkStatus(); });
}

}  // namespace penstock
