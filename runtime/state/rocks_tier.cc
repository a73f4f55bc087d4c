#include "runtime/state/rocks_tier.h"

#include <rocksdb/cache.h>
#include <rocksdb/compaction_filter.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/table.h>
#include <rocksdb/utilities/checkpoint.h>
#include <rocksdb/write_buffer_manager.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <filesystem>
#include <map>
#include <utility>

#include "runtime/core/status.h"
#include "runtime/state/rocks_base.h"

namespace penstock {
namespace {

using rocks::AfterPrefix;
using rocks::Families;
using rocks::FamilyName;
using rocks::FromRocks;
using rocks::FullKey;
using rocks::RocksBase;

constexpr int64_t kDefaultCacheBytes = 64 << 20;
constexpr int64_t kDefaultMemtableBytes = 64 << 20;
constexpr size_t kBatchBytesMax = 4 << 20;  // of collected writes, before they are written
constexpr size_t kMetadataBlockBytes = 8 << 10;

// A shard holds many times what one entry takes, or it would throw out at once what it has taken in.
constexpr int64_t kCacheShardBytesMin = 8 << 20;
constexpr int kCacheShardBitsMax = 6;
int ShardBits(int64_t cache_bytes) {
  int bits = 0;
  while (bits < kCacheShardBitsMax && cache_bytes >> (bits + 1) >= kCacheShardBytesMin) ++bits;
  return bits;
}

class SharedResources final : public RocksResources {
 public:
  SharedResources(int64_t cache_bytes, int64_t memtable_bytes)
      : cache(rocksdb::NewLRUCache(static_cast<size_t>(cache_bytes), ShardBits(cache_bytes))),
        memtables(std::make_shared<rocksdb::WriteBufferManager>(static_cast<size_t>(memtable_bytes))) {}
  int64_t cache_used_bytes() const override { return static_cast<int64_t>(cache->GetUsage()); }
  int64_t memtables_used_bytes() const override { return static_cast<int64_t>(memtables->memory_usage()); }
  void SetCacheBytes(int64_t bytes) override { cache->SetCapacity(static_cast<size_t>(bytes)); }

  const std::shared_ptr<rocksdb::Cache> cache;
  const std::shared_ptr<rocksdb::WriteBufferManager> memtables;
};

// Drops what has expired, and the marks of deletion once no base of another task lies underneath.
class StateFilter final : public rocksdb::CompactionFilter {
 public:
  StateFilter(const Clock& clock, const std::atomic<bool>& keep_deleted) : clock_(clock), keep_deleted_(keep_deleted) {}
  const char* Name() const override { return "penstock.state"; }
  void SetExpiring(std::vector<bool> expiring_by_tag) { expiring_by_tag_ = std::move(expiring_by_tag); }
  bool Filter(int, const rocksdb::Slice&, const rocksdb::Slice& stored, std::string*, bool*) const override {
    std::string_view value(stored.data(), stored.size());
    uint64_t tag = 0;
    if (!rocks::TakeTag(value, tag)) return false;
    if (tag == 0) return !keep_deleted_.load(std::memory_order_relaxed);
    return tag <= expiring_by_tag_.size() && expiring_by_tag_[tag - 1] && IsExpired(value, clock_.NowMs());
  }

 private:
  const Clock& clock_;
  const std::atomic<bool>& keep_deleted_;
  std::vector<bool> expiring_by_tag_;
};

rocksdb::CompressionType TypeOf(RocksCompression compression) {
  switch (compression) {
    case RocksCompression::kNone:
      return rocksdb::kNoCompression;
    case RocksCompression::kLz4:
      return rocksdb::kLZ4Compression;
    case RocksCompression::kZstd:
      return rocksdb::kZSTD;
  }
  return rocksdb::kNoCompression;
}

class RocksTier final : public ColdTier {
 public:
  explicit RocksTier(RocksOptions options)
      : options_(std::move(options)),
        directory_(options_.directory + "/db"),
        files_directory_(options_.directory + "/files") {
    if (options_.resources == nullptr) {
      options_.resources = MakeRocksResources(kDefaultCacheBytes, kDefaultMemtableBytes);
    }
    write_options_.disableWAL = true;
  }
  ~RocksTier() override {
    old_bases_.clear();
    for (const auto& [name, handle] : opened_.families) opened_.db->DestroyColumnFamilyHandle(handle);
    opened_.families.clear();
    if (opened_.db != nullptr) opened_.db->Close();
    opened_.db.reset();
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
  }

