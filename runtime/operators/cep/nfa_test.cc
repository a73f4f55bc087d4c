// The automaton on letters: events are characters, a stage's condition is a set of them.
#include "runtime/operators/cep/nfa.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <random>

#include "runtime/operators/cep/letters_oracle.h"

namespace penstock::cep {
namespace {

using Texts = std::vector<std::string>;

TEST_CASE("contiguity between stages", "[cep]") {
  const std::string input = "acbb";
  CHECK(RunLetters({L("a"), L("b", Contiguity::kStrict)}, input) == Texts{});
  CHECK(RunLetters({L("a"), L("b", Contiguity::kRelaxed)}, input) == Texts{"a0 b2"});
  CHECK(RunLetters({L("a"), L("b", Contiguity::kAny)}, input) == Texts{"a0 b2", "a0 b3"});
  CHECK(RunLetters({L("a"), L("b", Contiguity::kStrict)}, "ab") == Texts{"a0 b1"});
}

TEST_CASE("loops take what follows directly, what comes, or any of it", "[cep]") {
  // c d a a a d a b
  const std::string input = "cdaaadab";
  const auto with = [&](Contiguity inner) {
    Letters loop = L("a");
    loop.stage.times_max = kUnbounded;
    loop.stage.inner = inner;
    return RunLetters({L("c"), loop, L("b")}, input);
  };
  CHECK(with(Contiguity::kStrict) == Texts{"c0 a2 a3 a4 b7", "c0 a2 a3 b7", "c0 a2 b7"});
  CHECK(with(Contiguity::kRelaxed) == Texts{"c0 a2 a3 a4 a6 b7", "c0 a2 a3 a4 b7", "c0 a2 a3 b7", "c0 a2 b7"});
  CHECK(with(Contiguity::kAny).size() == 8);  // a2 and any subset of the other three
}

TEST_CASE("times, optional and greedy", "[cep]") {
  Letters two = L("a");
  two.stage.times_min = two.stage.times_max = 2;
  CHECK(RunLetters({two, L("b")}, "aaab") == Texts{"a0 a1 b3", "a1 a2 b3"});
  Letters maybe = L("b");
  maybe.stage.optional = true;
  CHECK(RunLetters({L("a"), maybe, L("c")}, "abc") == Texts{"a0 b1 c2", "a0 c2"});
  CHECK(RunLetters({L("a"), maybe, L("c")}, "ac") == Texts{"a0 c1"});
  Letters many = L("b");
  many.stage.optional = many.stage.greedy = true;
  many.stage.times_max = kUnbounded;
  CHECK(RunLetters({L("a"), many, L("c")}, "abbc") == Texts{"a0 b1 b2 c3"});
  many.stage.greedy = false;
  CHECK(RunLetters({L("a"), many, L("c")}, "abbc") == Texts{"a0 b1 b2 c3", "a0 b1 c3", "a0 c3"});
}

TEST_CASE("what must not come", "[cep]") {
  CHECK(RunLetters({L("a"), Not("b", Contiguity::kRelaxed), L("c")}, "axbc") == Texts{});
  CHECK(RunLetters({L("a"), Not("b", Contiguity::kRelaxed), L("c")}, "axcb") == Texts{"a0 c2"});
  CHECK(RunLetters({L("a"), Not("b", Contiguity::kStrict), L("c")}, "abc") == Texts{});
  CHECK(RunLetters({L("a"), Not("b", Contiguity::kStrict), L("c")}, "axbc") == Texts{"a0 c3"});
  CHECK(RunLetters({L("a"), Not("b", Contiguity::kStrict)}, "abac") == Texts{"a2"});
  // The time runs out: 4 ms behind a2 nothing has come, behind a0 a b.
  CHECK(RunLetters({L("a"), Not("b", Contiguity::kRelaxed)}, "abaxxx", {.within_ms = 3}) == Texts{"a2"});
}

TEST_CASE("until ends a loop", "[cep]") {
  Letters loop = L("a");
  loop.stage.times_max = kUnbounded;
  loop.stage.has_until = true;
  loop.until = "x";
  CHECK(RunLetters({loop, L("b")}, "axab") == Texts{"a0 b3", "a2 b3"});
  loop.until = "";
  CHECK(RunLetters({loop, L("b")}, "axab") == Texts{"a0 a2 b3", "a0 b3", "a2 b3"});
}

TEST_CASE("time: matches are shorter than within, what is not is told once", "[cep]") {
  const PatternSpec time{.within_ms = 3};
  CHECK(RunLetters({L("a"), L("b")}, "axb", time) == Texts{"a0 b2"});
  Texts timed_out;
  CHECK(RunLetters({L("a"), L("b")}, "axxb", time, &timed_out) == Texts{});
  CHECK(timed_out == Texts{"a0"});
  // A loop that is a match already is no partial one.
  Letters loop = L("a");
  loop.stage.times_max = kUnbounded;
  CHECK(RunLetters({loop}, "aaxxxx", time, &timed_out) == Texts{"a0", "a0 a1", "a1"});
  CHECK(timed_out.empty());
}

TEST_CASE("after a match others are void", "[cep]") {
  Letters loop = L("b");
  loop.stage.times_max = kUnbounded;
  loop.stage.inner = Contiguity::kStrict;
  const std::vector<Letters> pattern = {loop, L("c", Contiguity::kStrict)};
  const auto with = [&](Skip skip, const std::string& to = "") {
    return RunLetters(pattern, "bbbc", {.skip = skip, .skip_to = to});
  };
  CHECK(with(Skip::kNone) == Texts{"b0 b1 b2 c3", "b1 b2 c3", "b2 c3"});
  CHECK(with(Skip::kToNext) == Texts{"b0 b1 b2 c3", "b1 b2 c3", "b2 c3"});
  CHECK(with(Skip::kPastLast) == Texts{"b0 b1 b2 c3"});
  CHECK(with(Skip::kToFirst, "b") == Texts{"b0 b1 b2 c3", "b1 b2 c3", "b2 c3"});
  CHECK(with(Skip::kToLast, "b") == Texts{"b0 b1 b2 c3", "b2 c3"});
  Letters as = L("a");
  as.stage.times_max = kUnbounded;
  CHECK(RunLetters({L("x"), as}, "xaaa", {.skip = Skip::kToNext}) == Texts{"x0 a1"});
}

TEST_CASE("a bound of partial matches", "[cep]") {
  Letters loop = L("a");
  loop.stage.times_max = kUnbounded;
  loop.stage.inner = Contiguity::kAny;
  PatternSpec spec{.partial_matches_max = 1000};
  CHECK_THROWS_AS(RunLetters({loop, L("b")}, std::string(30, 'a'), spec), TooMany);
}

TEST_CASE("a pattern that makes no sense is refused, each fault by name", "[cep]") {
  PatternSpec spec;
  spec.stages = {{.name = "a"}, {.name = "a", .greedy = true}, {.name = "not", .negated = true, .times_max = 2}};
  spec.stages.push_back({.name = "end", .negated = true});
  spec.skip = Skip::kToLast;
  spec.skip_to = "z";
  const std::string errors = spec.Check();
  for (const char* part :
       {"stage 'a': another stage has that name", "stage 'a': greedy needs times",
        "stage 'not': says what must not come", "stage 'end': a pattern that ends with not_followed_by",
        "stage 'end': a pattern ends with one stage", "no stage 'z' to skip to"}) {
    CHECK_THAT(errors, Catch::Contains(part));
  }
  PatternSpec other;
  other.stages = {{.name = "a", .inner = Contiguity::kAny, .optional = true},
                  {.name = "b", .negated = true},
                  {.name = "c", .optional = true, .has_until = true}};
  other.within_ms = -1;
  for (const char* part :
       {"stage 'a': consecutive and allow_combinations", "stage 'b': what must not come needs a stage",
        "stage 'c': until ends", "every stage is optional", "within must be above 0"}) {
    CHECK_THAT(other.Check(), Catch::Contains(part));
  }
}

TEST_CASE("nothing is left behind once all partial matches have ended", "[cep]") {
  Letters loop = L("ab");
  loop.stage.times_max = kUnbounded;
  MatchState state;
  RunLetters({L("a"), loop, L("c")}, "ababcabxbabc", {.within_ms = 5}, nullptr, &state);
  CHECK(state.partial.empty());
  CHECK(state.events.empty());
  for (const MatchNode& node : state.nodes) CHECK(node.references == 0);
}

// Any pattern of up to four stages over up to nine letters, against the enumeration of all ways in which its stages
// could take events (letters_oracle.h).
TEST_CASE("whatever the pattern and the events, matches are those of the plain definition", "[cep][property]") {
  const char* const count = std::getenv("PENSTOCK_SEEDS");
  const char* const first = std::getenv("PENSTOCK_FIRST_SEED");
  const int seeds = count == nullptr ? 200 : std::atoi(count);
  const int from = first == nullptr ? 1 : std::atoi(first);
  size_t found = 0;
  for (int seed = from; seed < from + seeds; ++seed) {
    std::mt19937 random(static_cast<unsigned>(seed));
    for (int round = 0; round < 20; ++round) {
      const RandomPattern pattern = MakeRandomPattern(random);
      std::string input;
      for (unsigned i = 0, size = 3 + random() % 7; i < size; ++i) input += static_cast<char>('a' + random() % 3);
      INFO("seed " << seed << " round " << round << ": " << pattern.Text() << " on " << input);
      const Expected expected = Enumerate(pattern.letters, pattern.spec, input);
      Texts timed_out;
      const Texts matches = RunLetters(pattern.letters, input, pattern.spec, &timed_out);
      REQUIRE(matches == expected.matches);
      REQUIRE(timed_out == expected.timed_out);
      found += matches.size() + timed_out.size();
    }
  }
  CHECK(found > static_cast<size_t>(seeds));
}

}  // namespace
}  // namespace penstock::cep
