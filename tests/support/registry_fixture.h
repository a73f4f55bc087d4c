// A real schema registry for the tests of one program: started when first asked for, ended with the program.
//
// One thread. Start and Stop end the process with a message when the registry cannot be had: without it no test of the
// program means anything.
#ifndef PENSTOCK_TESTS_SUPPORT_REGISTRY_FIXTURE_H_
#define PENSTOCK_TESTS_SUPPORT_REGISTRY_FIXTURE_H_

#include <sys/types.h>

#include <string>

namespace penstock::testing {

class RegistryFixture {
 public:
  RegistryFixture();   // starts it
  ~RegistryFixture();  // ends it and removes its data
  RegistryFixture(const RegistryFixture&) = delete;
  RegistryFixture& operator=(const RegistryFixture&) = delete;

  // One for all tests of the program.
  static RegistryFixture& Shared();

  const std::string& url() const { return url_; }          // the same after a restart
  const std::string& tls_url() const { return tls_url_; }  // asks for user() and password()
  const std::string& ca_file() const { return ca_file_; }
  std::string user() const { return "ann"; }
  std::string password() const { return "secret"; }
  std::string NewSubject(const std::string& stem);  // not used before

  // A registry that is started again has forgotten everything. Both are idempotent.
  void Stop();
  void Start();

 private:
  std::string dir_;
  std::string url_;
  std::string tls_url_;
  std::string ca_file_;
  pid_t pid_ = -1;  // of registry.py, which holds the registry
  int subjects_ = 0;
};

}  // namespace penstock::testing

#endif  // PENSTOCK_TESTS_SUPPORT_REGISTRY_FIXTURE_H_
