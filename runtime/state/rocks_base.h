// RocksBase: a base of some task, opened for reading; and what it shares with the running database: statuses, keys,
// schemas of values. Included by the RocksDB files of this folder only.
//
// Owner: one thread. Its directory is removed with it.
#ifndef PENSTOCK_RUNTIME_STATE_ROCKS_BASE_H_
#define PENSTOCK_RUNTIME_STATE_ROCKS_BASE_H_

#include <rocksdb/db.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/state/chain.h"

namespace penstock::rocks {

inline constexpr char kTablesKey[] = "tables";

absl::Status FromRocks(const rocksdb::Status& status, const std::string& what, const std::string& directory);
// Big-endian key group, then the key.
std::string FullKey(uint32_t key_group, std::string_view key);
inline std::string FamilyName(const TableSpec& table) { return table.uid + "\x1f" + table.name; }
// Below every key that begins with the prefix, in order of bytes; empty: there is none.
std::string AfterPrefix(std::string prefix);

// Puts the files of a base into a directory, by link where they lie on this machine.
absl::Status Materialise(const ChainPart& base, const std::string& directory);

using Families = std::map<std::string, rocksdb::ColumnFamilyHandle*>;

// The database in a directory with all its column families.
struct OpenedDb {
  ~OpenedDb();
  std::unique_ptr<rocksdb::DB> db;
  Families families;
};
absl::Status OpenDb(const std::string& directory, const rocksdb::Options& options,
                    const std::function<rocksdb::ColumnFamilyOptions(const std::string& family)>& family_options,
                    bool read_only, OpenedDb& opened);

// The list of tables a database was written with.
absl::StatusOr<SegmentHeader> ReadTables(OpenedDb& opened, const std::string& directory);

// Takes the schema tag off a value: 0 is "deleted here".
bool TakeTag(std::string_view& value, uint64_t& tag);

class RocksBase {
 public:
  static absl::StatusOr<std::unique_ptr<RocksBase>> Open(const ChainPart& base, const std::string& directory,
                                                         const std::vector<TableSpec>& tables, uint32_t key_groups,
                                                         bool allow_non_restored, int64_t now_ms);
  ~RocksBase();

  KeyGroupRange mask() const { return mask_; }
  // Null: it has nothing of this table.
  rocksdb::ColumnFamilyHandle* family(uint32_t table) const { return families_[table]; }
  rocksdb::DB& db() const { return *opened_.db; }
  // The value in the current encoding of the table; false: deleted.
  absl::StatusOr<bool> Resolve(const TableSpec& table, std::string_view stored, std::string_view& value);

 private:
  RocksBase() = default;
  std::string directory_;
  OpenedDb opened_;
  KeyGroupRange mask_;
  std::vector<rocksdb::ColumnFamilyHandle*> families_;  // by table of the program
  std::vector<TableMatcher::Match> matches_;            // by table of the base
  ByteWriter scratch_;
};

// InvalidArgument for a table of the header that the program has not.
absl::Status CheckAllKnown(const SegmentHeader& header, const std::vector<TableMatcher::Match>& matches);

}  // namespace penstock::rocks

#endif  // PENSTOCK_RUNTIME_STATE_ROCKS_BASE_H_
