// A real Kafka broker for the tests of one program: started when first asked for, ended with the program.
//
// One thread. Start and Stop end the process with a message when the broker cannot be had: without it no test of the
// program means anything.
#ifndef PENSTOCK_TESTS_SUPPORT_KAFKA_FIXTURE_H_
#define PENSTOCK_TESTS_SUPPORT_KAFKA_FIXTURE_H_

#include <sys/types.h>

#include <string>
#include <vector>

namespace penstock::testing {

class KafkaFixture {
 public:
  KafkaFixture();   // starts it
  ~KafkaFixture();  // ends it and removes its data
  KafkaFixture(const KafkaFixture&) = delete;
  KafkaFixture& operator=(const KafkaFixture&) = delete;

  // One for all tests of the program.
  static KafkaFixture& Shared();

  const std::string& brokers() const { return brokers_; }  // host:port, the same after a restart
  const std::string& data_directory() const { return dir_; }
  std::string NewTopicName(const std::string& stem);       // not used before

  // Stopping keeps the data; starting again gives the same address. Both are idempotent.
  // `settings` (key=value) hold until it is started again, beside those of kafka.py.
  void Stop();
  void Start(const std::vector<std::string>& settings = {});
  void Kill();  // as a machine that dies: nothing is flushed, nothing said

 private:
  std::string dir_;
  std::string brokers_;
  pid_t pid_ = -1;  // of kafka.py, which holds the broker
  int topics_ = 0;
};

}  // namespace penstock::testing

#endif  // PENSTOCK_TESTS_SUPPORT_KAFKA_FIXTURE_H_
