// The PostgreSQL sink against a real server.
#include <libpq-fe.h>

#include <cmath>
#include <cstdlib>

#include "connectors/postgres/connection.h"
#include "penstock/testing/connector_conformance.h"
#include "tests/support/database_fixture.h"
#include "tests/support/require_ok.h"

namespace penstock::postgres {
namespace {

using testing::DatabaseFixture;
using testing::FakeContext;
using Values = std::vector<std::string>;

std::string ConnectionText(const std::string& password = "${env:PENSTOCK_PG_PASSWORD}") {
  setenv("PENSTOCK_PG_PASSWORD", DatabaseFixture::kPassword, 1);
  return fmt::format("host=127.0.0.1 port={} user={} dbname=postgres password={}", DatabaseFixture::Postgres().port(),
                     DatabaseFixture::kName, password);
}

// A connection of the test's own.
class Client {
 public:
  Client() : connection_(PQconnectdb(ConnectionText(DatabaseFixture::kPassword).c_str())) {
    INFO(PQerrorMessage(connection_));
    REQUIRE(PQstatus(connection_) == CONNECTION_OK);
  }
  ~Client() { PQfinish(connection_); }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // The rows, columns joined by '|', NULL as "null".
  Values Query(const std::string& sql) {
    PGresult* const result = PQexec(connection_, sql.c_str());
    INFO(sql << ": " << PQresultErrorMessage(result));
    REQUIRE((PQresultStatus(result) == PGRES_TUPLES_OK || PQresultStatus(result) == PGRES_COMMAND_OK));
    Values rows;
    for (int row = 0; row < PQntuples(result); ++row) {
      std::string text;
      for (int column = 0; column < PQnfields(result); ++column) {
        text += column == 0 ? "" : "|";
        text += PQgetisnull(result, row, column) != 0 ? "null" : PQgetvalue(result, row, column);
      }
      rows.push_back(text);
    }
    PQclear(result);
    return rows;
  }

