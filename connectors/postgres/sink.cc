// The PostgreSQL sink: its statements, and what makes transactions of batches.
#include <algorithm>
#include <ctime>
#include <set>
#include <string_view>

#include "connectors/batching/batch_writer.h"
#include "connectors/postgres/connection.h"
#include "penstock/connectors/postgres.h"
#include "runtime/core/secret.h"
#include "runtime/core/status.h"

namespace penstock::postgres {
namespace {

constexpr size_t kRowOverheadBytes = 16;
constexpr size_t kColumnsMax = 1600;  // PostgreSQL's own limit

std::string Quoted(const std::string& name) {
  std::string quoted = "\"";
  for (const char c : name) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

std::string Target(const detail::Table& table) {
  return table.schema.empty() ? Quoted(table.table) : Quoted(table.schema) + "." + Quoted(table.table);
}

std::string WriteStatement(const detail::Table& table) {
  std::string columns, values, key, updates;
  for (size_t i = 0; i < table.columns.size(); ++i) {
    const std::string name = Quoted(table.columns[i]);
    columns += (i == 0 ? "" : ", ") + name;
    values += fmt::format("{}${}", i == 0 ? "" : ", ", i + 1);
    if (std::count(table.key.begin(), table.key.end(), table.columns[i]) > 0) continue;
    updates += fmt::format("{}{} = EXCLUDED.{}", updates.empty() ? "" : ", ", name, name);
  }
  std::string sql = fmt::format("INSERT INTO {} ({}) VALUES ({})", Target(table), columns, values);
  if (table.key.empty()) return sql;
  for (const std::string& name : table.key) key += (key.empty() ? "" : ", ") + Quoted(name);
  return sql + fmt::format(" ON CONFLICT ({}) DO {}", key, updates.empty() ? "NOTHING" : "UPDATE SET " + updates);
}

std::string RemoveStatement(const detail::Table& table) {
  if (table.key.empty()) return "";
  std::string condition;
  for (size_t i = 0; i < table.key.size(); ++i) {
    condition += fmt::format("{}{} = ${}", i == 0 ? "" : " AND ", Quoted(table.key[i]), i + 1);
  }
  return fmt::format("DELETE FROM {} WHERE {}", Target(table), condition);
}

struct Rows {
  std::vector<detail::Row> rows;
  size_t value_bytes = 0;
  size_t records() const { return rows.size(); }
  size_t bytes() const { return value_bytes; }
};

class RowTarget final : public BatchTarget<detail::Row, Rows> {
 public:
  explicit RowTarget(const detail::Table& table)
      : table_(table), statements_{.write = WriteStatement(table), .remove = RemoveStatement(table)} {}

  absl::Status Open(Context&) override {
    PENSTOCK_ASSIGN_OR_RETURN(connection_text_, ResolveSecrets(table_.connection));
    return absl::OkStatus();
  }

  absl::Status Append(const detail::Row& row, TimestampMs, Rows& batch) override {
    for (size_t i = 0; i < row.values.size(); ++i) {
      const Value& value = row.values[i];
      if (value && value->find('\0') != std::string::npos) {
        return InvalidArgument(
            "postgres sink: table {}: a value of column '{}' has a zero byte, which text cannot hold", table_.table,
            row.deleted ? table_.key[i] : table_.columns[i]);
      }
      batch.value_bytes += kRowOverheadBytes + (value ? value->size() : 0);
    }
    batch.rows.push_back(row);
    return absl::OkStatus();
  }

  TryResult Try(int, const Rows& batch, const StopRequest& stop) override {
    if (!connection_.open()) {
      TryResult opened = connection_.Open(connection_text_, statements_, stop);
      if (!opened.status.ok()) return opened;
    }
    return connection_.Write(batch.rows, stop);
  }

 private:
  const detail::Table table_;
  const Statements statements_;
  std::string connection_text_;
  Connection connection_;  // the lane's
};

}  // namespace

std::string TimestampText(int64_t epoch_ms) {
  const int64_t ms = (epoch_ms % 1000 + 1000) % 1000;
  const auto seconds = static_cast<time_t>((epoch_ms - ms) / 1000);
  tm utc = {};
  gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:03}+00", utc.tm_year + 1900, utc.tm_mon + 1, utc.tm_mday,
                     utc.tm_hour, utc.tm_min, utc.tm_sec, ms);
}

namespace detail {

absl::Status Validate(const Table& table, bool has_deletes) {
  std::string problems = ProblemsOf(table.batching, table.retrying);
  const auto require = [&](bool holds, const std::string& text) {
    if (!holds) problems += (problems.empty() ? "" : "; ") + text;
  };
  const std::set<std::string> names(table.columns.begin(), table.columns.end());
  const auto has_zero = [](const std::string& name) { return name.empty() || name.find('\0') != std::string::npos; };
  require(!table.connection.empty(), ".connection is empty");
  if (absl::Status references = CheckSecretReferences(table.connection); !references.ok()) {
    require(false, ".connection has " + MessageOf(references));
  }
  require(!has_zero(table.table), ".table is empty");
  require(!table.columns.empty(), ".columns is empty");
  require(table.columns.size() <= kColumnsMax, fmt::format(".columns has more than {}", kColumnsMax));
  require(std::none_of(names.begin(), names.end(), has_zero), ".columns has a name that is empty");
  require(names.size() == table.columns.size(), ".columns has a name twice");
  for (const std::string& name : table.key) {
    require(names.contains(name), fmt::format(".key: '{}' is none of .columns", name));
  }
  require(!has_deletes || !table.key.empty(), ".deletes needs .key: which row is to go");
  return problems.empty() ? absl::OkStatus() : InvalidArgument("postgres sink: {}", problems);
}

std::unique_ptr<SinkWriter<Row>> MakeWriter(const Table& table) {
  // One lane: rows of a key must not overtake each other.
  return std::make_unique<BatchWriter<Row, Rows>>(std::make_unique<RowTarget>(table), "postgres table " + table.table,
                                                  1, table.batching, table.retrying);
}

}  // namespace detail
}  // namespace penstock::postgres
