// A connection to PostgreSQL by libpq, that never blocks for longer than it takes to notice a stop. One thread.
#ifndef PENSTOCK_CONNECTORS_POSTGRES_CONNECTION_H_
#define PENSTOCK_CONNECTORS_POSTGRES_CONNECTION_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "connectors/batching/batch_delivery.h"
#include "penstock/connectors/postgres.h"

struct pg_conn;
struct pg_result;

namespace penstock::postgres {

struct Statements {
  std::string write;
  std::string remove;  // empty: none is needed
};

// Error codes (SQLSTATE, appendix A of PostgreSQL's documentation) that may not come again.
bool MayPass(const std::string& sqlstate);

class Connection {
 public:
  ~Connection();

  bool open() const { return connection_ != nullptr; }
  // Connects and prepares the statements. Within kConnectMaxMs.
  TryResult Open(const std::string& connection, const Statements& statements, const StopRequest& stop);
  // All rows in one transaction. After an error the connection is closed, unless it is one of the data's.
  TryResult Write(const std::vector<detail::Row>& rows, const StopRequest& stop);
  void Close();

 private:
  TryResult Prepare(const char* name, const std::string& sql, const StopRequest& stop);
  bool Send(const std::vector<detail::Row>& rows);
  // Sends what is buffered and reads what has come. False: broken, or to stop.
  bool Pump(const StopRequest& stop, bool wait);
  // The next result; null: between two statements. False: broken, or to stop.
  bool Next(const StopRequest& stop, pg_result** result);
  TryResult Broken(const StopRequest& stop);

  pg_conn* connection_ = nullptr;
};

}  // namespace penstock::postgres

#endif  // PENSTOCK_CONNECTORS_POSTGRES_CONNECTION_H_
