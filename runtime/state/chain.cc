#include "runtime/state/chain.h"

#include <xxhash.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "runtime/core/status.h"

namespace penstock {
namespace {

constexpr uint8_t kHandleFormat = 1;
constexpr int64_t kMergeBatchBytes = 64 << 20;

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

namespace {

// The merge of some key groups in memory: key group → (table, key) → value.
class GroupMerger {
 public:
  GroupMerger(const MergeRequest& request, KeyGroupRange groups)
      : request_(request), groups_(groups), entries_(groups.end - groups.begin) {}

  absl::Status Read(const SegmentReader& reader, const std::vector<TableMatcher::Match>& matches, KeyGroupRange mask) {
    return reader.ReadGroups(Intersect(groups_, mask), [&](const StateEntry& entry) -> absl::Status {
      const TableMatcher::Match& match = matches[entry.table];
      if (match.table < 0) return absl::OkStatus();
      auto& group = entries_[entry.key_group - groups_.begin];
      const uint32_t table = static_cast<uint32_t>(match.table);
      if (entry.op == EntryOp::kDeleteNamespace) {
        const std::string_view prefix = KeyOf(table, entry.key);
        std::erase_if(group, [&](const auto& item) { return item.first.starts_with(prefix); });
        return absl::OkStatus();
      }
      if (entry.op == EntryOp::kDelete) {
        if (const auto found = group.find(KeyOf(table, entry.key)); found != group.end()) group.erase(found);
        return absl::OkStatus();
      }
      std::string_view value = entry.value;
      PENSTOCK_RETURN_IF_ERROR(ResolveValue(request_.header.tables[table], match, scratch_, value));
      const std::string_view key = KeyOf(table, entry.key);
      const auto found = group.find(key);
      if (found != group.end()) {
        found->second.assign(value);
      } else {
        group.emplace(key, value);
      }
      return absl::OkStatus();
    });
  }
  void WriteTo(SegmentWriter& out) {
    for (uint32_t i = 0; i < entries_.size(); ++i) {
      for (const auto& [key, value] : entries_[i]) {
        uint32_t table = 0;
        std::memcpy(&table, key.data(), sizeof table);
        if (request_.header.tables[table].expires && IsExpired(value, request_.now_ms)) continue;
        out.Append(groups_.begin + i, table, EntryOp::kPut, std::string_view(key).substr(sizeof table), value);
      }
    }
  }

 private:
  // Valid until the next call.
  std::string_view KeyOf(uint32_t table, std::string_view key) {
    key_scratch_.resize(sizeof table);
    std::memcpy(key_scratch_.data(), &table, sizeof table);
    key_scratch_.append(key);
    return key_scratch_;
  }

  const MergeRequest& request_;
  const KeyGroupRange groups_;
  struct KeyHash {
    using is_transparent = void;
    size_t operator()(std::string_view key) const { return XXH3_64bits(key.data(), key.size()); }
  };
  std::vector<std::unordered_map<std::string, std::string, KeyHash, std::equal_to<>>> entries_;
  std::string key_scratch_;
  ByteWriter scratch_;
};

}  // namespace

absl::StatusOr<ChainPart> MergeParts(const MergeRequest& request) {
  struct Source {
    std::unique_ptr<SegmentReader> reader;
    std::vector<TableMatcher::Match> matches;
    KeyGroupRange mask;
  };
  std::vector<Source> sources;
  int64_t bytes = 0;
  for (const ChainPart& part : request.parts) {
    Source& source = sources.emplace_back();
    PENSTOCK_ASSIGN_OR_RETURN(source.reader, SegmentReader::Open(part.files.front().file));
    PENSTOCK_ASSIGN_OR_RETURN(source.matches, TableMatcher::MatchAll(source.reader->header(), request.header.tables,
                                                                     request.header.key_groups,
                                                                     part.files.front().file->name(), request.now_ms));
    source.mask = part.mask;
    bytes += part.files.front().file->size_bytes();
  }
  SegmentWriter out(request.header, SpillBuffer(request.name, request.directory, request.memory_bytes));
  const KeyGroupRange range = request.header.range;
  const uint32_t batches = static_cast<uint32_t>(
      std::clamp<int64_t>(bytes / kMergeBatchBytes + 1, 1, std::max<int64_t>(1, range.end - range.begin)));
  for (uint32_t i = 0; i < batches; ++i) {
    const auto edge = [&](uint64_t n) {
      return range.begin + static_cast<uint32_t>(n * (range.end - range.begin) / batches);
    };
    GroupMerger merger(request, {edge(i), edge(i + 1)});
    for (const Source& source : sources) {
      PENSTOCK_RETURN_IF_ERROR(merger.Read(*source.reader, source.matches, source.mask));
    }
    merger.WriteTo(out);
    PENSTOCK_RETURN_IF_ERROR(out.status());
  }
  ChainPart base;
  base.kind = PartKind::kBase;
  base.id = request.header.id;
  base.mask = range;
  base.entries = out.entries();
  PENSTOCK_ASSIGN_OR_RETURN(StateFilePtr file, out.Finish());
  base.files.push_back({std::move(file), ""});
  return base;
}

}  // namespace penstock
