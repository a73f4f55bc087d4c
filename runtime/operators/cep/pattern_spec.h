// What a pattern says, without the type of its events: its stages, how they follow each other, how often they occur.
//
// The language is that of SASE+ as Flink's CEP library has it: a match is a list of events of one key, each taken by a
// stage, stages in order. Between two events that are taken, other events may be passed over or not, as the contiguity
// of the later one says. A value type; Check tells what makes no sense.
#ifndef PENSTOCK_RUNTIME_OPERATORS_CEP_PATTERN_SPEC_H_
#define PENSTOCK_RUNTIME_OPERATORS_CEP_PATTERN_SPEC_H_

#include <cstdint>
#include <string>
#include <vector>

namespace penstock::cep {

inline constexpr int kStagesMax = 63;
inline constexpr int kUnbounded = INT32_MAX;
inline constexpr int64_t kPartialMatchesMax = 10'000;  // of one key, unless the pattern says otherwise

// What may lie between the event a stage takes and the one taken before it.
enum class Contiguity {
  kStrict,   // nothing
  kRelaxed,  // events that the stage would not have taken
  kAny,      // anything
};

struct Stage {
  std::string name;
  Contiguity entry = Contiguity::kRelaxed;
  Contiguity inner = Contiguity::kRelaxed;  // between its own events
  bool negated = false;                     // kStrict: not the next event; kRelaxed: none until the next stage
  bool optional = false;
  bool greedy = false;  // what it can take goes to no later stage
  int times_min = 1;
  int times_max = 1;  // kUnbounded: without end
  bool has_until = false;
  bool simple = true;  // its condition looks at nothing but the event

  bool loops() const { return times_max > 1; }
};

// Which partial matches, and later matches of the same event, a match makes void.
enum class Skip {
  kNone,
  kToNext,    // those that began with the same event
  kPastLast,  // those that began before the match ended
  kToFirst,   // those that began before the first event of a stage
  kToLast,    // those that began before the last event of a stage
};

struct PatternSpec {
  std::vector<Stage> stages;
  int64_t within_ms = 0;  // between the first and the last event there is less than that; 0: any time
  Skip skip = Skip::kNone;
  std::string skip_to;  // the stage of kToFirst and kToLast
  int64_t partial_matches_max = kPartialMatchesMax;

  bool ends_negated() const { return !stages.empty() && stages.back().negated; }
  // -1: none of that name.
  int IndexOf(const std::string& name) const;
  // All that makes no sense, one a line: the stage, what is wrong, what to do. Empty: it is a pattern.
  std::string Check() const;
  // One line, as in the plan.
  std::string Describe() const;
  // Of all that partial matches depend on: stages, contiguity, times, within.
  uint64_t Fingerprint() const;
};

}  // namespace penstock::cep

#endif  // PENSTOCK_RUNTIME_OPERATORS_CEP_PATTERN_SPEC_H_
