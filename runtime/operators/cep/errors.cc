// What the templates of patterns throw, kept out of them.
#include <fmt/format.h>

#include "runtime/operators/cep/cep_function.h"

namespace penstock::cep {

int StageOf(const PatternSpec& spec, const std::string& name) {
  const int index = spec.IndexOf(name);
  if (index >= 0) return index;
  std::string names;
  for (const Stage& stage : spec.stages) names += (names.empty() ? "" : ", ") + stage.name;
  throw std::invalid_argument("the pattern has no stage '" + name + "'; it has " + names);
}

void ThrowTooMany(const PatternSpec& spec) {
  throw std::runtime_error(fmt::format(
      "one key has more than {} partial matches of pattern '{}': bound it by within(...) or until(...), say "
      "consecutive() or next(...) where events follow each other at once, or raise limit_partial_matches",
      spec.partial_matches_max, spec.Describe()));
}

void ThrowOtherPattern(const PatternSpec& spec) {
  throw std::runtime_error(
      fmt::format("the state was written by another pattern than '{}': give the operator another uid, and begin with "
                  "--allow-non-restored-state",
                  spec.Describe()));
}

void ThrowNoTimestamp() {
  throw std::logic_error(
      "a record without a timestamp came to a pattern by event time: put .watermarks(...) before key_by, or say "
      ".in_processing_time()");
}

}  // namespace penstock::cep
