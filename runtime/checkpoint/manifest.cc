#include "runtime/checkpoint/manifest.h"

#include <xxhash.h>

#include <charconv>
#include <cstring>

#include "runtime/core/status.h"

namespace penstock {
namespace {

constexpr std::string_view kMagic = "PNSTKMAN";
constexpr std::string_view kCommitMagic = "PNSTKCMT";
constexpr size_t kMagicBytes = 8;
constexpr size_t kHeaderBytes = kMagicBytes + 4 + 8;
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

std::string EncodeFramed(std::string_view magic, uint32_t format, std::string_view body) {
  std::string bytes(magic);
  Put<uint32_t>(bytes, format);
  Put<uint64_t>(bytes, body.size());
  bytes += body;
  Put<uint64_t>(bytes, ChecksumOf(bytes));
  return bytes;
}

absl::StatusOr<std::string_view> DecodeFramed(std::string_view magic, uint32_t format, std::string_view bytes,
                                              std::string_view what, std::string_view where) {
  if (bytes.size() < kHeaderBytes + kChecksumBytes || bytes.substr(0, kMagicBytes) != magic) {
    return DataLoss("{} is no {}", where, what);
  }
  if (const auto found = Get<uint32_t>(bytes, 8); found != format) {
    return absl::UnimplementedError(
        fmt::format("{} is a {} of format {}, this program reads format {}", where, what, found, format));
  }
  const auto length = Get<uint64_t>(bytes, 12);
  if (length != bytes.size() - kHeaderBytes - kChecksumBytes) {
    return DataLoss("{} {} is cut off or too long: {} bytes", what, where, bytes.size());
  }
  const size_t end = bytes.size() - kChecksumBytes;
  if (Get<uint64_t>(bytes, end) != ChecksumOf(bytes.substr(0, end))) {
    return DataLoss("{} {} is damaged: its checksum does not match", what, where);
  }
  return bytes.substr(kHeaderBytes, length);
}

std::string EncodeManifest(const proto::Manifest& manifest) {
  return EncodeFramed(kMagic, kManifestFormat, manifest.SerializeAsString());
}

absl::StatusOr<proto::Manifest> DecodeManifest(std::string_view bytes, std::string_view where) {
  PENSTOCK_ASSIGN_OR_RETURN(const std::string_view body,
                            DecodeFramed(kMagic, kManifestFormat, bytes, "manifest", where));
  proto::Manifest manifest;
  if (!manifest.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
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

std::string CommitRecordName(std::string_view manifest_name) { return fmt::format("{}.committed", manifest_name); }

std::string EncodeCommitRecord(uint64_t checkpoint_id, std::string_view generation) {
  proto::CommitRecord record;
  record.set_checkpoint_id(checkpoint_id);
  record.set_generation(std::string(generation));
  return EncodeFramed(kCommitMagic, kManifestFormat, record.SerializeAsString());
}

absl::Status CheckCommitRecord(std::string_view bytes, std::string_view where, const proto::Manifest& manifest) {
  PENSTOCK_ASSIGN_OR_RETURN(const std::string_view body,
                            DecodeFramed(kCommitMagic, kManifestFormat, bytes, "commit record", where));
  proto::CommitRecord record;
  if (!record.ParseFromArray(body.data(), static_cast<int>(body.size())) ||
      record.checkpoint_id() != manifest.checkpoint_id() || record.generation() != manifest.generation()) {
    return DataLoss("{} is not of the savepoint beside it (checkpoint {} of generation {})", where,
                    manifest.checkpoint_id(), manifest.generation());
  }
  return absl::OkStatus();
}

}  // namespace penstock