  absl::Status Open(const std::vector<TableSpec>& tables, const std::vector<ChainPart>& bases) override;
  absl::StatusOr<bool> Get(uint32_t table, uint32_t key_group, std::string_view key, std::string* value) override;
  void Put(uint32_t table, uint32_t key_group, std::string_view key, std::string_view value) override;
  void Delete(uint32_t table, uint32_t key_group, std::string_view key) override;
  absl::Status Flush() override;
  absl::Status Scan(uint32_t table, uint32_t key_group, std::string_view prefix, const Visitor& visit) override;
  absl::StatusOr<std::vector<int64_t>> Namespaces(uint32_t table, uint32_t key_group) override;
  absl::StatusOr<bool> FoldOldBases(int entries_max) override;
  absl::StatusOr<ChainPart> MakeBase(uint64_t id, const std::string& name_prefix) override;
  ColdFigures ReadFigures() const override;

 private:
  rocksdb::Options DbOptions() const;
  rocksdb::ColumnFamilyOptions FamilyOptions(const std::string& family) const;
  absl::Status AdoptTables(const SegmentHeader* stored);
  absl::Status OpenFamilies();
  absl::Status DropForeignGroups(const SegmentHeader& stored, KeyGroupRange mask);
  // The value in the current encoding; false: deleted here.
  absl::StatusOr<bool> Resolve(uint32_t table, std::string_view stored, std::string_view& value);
  RocksBase* OldBaseOf(uint32_t key_group) const;
  absl::StatusOr<StateFilePtr> KeepFile(const std::string& from, const std::string& name);

  RocksOptions options_;
  const std::string directory_;
  const std::string files_directory_;  // what bases consist of, as long as somebody needs it
  rocksdb::WriteOptions write_options_;
  std::vector<TableSpec> tables_;

  // Constant after Open.
  std::atomic<bool> keep_deleted_{false};
  std::unique_ptr<StateFilter> filter_;
  rocks::OpenedDb opened_;
  std::vector<rocksdb::ColumnFamilyHandle*> families_;  // by table
  std::vector<TableMatcher::Match> matches_;            // by tag less one
  std::vector<uint64_t> tags_;                          // of values written now, by table

  rocksdb::WriteBatch batch_;
  absl::Status status_;
  std::string key_scratch_;
  std::string stored_scratch_;
  ByteWriter value_scratch_;
  ByteWriter resolve_scratch_;

  std::vector<std::unique_ptr<RocksBase>> old_bases_;
  // Where the fold of the last old base stands.
  uint32_t fold_table_ = 0;
  std::string fold_key_;

  std::map<std::string, StateFilePtr> kept_ssts_;  // of the last base, by file name; MakeBase's thread
};

// Compactions give way to tasks: when there are not processors enough a record is worth more than order on disk.
class GivesWay final : public rocksdb::EventListener {
 public:
  void OnCompactionBegin(rocksdb::DB*, const rocksdb::CompactionJobInfo&) override {
    constexpr int kNice = 5;
    thread_local bool lowered = false;
    if (!std::exchange(lowered, true)) setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), kNice);
  }
};

