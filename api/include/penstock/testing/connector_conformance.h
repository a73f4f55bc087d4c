// The conformance suite for connectors: CheckSource, CheckSink, CheckSourceRefused and CheckSinkRefused. For any test
// framework: each gives OK, or what the connector does wrong. Link penstock::api.
#ifndef PENSTOCK_TESTING_CONNECTOR_CONFORMANCE_H_
#define PENSTOCK_TESTING_CONNECTOR_CONFORMANCE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "penstock/connectors/discard.h"
#include "penstock/job.h"
#include "penstock/testing/sink_conformance.h"
#include "penstock/testing/source_conformance.h"
#include "runtime/core/status.h"

namespace penstock::testing {

// The graph's errors must be one, of the operator, and say what each of `words` says.
inline absl::Status CheckRefusal(const std::vector<std::string>& errors, const std::string& op,
                                 const std::vector<std::string>& words) {
  if (errors.empty()) return Internal("a malformed description was taken");
  if (errors.size() > 1)
    return Internal("{} errors: all problems of a description belong into one message", errors.size());
  for (const std::string& word : words) {
    if (errors[0].find(word) == std::string::npos)
      return Internal("the error '{}' does not name '{}'", errors[0], word);
  }
  return errors[0].find(op) != std::string::npos
             ? absl::OkStatus()
             : Internal("the error '{}' does not name the operator '{}'", errors[0], op);
}

// A malformed description: the graph is refused, with an error that names the operator and has all of `words` (the
// members that are wrong).
template <class Source>
absl::Status CheckSourceRefused(const Source& source, const std::vector<std::string>& words) {
  Environment env;
  env.source("refused-source", source).sink("nowhere", discard::Sink{});
  return CheckRefusal(env.graph().errors, "refused-source", words);
}

// A source of a graph that is never run.
template <class T>
struct NothingSource {
  using Output = T;
  absl::Status Validate() const { return absl::OkStatus(); }
  std::string Describe() const { return "nothing"; }
  std::unique_ptr<SourceReader<T>> CreateReader() const { return nullptr; }
};

// The same of a sink for T.
template <class T, class Sink>
absl::Status CheckSinkRefused(const Sink& sink, const std::vector<std::string>& words) {
  Environment env;
  env.source("nothing", NothingSource<T>{}).sink("refused-sink", sink);
  return CheckRefusal(env.graph().errors, "refused-sink", words);
}

}  // namespace penstock::testing

#endif  // PENSTOCK_TESTING_CONNECTOR_CONFORMANCE_H_
