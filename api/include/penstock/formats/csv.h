// CSV (RFC 4180) into plain structs and out of them: one record of the text per record of the stream.
//
//   lines.flat_map(csv::parse<Trade>())                                         // columns in the members' order
//   lines.flat_map(csv::parse<Trade>({.columns = {"id", "price", "note"}, .skip_header = true}))
//   trades.map(csv::write<Trade>({.delimiter = ';'}))                           // → std::string without a line end
//
// Members: booleans (true, false, 1, 0), numbers, durations, strings, enumerations by name, and optionals of these: an
// empty field that is not quoted is none. Errors name column, member and byte. Strict: a quote inside of a field that
// does not begin with one, text behind a closing quote and a line break outside of quotes are refused.
#ifndef PENSTOCK_FORMATS_CSV_H_
#define PENSTOCK_FORMATS_CSV_H_

#include <penstock/formats/payload.h>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/record/shape.h"

namespace penstock::csv {

struct Options {
  char delimiter = ',';
  char quote = '"';
  std::vector<std::string> columns;      // their names in the text's order; empty: the members'
  bool skip_header = false;              // records that say the columns' names; wherever they stand
  bool refuse_unknown_columns = false;   // that no member has the name of; else they are ignored
  bool default_missing_columns = false;  // members without a column keep what T{} gives them; optionals always may
};

// Reads records of one shape. One thread; keeps its memory between records.
class Reader {
 public:
  Reader(const Shape& shape, Options options);

  absl::Status Validate() const { return valid_; }
  // False: it is a header. object: freshly made, of the shape's type; on an error it is left half filled.
  absl::StatusOr<bool> Read(std::string_view text, void* object);

 private:
  struct Field {
    std::string_view text;
    size_t at = 0;  // offset in the record
    bool quoted = false;
  };

  absl::Status Plan();
  absl::Status Split(std::string_view text);
  absl::StatusOr<size_t> TakeQuoted(std::string_view text, size_t at, Field* field);
  bool IsHeader() const;
  absl::Status Fill(const Field& field, size_t column, void* object) const;

  const Shape& shape_;
  const Options options_;
  std::vector<std::string> columns_;
  std::vector<const ShapeMember*> targets_;  // by column; null: ignored
  absl::Status valid_;
  std::vector<Field> fields_;  // of the record in hand
  std::vector<std::string> unquoted_;
  size_t unquoted_count_ = 0;
};

// Appends the object's members, without a line end. options.columns picks and orders them.
class Appender {
 public:
  Appender(const Shape& shape, Options options);

  absl::Status Validate() const { return valid_; }
  void Append(const void* object, std::string& out) const;
  std::string header() const;

 private:
  const Options options_;
  std::vector<const ShapeMember*> members_;
  absl::Status valid_;
};

template <class T>
class Parser {
 public:
  explicit Parser(Options options = {}) : reader_(ShapeOf<T>(), std::move(options)) {}

  absl::Status Validate() const { return reader_.Validate(); }

  // nullopt: a header.
  template <Payload P>
  absl::StatusOr<std::optional<T>> operator()(const P& payload) {
    const std::optional<std::string_view> text = PayloadOf(payload);
    if (!text) return NoValue();
    absl::StatusOr<std::optional<T>> result{T{}};
    const absl::StatusOr<bool> read = reader_.Read(*text, &**result);
    if (!read.ok()) return read.status();
    if (!*read) result->reset();
    return result;
  }

 private:
  Reader reader_;
};

template <class T>
Parser<T> parse(Options options = {}) {
  return Parser<T>(std::move(options));
}

template <class T>
class Writer {
 public:
  explicit Writer(Options options = {}) : appender_(ShapeOf<T>(), std::move(options)) {}

  absl::Status Validate() const { return appender_.Validate(); }
  std::string header() const { return appender_.header(); }
  std::string operator()(const T& value) const {
    std::string text;
    appender_.Append(&value, text);
    return text;
  }

 private:
  Appender appender_;
};

template <class T>
Writer<T> write(Options options = {}) {
  return Writer<T>(std::move(options));
}

}  // namespace penstock::csv

#endif  // PENSTOCK_FORMATS_CSV_H_