rocksdb::Options RocksTier::DbOptions() const {
  rocksdb::Options options(rocksdb::DBOptions(), FamilyOptions(rocksdb::kDefaultColumnFamilyName));
  options.create_if_missing = true;
  options.max_background_jobs = options_.max_background_jobs;
  options.atomic_flush = true;  // without a log the column families must be of one moment
  options.avoid_flush_during_shutdown = true;
  options.info_log_level = rocksdb::ERROR_LEVEL;
  options.listeners.push_back(std::make_shared<GivesWay>());
  options.keep_log_file_num = 1;
  options.write_buffer_manager = static_cast<SharedResources&>(*options_.resources).memtables;
  return options;
}

rocksdb::ColumnFamilyOptions RocksTier::FamilyOptions(const std::string& name) const {
  rocksdb::ColumnFamilyOptions family;
  family.write_buffer_size = static_cast<size_t>(options_.write_buffer_bytes);
  family.level_compaction_dynamic_level_bytes = options_.level_compaction_dynamic_level_bytes;
  family.max_write_buffer_number = options_.write_buffers_max;
  family.target_file_size_base = static_cast<uint64_t>(options_.target_file_bytes);
  family.compression = TypeOf(options_.compression);
  if (name != rocksdb::kDefaultColumnFamilyName) family.compaction_filter = filter_.get();
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = static_cast<SharedResources&>(*options_.resources).cache;
  if (options_.bloom_bits_per_key > 0) {
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(options_.bloom_bits_per_key));
  }
  table.block_size = static_cast<size_t>(options_.block_bytes);
  table.cache_index_and_filter_blocks = true;
  // In small pieces: the filter of a whole file may be larger than the cache, and would be read again for each key.
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.metadata_block_size = kMetadataBlockBytes;
  table.pin_top_level_index_and_filter = true;
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return family;
}

absl::Status RocksTier::Open(const std::vector<TableSpec>& tables, const std::vector<ChainPart>& bases) {
  tables_ = tables;
  std::error_code error;
  std::filesystem::remove_all(directory_, error);
  std::filesystem::create_directories(directory_, error);
  if (!error) std::filesystem::create_directories(files_directory_, error);
  if (error) return Internal("cannot make folder {} for keyed state: {}", directory_, error.message());
  filter_ = std::make_unique<StateFilter>(*options_.clock, keep_deleted_);
  if (bases.size() != 1) {
    keep_deleted_ = !bases.empty();
    PENSTOCK_RETURN_IF_ERROR(AdoptTables(nullptr));
    PENSTOCK_RETURN_IF_ERROR(OpenFamilies());
    for (const ChainPart& base : bases) {
      PENSTOCK_ASSIGN_OR_RETURN(
          std::unique_ptr<RocksBase> old,
          RocksBase::Open(base, fmt::format("{}/old-{}", options_.directory, old_bases_.size()), tables_,
                          options_.key_groups, options_.allow_non_restored, options_.clock->NowMs()));
      old_bases_.push_back(std::move(old));
    }
    return absl::OkStatus();
  }
  // One base: it becomes the database, by links.
  PENSTOCK_RETURN_IF_ERROR(rocks::Materialise(bases.front(), directory_));
  for (const ChainFile& file : bases.front().files) {
    if (file.path.size() > 4 && file.path.substr(file.path.size() - 4) == ".sst") kept_ssts_[file.path] = file.file;
  }
  SegmentHeader stored;
  {
    rocks::OpenedDb look;
    PENSTOCK_RETURN_IF_ERROR(rocks::OpenDb(
        directory_, DbOptions(), [this](const std::string& name) { return FamilyOptions(name); }, true, look));
    PENSTOCK_ASSIGN_OR_RETURN(stored, rocks::ReadTables(look, directory_));
  }
  PENSTOCK_RETURN_IF_ERROR(AdoptTables(&stored));
  PENSTOCK_RETURN_IF_ERROR(OpenFamilies());
  return DropForeignGroups(stored, bases.front().mask);
}

