#include "runtime/state/rocks_base.h"

#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <functional>

#include "runtime/core/status.h"
#include "runtime/state/rocks_tier.h"

namespace penstock {
namespace rocks {
namespace {

constexpr int64_t kCopyChunkBytes = 4 << 20;

// Copies through the interface; the checksum tells a damaged file before RocksDB meets it.
absl::Status CopyFile(const StateFile& file, const std::string& path) {
  SpillBuffer copy(std::filesystem::path(path).filename().string(), std::filesystem::path(path).parent_path().string(),
                   -1);
  for (int64_t done = 0; done < file.size_bytes();) {
    const int64_t size = std::min(kCopyChunkBytes, file.size_bytes() - done);
    const absl::StatusOr<std::string> bytes = file.Read(done, size);
    PENSTOCK_RETURN_IF_ERROR(bytes.status());
    PENSTOCK_RETURN_IF_ERROR(copy.Append(*bytes));
    done += size;
  }
  if (file.size_bytes() == 0) PENSTOCK_RETURN_IF_ERROR(copy.Append({}));
  PENSTOCK_ASSIGN_OR_RETURN(const StateFilePtr sealed, copy.Seal());
  if (sealed->checksum() != file.checksum()) {
    return DataLoss("state file {} is damaged: its checksum is wrong", file.name());
  }
  // The sealed copy removes its file with itself; a link keeps the bytes.
  const std::string kept = path + ".kept";
  if (link(path.c_str(), kept.c_str()) != 0) return Internal("cannot link {}: {}", path, std::strerror(errno));
  return absl::OkStatus();
}

absl::Status CopyAndKeep(const StateFile& file, const std::string& path) {
  PENSTOCK_RETURN_IF_ERROR(CopyFile(file, path));
  if (rename((path + ".kept").c_str(), path.c_str()) != 0) {
    return Internal("cannot rename {}: {}", path, std::strerror(errno));
  }
  return absl::OkStatus();
}

// A link in place of a copy: false where there can be none. DataLoss when the bytes are not those of the checkpoint.
absl::StatusOr<bool> LinkShared(const StateFile& file, const std::string& path) {
  const std::string shared = file.shared_path();
  if (shared.empty() || link(shared.c_str(), path.c_str()) != 0) return false;
  const absl::StatusOr<StateFilePtr> read = OpenLocalStateFile(file.name(), path, false);
  PENSTOCK_RETURN_IF_ERROR(read.status());
  if ((*read)->size_bytes() == file.size_bytes() && (*read)->checksum() == file.checksum()) return true;
  unlink(path.c_str());
  return DataLoss("state file {} is damaged: its checksum is wrong", file.name());
}

}  // namespace

absl::Status FromRocks(const rocksdb::Status& status, const std::string& what, const std::string& directory) {
  if (status.ok()) return absl::OkStatus();
  const std::string text = fmt::format("keyed state in {}: cannot {}: {}", directory, what, status.ToString());
  if (status.IsNoSpace()) return absl::ResourceExhaustedError(text);
  if (status.IsCorruption()) return absl::DataLossError(text);
  if (status.IsMemoryLimit()) return absl::ResourceExhaustedError(text);
  return absl::InternalError(text);
}

std::string FullKey(uint32_t key_group, std::string_view key) {
  std::string full;
  full.reserve(2 + key.size());
  full.push_back(static_cast<char>(key_group >> 8));
  full.push_back(static_cast<char>(key_group & 0xff));
  full.append(key);
  return full;
}

std::string AfterPrefix(std::string prefix) {
  while (!prefix.empty() && static_cast<uint8_t>(prefix.back()) == 0xff) prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(prefix.back() + 1);
  return prefix;
}

absl::Status Materialise(const ChainPart& base, const std::string& directory) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  if (error) return Internal("cannot make folder {}: {}", directory, error.message());
  for (const ChainFile& file : base.files) {
    if (file.path.empty() || file.path.find('/') != std::string::npos) {
      return DataLoss("a base names a file '{}' that is none of RocksDB's", file.path);
    }
    const std::string target = directory + "/" + file.path;
    const std::string local = file.file->local_path();
    const bool is_sst = target.size() > 4 && target.compare(target.size() - 4, 4, ".sst") == 0;
    // Only SSTs are never written again; others would change under whoever else has the link.
    if (is_sst && !local.empty() && link(local.c_str(), target.c_str()) == 0) continue;
    if (is_sst && local.empty()) {
      PENSTOCK_ASSIGN_OR_RETURN(const bool linked, LinkShared(*file.file, target));
      if (linked) continue;
    }
    PENSTOCK_RETURN_IF_ERROR(CopyAndKeep(*file.file, target));
  }
  return absl::OkStatus();
}

OpenedDb::~OpenedDb() {
  for (const auto& [name, handle] : families) db->DestroyColumnFamilyHandle(handle);
  if (db != nullptr) db->Close();
}

absl::Status OpenDb(const std::string& directory, const rocksdb::Options& options,
                    const std::function<rocksdb::ColumnFamilyOptions(const std::string& family)>& family_options,
                    bool read_only, OpenedDb& opened) {
  std::vector<std::string> names;
  const rocksdb::Status listed = rocksdb::DB::ListColumnFamilies(options, directory, &names);
  if (!listed.ok()) {
    if (read_only || !options.create_if_missing) return FromRocks(listed, "open it", directory);
    names = {rocksdb::kDefaultColumnFamilyName};
  }
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors;
  for (const std::string& name : names) descriptors.emplace_back(name, family_options(name));
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status status = read_only
                                     ? rocksdb::DB::OpenForReadOnly(options, directory, descriptors, &handles, &db)
                                     : rocksdb::DB::Open(options, directory, descriptors, &handles, &db);
  PENSTOCK_RETURN_IF_ERROR(FromRocks(status, "open it", directory));
  opened.db.reset(db);
  for (size_t i = 0; i < names.size(); ++i) opened.families[names[i]] = handles[i];
  return absl::OkStatus();
}

absl::StatusOr<SegmentHeader> ReadTables(OpenedDb& opened, const std::string& directory) {
  std::string bytes;
  const rocksdb::Status status = opened.db->Get(rocksdb::ReadOptions(), kTablesKey, &bytes);
  PENSTOCK_RETURN_IF_ERROR(FromRocks(status, "read its list of tables", directory));
  return SegmentHeader::Decode(bytes, directory);
}

bool TakeTag(std::string_view& value, uint64_t& tag) {
  ByteReader in(value);
  if (!in.GetVarint(tag)) return false;
  value.remove_prefix(value.size() - in.remaining());
  return true;
}

absl::Status CheckAllKnown(const SegmentHeader& header, const std::vector<TableMatcher::Match>& matches) {
  for (size_t i = 0; i < matches.size(); ++i) {
    if (matches[i].table >= 0 || header.tables[i].uid.empty()) continue;
    return FailedPrecondition(
        "the snapshot has operator {}, which the job has not: restore the operator under this uid, or leave its state "
        "behind with --allow-non-restored-state",
        header.tables[i].Label());
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<RocksBase>> RocksBase::Open(const ChainPart& base, const std::string& directory,
                                                           const std::vector<TableSpec>& tables, uint32_t key_groups,
                                                           bool allow_non_restored, int64_t now_ms) {
  std::unique_ptr<RocksBase> opened(new RocksBase());
  opened->directory_ = directory;
  opened->mask_ = base.mask;
  PENSTOCK_RETURN_IF_ERROR(Materialise(base, directory));
  rocksdb::Options options;
  options.info_log_level = rocksdb::ERROR_LEVEL;
  PENSTOCK_RETURN_IF_ERROR(OpenDb(
      directory, options, [](const std::string&) { return rocksdb::ColumnFamilyOptions(); }, true, opened->opened_));
  PENSTOCK_ASSIGN_OR_RETURN(const SegmentHeader header, ReadTables(opened->opened_, directory));
  PENSTOCK_ASSIGN_OR_RETURN(opened->matches_, TableMatcher::MatchAll(header, tables, key_groups, directory, now_ms));
  if (!allow_non_restored) PENSTOCK_RETURN_IF_ERROR(CheckAllKnown(header, opened->matches_));
  for (const TableSpec& table : tables) {
    const auto found = opened->opened_.families.find(FamilyName(table));
    opened->families_.push_back(found == opened->opened_.families.end() ? nullptr : found->second);
  }
  return opened;
}

RocksBase::~RocksBase() {
  for (const auto& [name, handle] : opened_.families) opened_.db->DestroyColumnFamilyHandle(handle);
  opened_.families.clear();
  opened_.db.reset();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

absl::StatusOr<bool> RocksBase::Resolve(const TableSpec& table, std::string_view stored, std::string_view& value) {
  uint64_t tag = 0;
  value = stored;
  if (!TakeTag(value, tag) || tag > matches_.size()) {
    return DataLoss("keyed state in {}: a value of operator {} has no schema", directory_, table.Label());
  }
  if (tag == 0) return false;
  PENSTOCK_RETURN_IF_ERROR(ResolveValue(table, matches_[tag - 1], scratch_, value));
  return true;
}

}  // namespace rocks

absl::Status ReadRocksBase(const ChainPart& base, const std::string& scratch_directory,
                           const std::vector<TableSpec>& tables, uint32_t key_groups, bool allow_non_restored,
                           int64_t now_ms, const SegmentReader::Visitor& visit) {
  PENSTOCK_ASSIGN_OR_RETURN(
      const std::unique_ptr<rocks::RocksBase> opened,
      rocks::RocksBase::Open(base, scratch_directory, tables, key_groups, allow_non_restored, now_ms));
  for (uint32_t table = 0; table < tables.size(); ++table) {
    if (opened->family(table) == nullptr) continue;
    std::unique_ptr<rocksdb::Iterator> it(opened->db().NewIterator(rocksdb::ReadOptions(), opened->family(table)));
    for (it->Seek(rocks::FullKey(base.mask.begin, {})); it->Valid(); it->Next()) {
      std::string_view key(it->key().data(), it->key().size());
      const uint32_t group = static_cast<uint32_t>(static_cast<uint8_t>(key[0])) << 8 | static_cast<uint8_t>(key[1]);
      if (group >= base.mask.end) break;
      StateEntry entry{.key_group = group, .table = table, .op = EntryOp::kPut, .key = key.substr(2), .value = {}};
      PENSTOCK_ASSIGN_OR_RETURN(const bool present,
                                opened->Resolve(tables[table], {it->value().data(), it->value().size()}, entry.value));
      if (!present || (tables[table].expires && IsExpired(entry.value, now_ms))) continue;
      PENSTOCK_RETURN_IF_ERROR(visit(entry));
    }
    PENSTOCK_RETURN_IF_ERROR(rocks::FromRocks(it->status(), "read it", scratch_directory));
  }
  return absl::OkStatus();
}

}  // namespace penstock
