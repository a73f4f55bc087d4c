#include "connectors/postgres/connection.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <string_view>

#include "runtime/core/clock.h"
#include "runtime/core/status.h"

namespace penstock::postgres {
namespace {

constexpr int64_t kConnectMaxMs = 10'000;
constexpr int kPollMs = 50;
constexpr const char* kWrite = "penstock_write";
constexpr const char* kRemove = "penstock_remove";

struct ClearResult {
  void operator()(PGresult* result) const { PQclear(result); }
};
using Result = std::unique_ptr<PGresult, ClearResult>;

void WaitFor(int fd, short events) {
  pollfd waiting{.fd = fd, .events = events, .revents = 0};
  poll(&waiting, 1, kPollMs);
}

// libpq's messages end with a line break, and may have several lines.
std::string OneLine(const char* text) {
  std::string line = text == nullptr ? "" : text;
  while (!line.empty() && (line.back() == '\n' || line.back() == ' ')) line.pop_back();
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line.empty() ? "the connection is broken" : line;
}

std::string FieldOf(const PGresult* result, int field) {
  const char* const text = PQresultErrorField(result, field);
  return text == nullptr ? "" : text;
}

bool Failed(const PGresult* result) {
  const ExecStatusType status = PQresultStatus(result);
  return status == PGRES_FATAL_ERROR || status == PGRES_BAD_RESPONSE;
}

// row: number of the statement that failed; 0: another one.
TryResult Failure(const PGresult* result, size_t row) {
  const std::string sqlstate = FieldOf(result, PG_DIAG_SQLSTATE);
  std::string text = FieldOf(result, PG_DIAG_MESSAGE_PRIMARY);
  if (const std::string detail = FieldOf(result, PG_DIAG_MESSAGE_DETAIL); !detail.empty()) text += ": " + detail;
  if (row > 0) text = fmt::format("row {} of a batch: {}", row, text);
  text += fmt::format(" (SQLSTATE {})", sqlstate);
  if (MayPass(sqlstate)) return {.status = Unavailable("{}", text), .retry = true};
  return {.status = InvalidArgument("{}", text)};
}

}  // namespace

bool MayPass(const std::string& sqlstate) {
  // Connection exception, insufficient resources, operator intervention, system error.
  for (const char* const of_class : {"08", "53", "57", "58"}) {
    if (sqlstate.starts_with(of_class)) return true;
  }
  // Serialization failure, deadlock, lock not available, read-only (a standby that is to be promoted).
  for (const char* const code : {"", "40001", "40P01", "55P03", "25006"}) {
    if (sqlstate == code) return true;
  }
  return false;
}

Connection::~Connection() { Close(); }

void Connection::Close() {
  if (connection_ != nullptr) PQfinish(connection_);
  connection_ = nullptr;
}

TryResult Connection::Broken(const StopRequest& stop) {
  const std::string text = OneLine(PQerrorMessage(connection_));
  Close();
  if (stop.requested()) return {.status = Cancelled("the task is to stop")};
  return {.status = Unavailable("{}", text), .retry = true};
}

TryResult Connection::Open(const std::string& connection, const Statements& statements, const StopRequest& stop) {
  // The last word is the user's.
  const char* const names[] = {"application_name", "keepalives_idle", "tcp_user_timeout", "dbname", nullptr};
  const char* const values[] = {"penstock", "30", "30000", connection.c_str(), nullptr};
  connection_ = PQconnectStartParams(names, values, 1);
  if (connection_ == nullptr) return {.status = ResourceExhausted("libpq has no memory for a connection")};
  const int64_t deadline = Clock::System().MonotonicMs() + kConnectMaxMs;
  PostgresPollingStatusType state =
      PQstatus(connection_) == CONNECTION_BAD ? PGRES_POLLING_FAILED : PGRES_POLLING_WRITING;
  while (state != PGRES_POLLING_OK) {
    if (state == PGRES_POLLING_FAILED || stop.requested()) return Broken(stop);
    if (Clock::System().MonotonicMs() > deadline) {
      Close();
      return {.status = Unavailable("no connection within {} s", kConnectMaxMs / 1000), .retry = true};
    }
    WaitFor(PQsocket(connection_), state == PGRES_POLLING_READING ? POLLIN : POLLOUT);
    state = PQconnectPoll(connection_);
  }
  if (PQsetnonblocking(connection_, 1) != 0) return Broken(stop);
  TryResult prepared = Prepare(kWrite, statements.write, stop);
  if (prepared.status.ok() && !statements.remove.empty()) prepared = Prepare(kRemove, statements.remove, stop);
  if (prepared.status.ok() && PQenterPipelineMode(connection_) == 0) return Broken(stop);
  if (!prepared.status.ok()) Close();
  return prepared;
}

TryResult Connection::Prepare(const char* name, const std::string& sql, const StopRequest& stop) {
  if (PQsendPrepare(connection_, name, sql.c_str(), 0, nullptr) == 0) return Broken(stop);
  TryResult outcome;
  while (true) {
    PGresult* next = nullptr;
    if (!Next(stop, &next)) return Broken(stop);
    const Result result(next);
    if (result == nullptr) return outcome;
    if (Failed(result.get()) && outcome.status.ok()) outcome = Failure(result.get(), 0);
  }
}

bool Connection::Send(const std::vector<detail::Row>& rows) {
  if (PQsendQueryParams(connection_, "BEGIN", 0, nullptr, nullptr, nullptr, nullptr, 0) == 0) return false;
  std::vector<const char*> values;
  for (const detail::Row& row : rows) {
    values.clear();
    for (const Value& value : row.values) values.push_back(value ? value->c_str() : nullptr);
    if (PQsendQueryPrepared(connection_, row.deleted ? kRemove : kWrite, static_cast<int>(values.size()), values.data(),
                            nullptr, nullptr, 0) == 0) {
      return false;
    }
  }
  return PQsendQueryParams(connection_, "COMMIT", 0, nullptr, nullptr, nullptr, nullptr, 0) != 0 &&
         PQpipelineSync(connection_) != 0;
}

bool Connection::Pump(const StopRequest& stop, bool wait) {
  const int unsent = PQflush(connection_);
  if (unsent < 0 || stop.requested()) return false;
  if (wait) WaitFor(PQsocket(connection_), static_cast<short>(unsent > 0 ? POLLIN | POLLOUT : POLLIN));
  return PQconsumeInput(connection_) != 0;
}

bool Connection::Next(const StopRequest& stop, PGresult** result) {
  if (!Pump(stop, false)) return false;
  while (PQisBusy(connection_) != 0) {
    if (!Pump(stop, true)) return false;
  }
  *result = PQgetResult(connection_);
  return true;
}

TryResult Connection::Write(const std::vector<detail::Row>& rows, const StopRequest& stop) {
  if (!Send(rows)) return Broken(stop);
  TryResult outcome;
  bool committed = false;
  // BEGIN is statement 0, row i statement i; results of one statement end with null.
  for (size_t statement = 0;;) {
    PGresult* next = nullptr;
    if (!Next(stop, &next)) return Broken(stop);
    const Result result(next);
    if (result == nullptr) {
      ++statement;
      if (PQstatus(connection_) == CONNECTION_BAD) return Broken(stop);
      continue;
    }
    if (PQresultStatus(result.get()) == PGRES_PIPELINE_SYNC) break;
    if (Failed(result.get()) && outcome.status.ok()) {
      outcome = Failure(result.get(), statement <= rows.size() ? statement : 0);
    }
    committed = statement == rows.size() + 1 && std::string_view(PQcmdStatus(result.get())) == "COMMIT";
  }
  if (outcome.status.ok() && !committed) outcome = {.status = Unavailable("the server rolled back"), .retry = true};
  // The failed transaction is ended with its connection.
  if (!outcome.status.ok()) Close();
  return outcome;
}

}  // namespace penstock::postgres