// Which schema each tag means: those the database has, then the program's where they differ.
absl::Status RocksTier::AdoptTables(const SegmentHeader* stored) {
  SegmentHeader header;
  header.kind = SegmentKind::kBase;
  header.key_groups = options_.key_groups;
  header.range = options_.range;
  if (stored != nullptr) header.tables = stored->tables;
  const size_t inherited = header.tables.size();
  std::vector<bool> has_current(tables_.size());
  tags_.assign(tables_.size(), 0);
  if (stored != nullptr) {
    PENSTOCK_ASSIGN_OR_RETURN(
        matches_, TableMatcher::MatchAll(*stored, tables_, options_.key_groups, directory_, options_.clock->NowMs()));
    if (!options_.allow_non_restored) PENSTOCK_RETURN_IF_ERROR(rocks::CheckAllKnown(*stored, matches_));
    for (size_t i = 0; i < inherited; ++i) {
      if (matches_[i].table < 0) header.tables[i] = TableSpec{};  // left behind; tags of others keep their meaning
      if (matches_[i].table >= 0 && matches_[i].same) tags_[matches_[i].table] = i + 1;
    }
  }
  for (size_t table = 0; table < tables_.size(); ++table) {
    if (tags_[table] != 0) continue;
    header.tables.push_back(tables_[table]);
    TableMatcher::Match match;
    match.table = static_cast<int>(table);
    match.was_expiring = tables_[table].expires;
    matches_.push_back(std::move(match));
    tags_[table] = header.tables.size();
  }
  std::vector<bool> expiring;
  for (const TableSpec& table : header.tables) expiring.push_back(table.expires);
  filter_->SetExpiring(std::move(expiring));
  PENSTOCK_RETURN_IF_ERROR(rocks::OpenDb(
      directory_, DbOptions(), [this](const std::string& name) { return FamilyOptions(name); }, false, opened_));
  const rocksdb::Status put = opened_.db->Put(write_options_, rocks::kTablesKey, header.Encode());
  return FromRocks(put, "write its list of tables", directory_);
}

absl::Status RocksTier::OpenFamilies() {
  for (const TableSpec& table : tables_) {
    rocksdb::ColumnFamilyHandle*& handle = opened_.families[FamilyName(table)];
    if (handle == nullptr) {
      const rocksdb::Status status =
          opened_.db->CreateColumnFamily(FamilyOptions(FamilyName(table)), FamilyName(table), &handle);
      PENSTOCK_RETURN_IF_ERROR(FromRocks(status, "make a column family", directory_));
    }
    families_.push_back(handle);
  }
  for (auto it = opened_.families.begin(); it != opened_.families.end();) {
    const bool ours = it->first == rocksdb::kDefaultColumnFamilyName ||
                      std::find(families_.begin(), families_.end(), it->second) != families_.end();
    if (ours) {
      ++it;
      continue;
    }
    const rocksdb::Status dropped = opened_.db->DropColumnFamily(it->second);
    opened_.db->DestroyColumnFamilyHandle(it->second);
    it = opened_.families.erase(it);
    PENSTOCK_RETURN_IF_ERROR(FromRocks(dropped, "drop state that is left behind", directory_));
  }
  return absl::OkStatus();
}

// What the old task owned and this one does not.
absl::Status RocksTier::DropForeignGroups(const SegmentHeader& stored, KeyGroupRange mask) {
  const auto drop = [&](uint32_t begin, uint32_t end) -> absl::Status {
    for (rocksdb::ColumnFamilyHandle* family : families_) {
      if (begin >= end) break;
      const rocksdb::Status status =
          opened_.db->DeleteRange(write_options_, family, FullKey(begin, {}), FullKey(end, {}));
      PENSTOCK_RETURN_IF_ERROR(FromRocks(status, "drop key groups", directory_));
    }
    return absl::OkStatus();
  };
  PENSTOCK_RETURN_IF_ERROR(drop(stored.range.begin, mask.begin));
  return drop(mask.end, stored.range.end);
}

