// The automaton of a pattern: an event of a key comes, partial matches grow, fork or end, matches are found.
//
// Pure: the events themselves and the conditions on them stay with the caller (cep_function.h). A partial match stands
// behind the event it took last, with a set of stages that may take the next one. Immutable after its construction, so
// any thread may use one.
#ifndef PENSTOCK_RUNTIME_OPERATORS_CEP_NFA_H_
#define PENSTOCK_RUNTIME_OPERATORS_CEP_NFA_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "runtime/operators/cep/match_state.h"
#include "runtime/operators/cep/pattern_spec.h"
#include "runtime/record/time.h"

namespace penstock::cep {

struct Step {
  int stage = 0;
  int64_t event = 0;
  bool operator==(const Step&) const = default;
};
using Path = std::vector<Step>;

// What the user's conditions say of the event at hand.
class Conditions {
 public:
  virtual ~Conditions() = default;
  // path: what was taken before; empty for stages whose condition is simple.
  virtual bool Holds(int stage, const Path& path) = 0;
  virtual bool Until(int stage, const Path& path) = 0;
};

struct Found {
  Path path;
  TimestampMs time_ms = 0;  // of its last event; of one that ended by time: that time
};

struct Outcome {
  std::optional<int64_t> taken;  // the id of the event at hand, which is to be kept under it
  std::vector<Found> matches;
  std::vector<Found> timed_out;
  std::vector<int64_t> released;  // events that nothing refers to any more; perhaps the one at hand, too
  bool too_many = false;          // more partial matches than the pattern allows
};

class Nfa {
 public:
  // REQUIRES: spec.Check().empty().
  explicit Nfa(PatternSpec spec);

  const PatternSpec& spec() const { return spec_; }
  uint64_t fingerprint() const { return fingerprint_; }
  // The next event of the key. Time first: Expire(state, time_ms, ...).
  void Advance(MatchState& state, TimestampMs time_ms, Conditions& conditions, Outcome& outcome) const;
  // Nothing of before that time comes any more.
  void Expire(MatchState& state, TimestampMs now_ms, Outcome& outcome) const;

 private:
  // From where an event can be taken: a partial match, or the beginning of every match.
  struct Position {
    const PartialMatch* partial = nullptr;  // none: the beginning
    uint64_t open = 0;
  };
  struct Taken {
    PartialMatch grown;
    int32_t parent = -1;
  };
  class Verdicts;

  void ComputeEntries();
  // What may take the next event, behind the count-th event of a stage.
  uint64_t OpenAfter(int stage, int count) const;
  // What is left open once the event has been seen; appends what takes it.
  uint64_t Look(const Position& position, Verdicts& verdicts, TimestampMs time_ms, std::vector<Taken>& taken) const;
  uint64_t WithoutNegated(const Position& position, uint64_t open, Verdicts& verdicts) const;
  void Grow(MatchState& state, const std::vector<Taken>& taken, TimestampMs time_ms, Outcome& outcome) const;
  void Skipped(MatchState& state, std::vector<Found>& matches, Outcome& outcome) const;

  const PatternSpec spec_;
  const uint64_t fingerprint_;
  uint64_t begin_ = 0;             // stages a match can begin with
  std::vector<uint64_t> entries_;  // by stage: what can come behind its last event
  std::vector<bool> ends_;         // by stage: nothing needs to come behind it
  int finish_ = -1;                // the negated stage that ends the pattern
};

}  // namespace penstock::cep

#endif  // PENSTOCK_RUNTIME_OPERATORS_CEP_NFA_H_
