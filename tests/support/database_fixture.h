// A real PostgreSQL or Redis server for the tests of one program: started when first asked for, ended with the program.
//
// One thread. Ends the process with a message when the server cannot be had.
#ifndef PENSTOCK_TESTS_SUPPORT_DATABASE_FIXTURE_H_
#define PENSTOCK_TESTS_SUPPORT_DATABASE_FIXTURE_H_

#include <sys/types.h>

#include <string>

namespace penstock::testing {

class DatabaseFixture {
 public:
  static DatabaseFixture& Postgres();
  static DatabaseFixture& Redis();
  ~DatabaseFixture();
  DatabaseFixture(const DatabaseFixture&) = delete;
  DatabaseFixture& operator=(const DatabaseFixture&) = delete;

  int port() const { return port_; }             // on 127.0.0.1, the same after a restart
  std::string NewName(const std::string& stem);  // not used before
  // What databases.py says; of Redis the password only.
  static constexpr const char* kName = "penstock";
  static constexpr const char* kPassword = "penstock-test";

  // Stopping keeps the data. Both are idempotent.
  void Stop();
  void Start();

 private:
  explicit DatabaseFixture(std::string server);

  const std::string server_;
  std::string dir_;
  int port_ = 0;
  pid_t pid_ = -1;  // of databases.py, which holds the server
  int names_ = 0;
};

}  // namespace penstock::testing

#endif  // PENSTOCK_TESTS_SUPPORT_DATABASE_FIXTURE_H_
