// Patterns over letters, for tests: the automaton run over a text, and the plain definition of what it must find.
//
// The definition, for a path of events that stages have taken: a stage is open for the next event as long as nothing
// between has closed it. Enumerate tries all paths; it knows no automaton.
#ifndef PENSTOCK_RUNTIME_OPERATORS_CEP_LETTERS_ORACLE_H_
#define PENSTOCK_RUNTIME_OPERATORS_CEP_LETTERS_ORACLE_H_

#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "runtime/operators/cep/nfa.h"

namespace penstock::cep {

// A stage that takes any of these letters.
struct Letters {
  Stage stage;
  std::string set;
  std::string until;
};
Letters L(const std::string& set, Contiguity entry = Contiguity::kRelaxed);
Letters Not(const std::string& set, Contiguity entry);

struct TooMany : std::runtime_error {
  TooMany() : std::runtime_error("too many partial matches") {}
};

// Letter i comes at i ms, and the end of time behind the last one. Matches in the order they come in, "a0 b2": letters
// and where they stand; timed_out: likewise, sorted. spec: all but the stages.
std::vector<std::string> RunLetters(const std::vector<Letters>& letters, const std::string& input,
                                    PatternSpec spec = {}, std::vector<std::string>* timed_out = nullptr,
                                    MatchState* state = nullptr);

struct Expected {
  std::vector<std::string> matches;    // in order
  std::vector<std::string> timed_out;  // sorted
};
Expected Enumerate(const std::vector<Letters>& letters, PatternSpec spec, const std::string& input);

struct RandomPattern {
  std::vector<Letters> letters;
  PatternSpec spec;
  std::string Text() const;
};
RandomPattern MakeRandomPattern(std::mt19937& random);

}  // namespace penstock::cep

#endif  // PENSTOCK_RUNTIME_OPERATORS_CEP_LETTERS_ORACLE_H_
