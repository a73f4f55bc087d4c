// A real S3 server for the tests of one program: started when first asked for, ended with the program.
//
// One thread. Ends the process with a message when the server cannot be had.
#ifndef PENSTOCK_TESTS_SUPPORT_S3_FIXTURE_H_
#define PENSTOCK_TESTS_SUPPORT_S3_FIXTURE_H_

#include <sys/types.h>

#include <string>

namespace penstock::testing {

class S3Fixture {
 public:
  static S3Fixture& Shared();
  ~S3Fixture();
  S3Fixture(const S3Fixture&) = delete;
  S3Fixture& operator=(const S3Fixture&) = delete;

  int port() const { return port_; }
  std::string NewUri();  // "s3://penstock/<n>", a prefix not used before
  // What s3.py says.
  static constexpr const char* kAccessKey = "penstock-test";
  static constexpr const char* kSecretKey = "penstock-test-secret";

 private:
  S3Fixture();

  std::string dir_;
  int port_ = 0;
  pid_t pid_ = -1;  // of s3.py, which holds the server
  int prefixes_ = 0;
};

}  // namespace penstock::testing

#endif  // PENSTOCK_TESTS_SUPPORT_S3_FIXTURE_H_
