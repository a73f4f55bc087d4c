// A regular expression (POSIX extended) for whole topic names.
//
// Immutable; thread-safe to match. Topics that begin with "__" are Kafka's own and never match.
#ifndef PENSTOCK_CONNECTORS_KAFKA_TOPIC_PATTERN_H_
#define PENSTOCK_CONNECTORS_KAFKA_TOPIC_PATTERN_H_

#include <regex.h>

#include <string>

namespace penstock::kafka {

class TopicPattern {
 public:
  explicit TopicPattern(const std::string& pattern) {
    const int code = regcomp(&compiled_, ("^(" + pattern + ")$").c_str(), REG_EXTENDED | REG_NOSUB);
    if (code == 0) return;
    char text[128];
    regerror(code, &compiled_, text, sizeof(text));
    error_ = text;
  }
  ~TopicPattern() {
    if (error_.empty()) regfree(&compiled_);
  }
  TopicPattern(const TopicPattern&) = delete;
  TopicPattern& operator=(const TopicPattern&) = delete;

  const std::string& error() const { return error_; }  // empty: it is a regular expression
  bool Matches(const std::string& topic) const {
    return error_.empty() && !topic.starts_with("__") && regexec(&compiled_, topic.c_str(), 0, nullptr, 0) == 0;
  }

 private:
  regex_t compiled_;
  std::string error_;
};

}  // namespace penstock::kafka

#endif  // PENSTOCK_CONNECTORS_KAFKA_TOPIC_PATTERN_H_
