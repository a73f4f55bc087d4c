// PostgreSQL as a sink: records become rows of a table.
//
//   totals.sink("totals", postgres::Sink<Total>{.connection = "host=db dbname=shop user=job
//   password=${env:DB_PASSWORD}",
//                                               .table = "totals",
//                                               .columns = {{"customer", &Total::customer}, {"cents", &Total::cents}},
//                                               .key = {"customer"}})
#ifndef PENSTOCK_CONNECTORS_POSTGRES_H_
#define PENSTOCK_CONNECTORS_POSTGRES_H_

#include <fmt/format.h>

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "penstock/connectors/batching.h"
#include "runtime/record/bytes.h"
#include "runtime/task/sink.h"

namespace penstock::postgres {

// A column's value as PostgreSQL reads it from text; nullopt: NULL.
using Value = std::optional<std::string>;

// Epoch milliseconds as text for a timestamptz column.
std::string TimestampText(int64_t epoch_ms);

namespace detail {

template <class V>
Value ToValue(const V& value) {
  if constexpr (requires { value.has_value(); }) {
    return value.has_value() ? ToValue(*value) : std::nullopt;
  } else if constexpr (std::same_as<V, bool>) {
    return value ? "true" : "false";
  } else if constexpr (std::same_as<V, Bytes>) {
    return value.str();
  } else if constexpr (std::is_arithmetic_v<V>) {
    return fmt::format("{}", value);
  } else {
    return std::string(value);
  }
}

struct Row {
  std::vector<Value> values;  // of all columns, or of the key's of a row that is to go
  bool deleted = false;
};

// What does not depend on the type of the records.
struct Table {
  std::string connection;
  std::string schema;
  std::string table;
  std::vector<std::string> columns;
  std::vector<std::string> key;
  Batching batching;
  Retrying retrying;
};
absl::Status Validate(const Table& table, bool has_deletes);
std::unique_ptr<SinkWriter<Row>> MakeWriter(const Table& table);

}  // namespace detail

// value: a member pointer or a callable on const T& that gives a number, bool, text, or an optional of those.
template <class T>
struct Column {
  template <class F>
  requires std::invocable<F, const T&> Column(std::string name, F of)
      : name(std::move(name)), value([of](const T& record) -> Value {
          return detail::ToValue<std::remove_cvref_t<std::invoke_result_t<F, const T&>>>(std::invoke(of, record));
        }) {}

  std::string name;
  std::function<Value(const T&)> value;
};

// At least once: rows are written in transactions of a batch each, and a checkpoint waits until all are committed.
//
// With `key`, the columns of the primary key or of another unique index, a row replaces the one of its key (INSERT ...
// ON CONFLICT DO UPDATE), so that writing it again after a failure changes nothing: what is in the table in the end is
// as if each had been written once, as long as records of a key reach the sink in their order: key the stream by it.
// Without, rows are inserted, and after a failure some are there twice.
//
// A connection that breaks, a server that starts or stops, deadlocks and lack of resources are tried again
// (.retrying); other errors, such as a value that a column does not take, fail the task.
template <class T>
struct Sink {
  std::string connection;  // libpq's "host=... dbname=..." or postgresql://...; may hold ${env:NAME} and ${file:/path}
  std::string schema;      // empty: by search_path
  std::string table;
  std::vector<Column<T>> columns;
  std::vector<std::string> key;
  std::function<bool(const T&)> deletes;  // true: the row of the record's key is deleted. May be empty
  Batching batching;
  Retrying retrying;

  absl::Status Validate() const { return detail::Validate(Untyped(), static_cast<bool>(deletes)); }
  std::string Describe() const {
    return fmt::format("postgres table {}{}", table,
                       key.empty() ? "" : fmt::format(", upserts by {}", fmt::join(key, ", ")));
  }
  Delivery DeliveryGuarantee() const { return Delivery::at_least_once; }
  template <class U>
  requires std::same_as<T, U> std::unique_ptr<SinkWriter<U>> CreateWriter()
  const { return std::make_unique<Writer>(*this); }

 private:
  detail::Table Untyped() const {
    detail::Table untyped{connection, schema, table, {}, key, batching, retrying};
    for (const Column<T>& column : columns) untyped.columns.push_back(column.name);
    return untyped;
  }

  class Writer final : public SinkWriter<T> {
   public:
    explicit Writer(const Sink& sink) : deletes_(sink.deletes), writer_(detail::MakeWriter(sink.Untyped())) {
      for (const Column<T>& column : sink.columns) all_.push_back(column.value);
      for (const std::string& name : sink.key) {
        for (const Column<T>& column : sink.columns) {
          if (column.name == name) of_key_.push_back(column.value);
        }
      }
    }
    absl::Status Open(Context& context) override { return writer_->Open(context); }
    absl::Status Write(const T& record, TimestampMs timestamp) override {
      detail::Row row{.deleted = deletes_ && deletes_(record)};
      for (const auto& value : row.deleted ? of_key_ : all_) row.values.push_back(value(record));
      return writer_->Write(row, timestamp);
    }
    absl::Status Tick() override { return writer_->Tick(); }
    absl::Status Flush() override { return writer_->Flush(); }
    void Close() override { writer_->Close(); }

   private:
    const std::function<bool(const T&)> deletes_;
    std::vector<std::function<Value(const T&)>> all_;
    std::vector<std::function<Value(const T&)>> of_key_;
    const std::unique_ptr<SinkWriter<detail::Row>> writer_;
  };
};

}  // namespace penstock::postgres

#endif  // PENSTOCK_CONNECTORS_POSTGRES_H_
