#include "runtime/checkpoint/manifest.h"

#include <xxhash.h>

#include <charconv>
#include <cstring>

#include "runtime/core/status.h"

namespace penstock {
namespace {

constexpr std::string_view kMagic = "PNSTKMAN";
constexpr size_t kHeaderBytes = 8 + 4 + 8;
constexpr size_t kChecksumBytes = 8;
constexpr size_t kIdDigits = 20;

template <class T>
void Put(std::string& bytes, T value) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}
template <class T>
T Get(std::string_view bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

}  // namespace

uint64_t ChecksumOf(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

std::string EncodeManifest(const proto::Manifest& manifest) {
  const std::string body = manifest.SerializeAsString();
  std::string bytes(kMagic);
  Put<uint32_t>(bytes, kManifestFormat);
  Put<uint64_t>(bytes, body.size());
  bytes += body;
  Put<uint64_t>(bytes, ChecksumOf(bytes));
  return bytes;
}

absl::StatusOr<proto::Manifest> DecodeManifest(std::string_view bytes, std::string_view where) {
  if (bytes.size() < kHeaderBytes + kChecksumBytes || bytes.substr(0, kMagic.size()) != kMagic) {
    return DataLoss("{} is no checkpoint manifest", where);
  }
  if (const auto format = Get<uint32_t>(bytes, 8); format != kManifestFormat) {
    return absl::UnimplementedError(
        fmt::format("{} is a manifest of format {}, this program reads format {}", where, format, kManifestFormat));
  }
  const auto length = Get<uint64_t>(bytes, 12);
  if (length != bytes.size() - kHeaderBytes - kChecksumBytes) {
    return DataLoss("manifest {} is cut off or too long: {} bytes", where, bytes.size());
  }
  const size_t end = bytes.size() - kChecksumBytes;
  if (Get<uint64_t>(bytes, end) != ChecksumOf(bytes.substr(0, end))) {
    return DataLoss("manifest {} is damaged: its checksum does not match", where);
  }
  proto::Manifest manifest;
  if (!manifest.ParseFromArray(bytes.data() + kHeaderBytes, static_cast<int>(length))) {
    return DataLoss("manifest {} holds no manifest message", where);
  }
  return manifest;
}

std::string ManifestDirectory(std::string_view job_directory) { return fmt::format("{}/manifests/", job_directory); }

std::string ManifestName(std::string_view job_directory, uint64_t checkpoint_id) {
  return fmt::format("{}{:020}", ManifestDirectory(job_directory), checkpoint_id);
}

std::optional<uint64_t> IdOfManifestName(std::string_view name) {
  const std::string_view digits = name.substr(name.rfind('/') + 1);
  uint64_t id = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
  if (digits.size() != kIdDigits || error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return id;
}

}  // namespace penstock
