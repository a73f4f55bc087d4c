#include "runtime/state/summary.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>
#include <utility>

#include "runtime/core/status.h"
#include "runtime/state/rocks_base.h"

namespace penstock {
namespace {

constexpr uint32_t kGroupsAtATime = 16;

using TableName = std::pair<std::string, std::string>;     // uid, name
using Keys = std::map<std::string, int64_t, std::less<>>;  // key -> bytes of its value

class Counter {
 public:
  Counter(const KeyedSnapshot& snapshot, int64_t now_ms) : snapshot_(snapshot), now_ms_(now_ms) {}

  absl::Status Open(const std::string& directory) {
    for (const ChainPart& part : snapshot_.parts) {
      Source& source = sources_.emplace_back();
      source.mask = part.mask;
      if (part.kind == PartKind::kRocksdbBase) {
        PENSTOCK_RETURN_IF_ERROR(OpenRocks(part, fmt::format("{}/base-{}", directory, sources_.size()), source));
      } else {
        PENSTOCK_ASSIGN_OR_RETURN(source.reader, SegmentReader::Open(part.files.front().file));
        source.tables = source.reader->header().tables;
      }
      for (const TableSpec& table : source.tables) Describe(table);
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::vector<TableSummary>> Count() {
    for (uint32_t begin = snapshot_.range.begin; begin < snapshot_.range.end; begin += kGroupsAtATime) {
      const KeyGroupRange groups{begin, std::min(begin + kGroupsAtATime, snapshot_.range.end)};
      live_.clear();
      for (Source& source : sources_) PENSTOCK_RETURN_IF_ERROR(Read(source, groups));
      for (const auto& [at, keys] : live_) {
        TableSummary& summary = summaries_.at(at.first);
        for (const auto& [key, value_bytes] : keys) {
          ++summary.keys;
          summary.key_bytes += static_cast<int64_t>(key.size());
          summary.value_bytes += value_bytes;
        }
      }
    }
    std::vector<TableSummary> summaries;
    for (auto& [name, summary] : summaries_) summaries.push_back(std::move(summary));
    return summaries;
  }

 private:
  struct Source {
    KeyGroupRange mask;
    std::vector<TableSpec> tables;
    std::unique_ptr<SegmentReader> reader;
    std::unique_ptr<rocks::OpenedDb> rocks;
  };

  static absl::Status OpenRocks(const ChainPart& part, const std::string& directory, Source& source) {
    PENSTOCK_RETURN_IF_ERROR(rocks::Materialise(part, directory));
    source.rocks = std::make_unique<rocks::OpenedDb>();
    rocksdb::Options options;
    options.info_log_level = rocksdb::ERROR_LEVEL;
    PENSTOCK_RETURN_IF_ERROR(rocks::OpenDb(
        directory, options, [](const std::string&) { return rocksdb::ColumnFamilyOptions(); }, true, *source.rocks));
    PENSTOCK_ASSIGN_OR_RETURN(const SegmentHeader header, rocks::ReadTables(*source.rocks, directory));
    source.tables = header.tables;
    return absl::OkStatus();
  }

  void Describe(const TableSpec& table) {
    TableSummary& summary = summaries_[{table.uid, table.name}];
    summary.uid = table.uid;
    summary.name = table.name;
    summary.kind = table.kind;
    summary.key = table.key.ToText();
    summary.value = table.value.ToText();
  }

  absl::Status Read(Source& source, KeyGroupRange groups) {
    groups.begin = std::max(groups.begin, source.mask.begin);
    groups.end = std::min(groups.end, source.mask.end);
    if (groups.begin >= groups.end) return absl::OkStatus();
    if (source.rocks != nullptr) return ReadRocks(source, groups);
    return source.reader->ReadGroups(groups, [&](const StateEntry& entry) {
      const TableSpec& table = source.tables[entry.table];
      Keys& keys = live_[{{table.uid, table.name}, entry.key_group}];
      if (entry.op == EntryOp::kPut) {
        Put(table, keys, entry.key, entry.value);
      } else if (entry.op == EntryOp::kDelete) {
        if (const auto at = keys.find(entry.key); at != keys.end()) keys.erase(at);
      } else {
        auto at = keys.lower_bound(entry.key);
        while (at != keys.end() && at->first.starts_with(entry.key)) at = keys.erase(at);
      }
      return absl::OkStatus();
    });
  }

  absl::Status ReadRocks(Source& source, KeyGroupRange groups) {
    for (const TableSpec& table : source.tables) {
      const auto family = source.rocks->families.find(rocks::FamilyName(table));
      if (family == source.rocks->families.end()) continue;
      const std::unique_ptr<rocksdb::Iterator> at(
          source.rocks->db->NewIterator(rocksdb::ReadOptions(), family->second));
      for (uint32_t group = groups.begin; group < groups.end; ++group) {
        const std::string prefix = rocks::FullKey(group, "");
        Keys& keys = live_[{{table.uid, table.name}, group}];
        for (at->Seek(prefix); at->Valid() && at->key().starts_with(prefix); at->Next()) {
          const std::string_view key(at->key().data() + prefix.size(), at->key().size() - prefix.size());
          std::string_view value(at->value().data(), at->value().size());
          uint64_t tag = 0;
          if (!rocks::TakeTag(value, tag)) return DataLoss("a value of operator {} has no tag", table.Label());
          if (tag != 0) {
            Put(table, keys, key, value);
          } else if (const auto old = keys.find(key); old != keys.end()) {
            keys.erase(old);
          }
        }
        PENSTOCK_RETURN_IF_ERROR(rocks::FromRocks(at->status(), "read it", table.Label()));
      }
    }
    return absl::OkStatus();
  }

  void Put(const TableSpec& table, Keys& keys, std::string_view key, std::string_view value) const {
    if (table.expires && IsExpired(value, now_ms_)) {
      if (const auto at = keys.find(key); at != keys.end()) keys.erase(at);
      return;
    }
    keys.insert_or_assign(std::string(key), static_cast<int64_t>(value.size()));
  }

  const KeyedSnapshot& snapshot_;
  const int64_t now_ms_;
  std::vector<Source> sources_;  // later wins
  std::map<TableName, TableSummary> summaries_;
  std::map<std::pair<TableName, uint32_t>, Keys> live_;  // of the key groups at hand
};

}  // namespace

absl::StatusOr<std::vector<TableSummary>> SummariseSnapshot(const KeyedSnapshot& snapshot, const std::string& directory,
                                                            int64_t now_ms) {
  absl::StatusOr<std::vector<TableSummary>> summaries;
  {
    Counter counter(snapshot, now_ms);
    const absl::Status opened = counter.Open(directory);
    summaries = opened.ok() ? counter.Count() : opened;
  }
  std::error_code ignored;
  std::filesystem::remove_all(directory, ignored);
  return summaries;
}

}  // namespace penstock
