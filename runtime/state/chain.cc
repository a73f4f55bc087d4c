#include "runtime/state/chain.h"

#include <algorithm>
#include <functional>
#include <memory>
#include <string>

#include "runtime/core/status.h"

namespace penstock {
namespace {

constexpr uint8_t kHandleFormat = 1;

KeyGroupRange Intersect(KeyGroupRange a, KeyGroupRange b) {
  const uint32_t begin = std::max(a.begin, b.begin);
  return {begin, std::max(begin, std::min(a.end, b.end))};
}

bool DecodePart(ByteReader& in, const OpenStateFile& open, ChainPart& part, absl::Status& status) {
  uint8_t kind = 0;
  uint64_t entries = 0;
  uint64_t files = 0;
  if (!in.GetFixed(kind) || kind > 2 || !in.GetFixed(part.id) || !in.GetFixed(part.mask.begin) ||
      !in.GetFixed(part.mask.end) || !in.GetVarint(entries) || !detail::ReadCount(in, files)) {
    return false;
  }
  part.kind = static_cast<PartKind>(kind);
  part.entries = static_cast<int64_t>(entries);
  for (uint64_t i = 0; i < files; ++i) {
    std::string_view name, path, location;
    int64_t size = 0;
    uint64_t checksum = 0;
    if (!detail::ReadString(in, name) || !detail::ReadString(in, path) || !in.GetFixed(size) ||
        !in.GetFixed(checksum) || !detail::ReadString(in, location)) {
      return false;
    }
    absl::StatusOr<StateFilePtr> file = open(std::string(name), size, checksum, std::string(location));
    if (!file.ok()) {
      status = file.status();
      return false;
    }
    part.files.push_back({*std::move(file), std::string(path)});
  }
  return !part.files.empty();
}

}  // namespace

int64_t KeyedSnapshot::TotalBytes() const {
  int64_t bytes = 0;
  for (const ChainPart& part : parts) {
    for (const ChainFile& file : part.files) bytes += file.file->size_bytes();
  }
  return bytes;
}

std::string EncodeKeyedSnapshot(const KeyedSnapshot& snapshot,
                                const std::function<std::string(const StateFile& file)>& locate) {
  ByteWriter out;
  out.PutByte(kHandleFormat);
  out.PutFixed(snapshot.checkpoint_id);
  out.PutFixed(snapshot.key_groups);
  out.PutFixed(snapshot.range.begin);
  out.PutFixed(snapshot.range.end);
  out.PutVarint(snapshot.parts.size());
  for (const ChainPart& part : snapshot.parts) {
    out.PutByte(static_cast<uint8_t>(part.kind));
    out.PutFixed(part.id);
    out.PutFixed(part.mask.begin);
    out.PutFixed(part.mask.end);
    out.PutVarint(static_cast<uint64_t>(part.entries));
    out.PutVarint(part.files.size());
    for (const ChainFile& file : part.files) {
      detail::WriteString(file.file->name(), out);
      detail::WriteString(file.path, out);
      out.PutFixed(file.file->size_bytes());
      out.PutFixed(file.file->checksum());
      detail::WriteString(locate(*file.file), out);
    }
  }
  return std::string(out.view());
}

absl::StatusOr<KeyedSnapshot> DecodeKeyedSnapshot(std::string_view bytes, const OpenStateFile& open) {
  ByteReader in(bytes);
  uint8_t format = 0;
  KeyedSnapshot snapshot;
  uint64_t parts = 0;
  const absl::Status bad = DataLoss("a handle of keyed state that does not decode");
  if (!in.GetFixed(format)) return bad;
  if (format != kHandleFormat) {
    return Unimplemented("a handle of keyed state has format {}; this program reads {}", format, kHandleFormat);
  }
  if (!in.GetFixed(snapshot.checkpoint_id) || !in.GetFixed(snapshot.key_groups) || !in.GetFixed(snapshot.range.begin) ||
      !in.GetFixed(snapshot.range.end) || !detail::ReadCount(in, parts)) {
    return bad;
  }
  for (uint64_t i = 0; i < parts; ++i) {
    absl::Status status;
    if (!DecodePart(in, open, snapshot.parts.emplace_back(), status)) return status.ok() ? bad : status;
  }
  if (in.remaining() > 0) return bad;
  return snapshot;
}

std::vector<ChainPart> PartsForRange(const std::vector<KeyedSnapshot>& sources, KeyGroupRange range) {
  std::vector<ChainPart> parts;
  for (const KeyedSnapshot& source : sources) {
    for (const ChainPart& part : source.parts) {
      ChainPart masked = part;
      masked.mask = Intersect(Intersect(part.mask, source.range), range);
      if (masked.mask.begin < masked.mask.end) parts.push_back(std::move(masked));
    }
  }
  return parts;
}

absl::StatusOr<std::vector<TableMatcher::Match>> TableMatcher::MatchAll(const SegmentHeader& header,
                                                                        const std::vector<TableSpec>& tables,
                                                                        uint32_t key_groups, std::string_view file,
                                                                        int64_t now_ms) {
  if (header.key_hash_id != kKeyHashId) {
    return FailedPrecondition("state file {} spreads keys by hash {}, this program by {}", file, header.key_hash_id,
                              kKeyHashId);
  }
  if (header.key_groups != key_groups) {
    return FailedPrecondition("state file {} has {} key groups, this job {}: set pipeline.max-parallelism to {}", file,
                              header.key_groups, key_groups, header.key_groups);
  }
  std::vector<Match> matches;
  for (const TableSpec& stored : header.tables) {
    Match& match = matches.emplace_back();
    const auto ours = std::find_if(tables.begin(), tables.end(), [&](const TableSpec& table) {
      return table.uid == stored.uid && table.name == stored.name;
    });
    if (ours == tables.end()) continue;
    match.table = static_cast<int>(ours - tables.begin());
    if (ours->kind != stored.kind || ours->namespaced != stored.namespaced) {
      return InvalidArgument("operator {} was kept as '{}' and is '{}'", ours->Label(), stored.kind, ours->kind);
    }
    if (ours->key.Hash() != stored.key.Hash()) {
      return InvalidArgument("the keys of operator {} were {} and are {}: the type of a key cannot change",
                             ours->Label(), stored.key.ToText(), ours->key.ToText());
    }
    match.was_expiring = stored.expires;
    match.same = ours->value.Hash() == stored.value.Hash() && ours->expires == stored.expires;
    if (ours->value.Hash() == stored.value.Hash()) continue;
    absl::StatusOr<std::unique_ptr<SchemaResolver>> resolver = SchemaResolver::Make(stored.value, ours->value, now_ms);
    if (!resolver.ok()) {
      return InvalidArgument("operator {} cannot be read: {}", ours->Label(), MessageOf(resolver.status()));
    }
    match.resolver = *std::move(resolver);
  }
  return matches;
}

absl::Status ResolveValue(const TableSpec& table, const TableMatcher::Match& match, ByteWriter& scratch,
                          std::string_view& value) {
  if (match.same) return absl::OkStatus();
  scratch.Clear();
  int64_t expires_ms = 0;
  ByteReader in(value);
  bool good = !match.was_expiring || in.GetFixed(expires_ms);
  if (good && match.was_expiring) value.remove_prefix(sizeof expires_ms);
  if (table.expires) scratch.PutFixed(expires_ms);
  if (match.resolver == nullptr) {
    scratch.Put(value.data(), value.size());
  } else {
    good = good && match.resolver->Convert(value, scratch);
  }
  if (!good) return DataLoss("a value of operator {} is not of the schema stored with it", table.Label());
  value = scratch.view();
  return absl::OkStatus();
}

bool IsExpired(std::string_view value, int64_t now_ms) {
  int64_t expires_ms = 0;
  if (value.size() < sizeof expires_ms) return false;
  std::memcpy(&expires_ms, value.data(), sizeof expires_ms);
  return expires_ms != 0 && expires_ms <= now_ms;
}

}  // namespace penstock