absl::StatusOr<bool> RocksTier::Resolve(uint32_t table, std::string_view stored, std::string_view& value) {
  uint64_t tag = 0;
  value = stored;
  if (!rocks::TakeTag(value, tag) || tag > matches_.size()) {
    return DataLoss("keyed state in {}: a value of operator {} has no schema", directory_, tables_[table].Label());
  }
  if (tag == 0) return false;
  PENSTOCK_RETURN_IF_ERROR(ResolveValue(tables_[table], matches_[tag - 1], resolve_scratch_, value));
  return true;
}

RocksBase* RocksTier::OldBaseOf(uint32_t key_group) const {
  for (const auto& base : old_bases_) {
    if (key_group >= base->mask().begin && key_group < base->mask().end) return base.get();
  }
  return nullptr;
}

absl::StatusOr<bool> RocksTier::Get(uint32_t table, uint32_t key_group, std::string_view key, std::string* value) {
  PENSTOCK_RETURN_IF_ERROR(Flush());
  const std::string full = FullKey(key_group, key);
  rocksdb::PinnableSlice stored;
  std::string_view found;
  rocksdb::Status status = opened_.db->Get(rocksdb::ReadOptions(), families_[table], full, &stored);
  bool present = false;
  if (status.ok()) {
    PENSTOCK_ASSIGN_OR_RETURN(present, Resolve(table, {stored.data(), stored.size()}, found));
  } else if (!status.IsNotFound()) {
    return FromRocks(status, "read a value", directory_);
  } else if (RocksBase* base = OldBaseOf(key_group); base != nullptr && base->family(table) != nullptr) {
    status = base->db().Get(rocksdb::ReadOptions(), base->family(table), full, &stored);
    if (status.IsNotFound()) return false;
    PENSTOCK_RETURN_IF_ERROR(FromRocks(status, "read a value of an old base", directory_));
    PENSTOCK_ASSIGN_OR_RETURN(present, base->Resolve(tables_[table], {stored.data(), stored.size()}, found));
  }
  if (present) value->assign(found);
  return present;
}

void RocksTier::Put(uint32_t table, uint32_t key_group, std::string_view key, std::string_view value) {
  value_scratch_.Clear();
  value_scratch_.PutVarint(tags_[table]);
  value_scratch_.Put(value.data(), value.size());
  batch_.Put(families_[table], FullKey(key_group, key), rocksdb::Slice(value_scratch_.data(), value_scratch_.size()));
  if (batch_.GetDataSize() > kBatchBytesMax && status_.ok()) status_ = Flush();
}

void RocksTier::Delete(uint32_t table, uint32_t key_group, std::string_view key) {
  // Over an old base a deletion must be told from "not taken over yet".
  if (old_bases_.empty()) {
    batch_.Delete(families_[table], FullKey(key_group, key));
  } else {
    batch_.Put(families_[table], FullKey(key_group, key), rocksdb::Slice("\0", 1));
  }
}

absl::Status RocksTier::Flush() {
  PENSTOCK_RETURN_IF_ERROR(status_);
  if (batch_.Count() == 0) return absl::OkStatus();
  status_ = FromRocks(opened_.db->Write(write_options_, &batch_), "write", directory_);
  batch_.Clear();
  return status_;
}

