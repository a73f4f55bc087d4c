// A manifest as bytes, and where manifests lie. Pure.
//
//   manifest := "PNSTKMAN" u32 format version (1), u64 length, bytes (proto::Manifest), u64 XXH3-64 of all before
// Integers are little-endian. The object of checkpoint n is <job directory>/manifests/<n as 20 digits>: its existence
// is the decision (protocols.md B1), and every id gets one, a tombstone if the checkpoint was given up. So the next id
// is the largest plus one, and never used before.
#ifndef PENSTOCK_RUNTIME_CHECKPOINT_MANIFEST_H_
#define PENSTOCK_RUNTIME_CHECKPOINT_MANIFEST_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "proto/checkpoint.pb.h"

namespace penstock {

inline constexpr uint32_t kManifestFormat = 1;

std::string EncodeManifest(const proto::Manifest& manifest);
// DataLoss names `where` and what is wrong; Unimplemented: a newer format.
absl::StatusOr<proto::Manifest> DecodeManifest(std::string_view bytes, std::string_view where);

std::string ManifestDirectory(std::string_view job_directory);
std::string ManifestName(std::string_view job_directory, uint64_t checkpoint_id);
// The id in a manifest's name; nothing for other names.
std::optional<uint64_t> IdOfManifestName(std::string_view name);

// Beside a savepoint's manifest, once every sink has committed what it covers: "PNSTKCMT" in the manifest's frame, with
// a proto::CommitRecord.
std::string CommitRecordName(std::string_view manifest_name);
std::string EncodeCommitRecord(uint64_t checkpoint_id, std::string_view generation);
// DataLoss: it is damaged, or of another checkpoint than the manifest beside it.
absl::Status CheckCommitRecord(std::string_view bytes, std::string_view where, const proto::Manifest& manifest);

// The frame of a manifest around other bytes: a magic of 8 bytes, format, length, checksum. The view lies in `bytes`.
std::string EncodeFramed(std::string_view magic, uint32_t format, std::string_view body);
absl::StatusOr<std::string_view> DecodeFramed(std::string_view magic, uint32_t format, std::string_view bytes,
                                              std::string_view what, std::string_view where);

uint64_t ChecksumOf(std::string_view bytes);

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_CHECKPOINT_MANIFEST_H_