 private:
  PGconn* const connection_;
};

struct Total {
  std::string customer;
  int64_t cents = 0;
  std::optional<double> share;
  bool gone = false;
};

// A sink into a table that has just been made.
Sink<Total> NewTable(Client& client, const std::string& stem, const std::string& more = "") {
  const std::string table = DatabaseFixture::Postgres().NewName(stem);
  client.Query(fmt::format(
      "CREATE TABLE {} (customer text PRIMARY KEY, cents bigint NOT NULL, share double precision {})", table, more));
  return {.connection = ConnectionText(),
          .table = table,
          .columns = {{"customer", &Total::customer}, {"cents", &Total::cents}, {"share", &Total::share}},
          .key = {"customer"},
          .deletes = [](const Total& total) { return total.gone; },
          .retrying = {.first = std::chrono::milliseconds(5), .longest = std::chrono::milliseconds(50)}};
}

absl::Status Write(const Sink<Total>& sink, const std::vector<Total>& totals) {
  FakeContext context;
  PENSTOCK_RETURN_IF_ERROR(sink.Validate());
  const auto writer = sink.CreateWriter<Total>();
  PENSTOCK_RETURN_IF_ERROR(writer->Open(context));
  for (const Total& total : totals) PENSTOCK_RETURN_IF_ERROR(writer->Write(total, kNoTimestamp));
  return writer->Flush();
}

TEST_CASE("the postgres sink conforms", "[postgres]") {
  Client client;
  Sink<Total> sink = NewTable(client, "conforming");
  const bool upserts = GENERATE(true, false);
  if (!upserts) {
    client.Query("ALTER TABLE " + sink.table + " DROP CONSTRAINT " + sink.table + "_pkey");
    sink.key.clear();
    sink.deletes = nullptr;
  }
  sink.batching.records_max = 7;
  Client stalling;
  REQUIRE_OK(testing::CheckSink<Total>({
      .make = [&] { return sink.CreateWriter<Total>(); },
      .read = [&] { return client.Query("SELECT customer, cents FROM " + sink.table); },
      .record =
          [](int i) {
            return Total{"c" + std::to_string(i), i};
          },
      .shown = [](int i) { return fmt::format("c{}|{}", i, i); },
      .idempotent = upserts,
      .stall =
          [&](bool stalled) {
            stalling.Query(stalled ? "BEGIN; LOCK TABLE " + sink.table + " IN EXCLUSIVE MODE" : "ROLLBACK");
          },
      .stalled_records_max = 7 * 2,
  }));
}

TEST_CASE("rows replace the one of their key, in order, within a batch and over batches", "[postgres]") {
  Client client;
  Sink<Total> sink = NewTable(client, "replacing");
  sink.batching.records_max = GENERATE(1, 3, 100);
  REQUIRE_OK(Write(sink, {{"ann", 1},
                          {"bob", 2},
                          {"ann", 3},
                          {"cid", 4},
                          {"bob", 0, {}, true},
                          {"ann", 5, 0.25},
                          {"bob", 0, {}, true},
                          {"cid", 0, {}, true},
                          {"cid", 6}}));
  CHECK(client.Query("SELECT * FROM " + sink.table + " ORDER BY 1") == Values{"ann|5|0.25", "cid|6|null"});
}

TEST_CASE("values as text", "[postgres]") {
  Client client;
  const Sink<Total> sink = NewTable(client, "values");
  const std::string hard = "it's \"quoted\" \\ \n ü ; DROP TABLE x; --";
  REQUIRE_OK(Write(sink, {{hard, INT64_MIN, 0.1}, {"", INT64_MAX, -INFINITY}, {"nan", 0, NAN}, {"tiny", 0, 5e-324}}));
  CHECK(client.Query("SELECT cents, share FROM " + sink.table + " WHERE customer = '" +
                     "it''s \"quoted\" \\ \n ü ; DROP TABLE x; --'") == Values{"-9223372036854775808|0.1"});
  CHECK(
      client.Query("SELECT customer, share FROM " + sink.table + " WHERE customer IN ('', 'nan', 'tiny') ORDER BY 1") ==
      Values{"|-Infinity", "nan|NaN", "tiny|5e-324"});
  const absl::Status zero = Write(sink, {{std::string("a\0b", 3), 1}});
  CHECK(absl::IsInvalidArgument(zero));
  CHECK_THAT(std::string(zero.message()), Catch::Contains("column 'customer'") && Catch::Contains("zero byte"));
  CHECK(client.Query("SELECT '" + TimestampText(1'700'000'000'123) + "'::timestamptz AT TIME ZONE 'UTC'") ==
        Values{"2023-11-14 22:13:20.123"});
  CHECK(TimestampText(-1) == "1969-12-31 23:59:59.999+00");
}

TEST_CASE("names are quoted", "[postgres]") {
  Client client;
  client.Query("CREATE SCHEMA IF NOT EXISTS \"Sch.ema\"");
  client.Query("CREATE TABLE \"Sch.ema\".\"ta\"\"ble; --\" (\"The Key\" int PRIMARY KEY)");
  const Sink<int> sink{.connection = ConnectionText(),
                       .schema = "Sch.ema",
                       .table = "ta\"ble; --",
                       .columns = {{"The Key", [](const int& value) { return value; }}},
                       .key = {"The Key"}};
  FakeContext context;
  const auto writer = sink.CreateWriter<int>();
  REQUIRE_OK(writer->Open(context));
  for (const int value : {1, 2, 1}) REQUIRE_OK(writer->Write(value, kNoTimestamp));
  REQUIRE_OK(writer->Flush());
  CHECK(client.Query("SELECT * FROM \"Sch.ema\".\"ta\"\"ble; --\" ORDER BY 1") == Values{"1", "2"});
  client.Query("DROP SCHEMA \"Sch.ema\" CASCADE");
}

TEST_CASE("what the table does not take fails the task, with the row; nothing of its batch stays", "[postgres]") {
  Client client;
  const Sink<Total> sink = NewTable(client, "refusing", "CHECK (share < 1)");
  const absl::Status refused = Write(sink, {{"ann", 1}, {"bob", 2, 3.0}, {"cid", 4}});
  CHECK(absl::IsInvalidArgument(refused));
  CHECK_THAT(std::string(refused.message()),
             Catch::Contains(sink.table) && Catch::Contains("row 2 of a batch") && Catch::Contains("SQLSTATE 23514"));
  CHECK(client.Query("SELECT * FROM " + sink.table).empty());
  Sink<Total> none = sink;
  none.table = "not_there";
  CHECK_THAT(std::string(Write(none, {{"ann", 1}}).message()), Catch::Contains("SQLSTATE 42P01"));
}

TEST_CASE("a server that goes and comes back, and sessions that are killed: nothing is lost", "[postgres]") {
  Sink<Total> sink;
  {
    Client client;
    sink = NewTable(client, "restarting");
  }
  sink.batching.records_max = 10;
  FakeContext context;
  const auto writer = sink.CreateWriter<Total>();
  REQUIRE_OK(writer->Open(context));
  bool stopped = false;
  context.on_wait = [&] {
    if (stopped && !context.note.empty()) {
      DatabaseFixture::Postgres().Start();
      stopped = false;
    }
    return true;
  };
  for (int i = 0; i < 500; ++i) {
    if (i == 100) {
      Client client;
      client.Query("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'penstock'");
    }
    if (i == 250) {
      DatabaseFixture::Postgres().Stop();
      stopped = true;
    }
    REQUIRE_OK(writer->Write({std::to_string(i), i}, kNoTimestamp));
  }
  REQUIRE_OK(writer->Flush());
  CHECK(context.gauge_value("retries") >= 1);
  CHECK(std::any_of(context.notes.begin(), context.notes.end(),
                    [](const std::string& note) { return note.find("retrying") != std::string::npos; }));
  Client client;
  CHECK(client.Query("SELECT count(*), sum(cents) FROM " + sink.table) == Values{"500|124750"});
}

TEST_CASE("a password that is wrong is said, and given up on", "[postgres]") {
  Client client;
  Sink<Total> sink = NewTable(client, "secret");
  sink.connection = ConnectionText("wrong");
  sink.retrying.give_up = std::chrono::milliseconds(100);
  CHECK_THAT(std::string(Write(sink, {{"ann", 1}}).message()), Catch::Contains("password authentication failed"));
  sink.connection = ConnectionText("${env:PENSTOCK_NOT_SET}");
  CHECK(absl::IsFailedPrecondition(Write(sink, {{"ann", 1}})));
}

TEST_CASE("errors that may pass", "[postgres]") {
  for (const char* state : {"", "08006", "53300", "57P01", "57P03", "40001", "40P01", "25006"}) CHECK(MayPass(state));
  for (const char* state : {"23505", "22001", "42P01", "42601", "28P01", "XX000"}) CHECK_FALSE(MayPass(state));
}

TEST_CASE("malformed postgres descriptions are refused by name", "[postgres]") {
  REQUIRE_OK(testing::CheckSinkRefused<Total>(
      Sink<Total>{.connection = "${x}",
                  .columns = {{"a", &Total::cents}, {"a", &Total::cents}, {"", &Total::cents}},
                  .key = {"b"},
                  .batching = {.bytes_max = 0}},
      {".connection", ".table", ".columns has a name twice", ".columns has a name that is empty", "'b' is none",
       ".batching.bytes_max"}));
  REQUIRE_OK(testing::CheckSinkRefused<Total>(
      Sink<Total>{.connection = "host=x", .table = "t", .deletes = [](const Total&) { return true; }},
      {".columns is empty", ".deletes needs .key"}));
}

}  // namespace
}  // namespace penstock::postgres