absl::Status RocksTier::Scan(uint32_t table, uint32_t key_group, std::string_view prefix, const Visitor& visit) {
  const std::string begin = FullKey(key_group, prefix);
  const std::string end = AfterPrefix(begin);
  const rocksdb::Slice end_slice(end);
  rocksdb::ReadOptions read;
  if (!end.empty()) read.iterate_upper_bound = &end_slice;
  std::unique_ptr<rocksdb::Iterator> mine(opened_.db->NewIterator(read, families_[table]));
  mine->Seek(begin);
  RocksBase* base = OldBaseOf(key_group);
  std::unique_ptr<rocksdb::Iterator> old;
  if (base != nullptr && base->family(table) != nullptr) {
    old.reset(base->db().NewIterator(read, base->family(table)));
    old->Seek(begin);
  }
  while (mine->Valid() || (old != nullptr && old->Valid())) {
    const bool has_old = old != nullptr && old->Valid();
    const int order = !has_old ? -1 : !mine->Valid() ? 1 : mine->key().compare(old->key());
    rocksdb::Iterator& it = order <= 0 ? *mine : *old;
    std::string_view value;
    const std::string_view stored(it.value().data(), it.value().size());
    const absl::StatusOr<bool> present =
        order <= 0 ? Resolve(table, stored, value) : base->Resolve(tables_[table], stored, value);
    PENSTOCK_RETURN_IF_ERROR(present.status());
    if (*present && !visit({it.key().data() + 2, it.key().size() - 2}, value)) break;
    if (order == 0) old->Next();
    it.Next();
  }
  PENSTOCK_RETURN_IF_ERROR(FromRocks(mine->status(), "scan", directory_));
  return old == nullptr ? absl::OkStatus() : FromRocks(old->status(), "scan an old base", directory_);
}

absl::StatusOr<std::vector<int64_t>> RocksTier::Namespaces(uint32_t table, uint32_t key_group) {
  std::vector<int64_t> namespaces;
  PENSTOCK_RETURN_IF_ERROR(Flush());
  const std::string begin = FullKey(key_group, {});
  const std::string end = AfterPrefix(begin);
  const rocksdb::Slice end_slice(end);
  rocksdb::ReadOptions read;
  if (!end.empty()) read.iterate_upper_bound = &end_slice;
  const auto collect = [&](rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family) -> absl::Status {
    // Skips from namespace to namespace: the first key of each is enough. Some may turn out to be empty.
    std::unique_ptr<rocksdb::Iterator> it(db.NewIterator(read, family));
    for (it->Seek(begin); it->Valid();) {
      std::string_view key(it->key().data() + 2, it->key().size() - 2);
      int64_t ns = 0;
      if (!GetNamespace(key, ns)) return DataLoss("keyed state in {}: a key without its namespace", directory_);
      namespaces.push_back(ns);
      if (ns == INT64_MAX) break;
      ByteWriter next;
      PutNamespace(ns + 1, next);
      it->Seek(FullKey(key_group, next.view()));
    }
    return FromRocks(it->status(), "look for windows", directory_);
  };
  PENSTOCK_RETURN_IF_ERROR(collect(*opened_.db, families_[table]));
  if (RocksBase* base = OldBaseOf(key_group); base != nullptr && base->family(table) != nullptr) {
    PENSTOCK_RETURN_IF_ERROR(collect(base->db(), base->family(table)));
  }
  return namespaces;
}

absl::StatusOr<bool> RocksTier::FoldOldBases(int entries_max) {
  PENSTOCK_RETURN_IF_ERROR(Flush());
  while (!old_bases_.empty() && entries_max > 0) {
    RocksBase& base = *old_bases_.back();
    if (fold_table_ == tables_.size()) {
      old_bases_.pop_back();
      fold_table_ = 0;
      continue;
    }
    if (base.family(fold_table_) == nullptr) {
      ++fold_table_;
      continue;
    }
    const std::string end = FullKey(base.mask().end, {});
    if (fold_key_.empty()) fold_key_ = FullKey(base.mask().begin, {});
    std::unique_ptr<rocksdb::Iterator> it(base.db().NewIterator(rocksdb::ReadOptions(), base.family(fold_table_)));
    it->Seek(fold_key_);
    for (; it->Valid() && it->key().compare(end) < 0 && entries_max > 0; it->Next(), --entries_max) {
      rocksdb::PinnableSlice here;
      const rocksdb::Status status = opened_.db->Get(rocksdb::ReadOptions(), families_[fold_table_], it->key(), &here);
      if (status.ok()) continue;  // newer
      if (!status.IsNotFound()) return FromRocks(status, "read a value", directory_);
      std::string_view value;
      PENSTOCK_ASSIGN_OR_RETURN(const bool present,
                                base.Resolve(tables_[fold_table_], {it->value().data(), it->value().size()}, value));
      if (!present) continue;
      value_scratch_.Clear();
      value_scratch_.PutVarint(tags_[fold_table_]);
      value_scratch_.Put(value.data(), value.size());
      batch_.Put(families_[fold_table_], it->key(), rocksdb::Slice(value_scratch_.data(), value_scratch_.size()));
    }
    PENSTOCK_RETURN_IF_ERROR(FromRocks(it->status(), "scan an old base", directory_));
    if (it->Valid() && it->key().compare(end) < 0) {
      fold_key_ = it->key().ToString();
    } else {
      fold_key_.clear();
      ++fold_table_;
    }
    it.reset();
    PENSTOCK_RETURN_IF_ERROR(Flush());
  }
  keep_deleted_ = !old_bases_.empty();
  return !old_bases_.empty();
}

absl::StatusOr<StateFilePtr> RocksTier::KeepFile(const std::string& from, const std::string& name) {
  const std::string kept = files_directory_ + "/" + name;
  if (rename(from.c_str(), kept.c_str()) != 0) {
    return Internal("cannot move {} to {}: {}", from, kept, std::strerror(errno));
  }
  return OpenLocalStateFile(name, kept, true);
}

absl::StatusOr<ChainPart> RocksTier::MakeBase(uint64_t id, const std::string& name_prefix) {
  const std::string directory = options_.directory + "/cut";
  std::error_code error;
  std::filesystem::remove_all(directory, error);
  rocksdb::Checkpoint* made = nullptr;
  PENSTOCK_RETURN_IF_ERROR(FromRocks(rocksdb::Checkpoint::Create(opened_.db.get(), &made), "cut a base", directory_));
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  PENSTOCK_RETURN_IF_ERROR(FromRocks(checkpoint->CreateCheckpoint(directory, 0), "cut a base", directory_));
  ChainPart base;
  base.kind = PartKind::kRocksdbBase;
  base.id = id;
  base.mask = options_.range;
  std::map<std::string, StateFilePtr> ssts;
  for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
    const std::string file = entry.path().filename().string();
    const bool is_sst = entry.path().extension() == ".sst";
    const auto known = kept_ssts_.find(file);
    StateFilePtr kept = known != kept_ssts_.end() ? known->second : nullptr;
    if (kept == nullptr) {
      const std::string name =
          is_sst ? fmt::format("{}-{}", options_.file_prefix, file) : fmt::format("{}-{}", name_prefix, file);
      PENSTOCK_ASSIGN_OR_RETURN(kept, KeepFile(entry.path().string(), name));
    }
    if (is_sst) ssts[file] = kept;
    base.files.push_back({std::move(kept), file});
  }
  if (error) return Internal("cannot read folder {}: {}", directory, error.message());
  std::filesystem::remove_all(directory, error);
  kept_ssts_ = std::move(ssts);
  return base;
}

ColdFigures RocksTier::ReadFigures() const {
  ColdFigures figures;
  figures.unfolded_bases = static_cast<int64_t>(old_bases_.size());
  for (rocksdb::ColumnFamilyHandle* family : families_) {
    uint64_t value = 0;
    if (opened_.db->GetIntProperty(family, rocksdb::DB::Properties::kTotalSstFilesSize, &value)) {
      figures.disk_bytes += static_cast<int64_t>(value);
    }
    if (opened_.db->GetIntProperty(family, rocksdb::DB::Properties::kCurSizeAllMemTables, &value)) {
      figures.memtable_bytes += static_cast<int64_t>(value);
    }
  }
  return figures;
}

}  // namespace

std::shared_ptr<RocksResources> MakeRocksResources(int64_t cache_bytes, int64_t memtable_bytes) {
  return std::make_shared<SharedResources>(cache_bytes, memtable_bytes);
}

std::unique_ptr<ColdTier> MakeRocksTier(RocksOptions options) {
  return std::make_unique<RocksTier>(std::move(options));
}

}  // namespace penstock
