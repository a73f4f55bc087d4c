#include "runtime/operators/cep/pattern_spec.h"

#include <fmt/format.h>

#include <set>

#include "runtime/record/key_hash.h"

namespace penstock::cep {
namespace {

void CheckStage(const Stage& stage, std::vector<std::string>& errors) {
  const auto wrong = [&](const std::string& what) { errors.push_back("stage '" + stage.name + "': " + what); };
  if (stage.name.empty()) wrong("needs a name: a match is read by it");
  if (stage.times_min < 1 || stage.times_max < stage.times_min) {
    wrong(fmt::format("times({}, {}) is no range: it begins at 1 or more and does not end before its beginning",
                      stage.times_min, stage.times_max));
  }
  if (stage.negated) {
    if (stage.optional || stage.greedy || stage.loops() || stage.has_until) {
      wrong("says what must not come, so it has no times, optional, greedy or until");
    }
    return;
  }
  if (stage.inner != Contiguity::kRelaxed && !stage.loops()) {
    wrong("consecutive and allow_combinations are about several events of one stage: say times or one_or_more before");
  }
  if (stage.greedy && !stage.loops() && !stage.optional) wrong("greedy needs times, one_or_more or optional before it");
  if (stage.greedy && stage.inner == Contiguity::kAny) {
    wrong("greedy takes all it can, allow_combinations leaves some of it out: choose one");
  }
  if (stage.has_until && stage.times_max != kUnbounded)
    wrong("until ends one_or_more or times_or_more: say one before");
}

std::string QuantityOf(const Stage& stage) {
  std::string text;
  if (stage.times_max == kUnbounded) {
    text = fmt::format("{{{},}}", stage.times_min);
  } else if (stage.times_max != 1 || stage.times_min != 1) {
    text = stage.times_min == stage.times_max ? fmt::format("{{{}}}", stage.times_min)
                                              : fmt::format("{{{},{}}}", stage.times_min, stage.times_max);
  }
  if (stage.inner == Contiguity::kStrict) text += " consecutive";
  if (stage.inner == Contiguity::kAny) text += " in combinations";
  if (stage.greedy) text += " greedy";
  if (stage.has_until) text += " until";
  return text + (stage.optional ? " optional" : "");
}

const char* ConnectionOf(const Stage& stage) {
  switch (stage.entry) {
    case Contiguity::kStrict:
      return stage.negated ? " not next " : " next ";
    case Contiguity::kRelaxed:
      return stage.negated ? " not followed by " : " followed by ";
    case Contiguity::kAny:
      return " followed by any ";
  }
  return " ";
}

}  // namespace

int PatternSpec::IndexOf(const std::string& name) const {
  for (size_t i = 0; i < stages.size(); ++i) {
    if (stages[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

std::string PatternSpec::Check() const {
  std::vector<std::string> errors;
  std::set<std::string> names;
  bool all_optional = true;  // of what came so far
  for (size_t i = 0; i < stages.size(); ++i) {
    CheckStage(stages[i], errors);
    if (!names.insert(stages[i].name).second) {
      errors.push_back("stage '" + stages[i].name + "': another stage has that name: a match is read by it");
    }
    if (stages[i].negated && all_optional) {
      errors.push_back("stage '" + stages[i].name +
                       "': what must not come needs a stage before it that is not optional");
    }
    all_optional &= stages[i].negated || stages[i].optional;
  }
  if (stages.size() > kStagesMax) {
    errors.push_back(fmt::format("a pattern has at most {} stages, this one has {}", kStagesMax, stages.size()));
  }
  if (all_optional) errors.push_back("every stage is optional, so nothing at all would match: one must be there");
  if (within_ms < 0) errors.push_back(fmt::format("within must be above 0 ms, it is {} ms", within_ms));
  if (ends_negated()) {
    if (stages.back().entry == Contiguity::kRelaxed && within_ms == 0) {
      errors.push_back("stage '" + stages.back().name +
                       "': a pattern that ends with not_followed_by never comes to its end: say within(...)");
    }
    if (stages.size() > 1 && stages[stages.size() - 2].negated) {
      errors.push_back("stage '" + stages.back().name + "': a pattern ends with one stage that must not come, not two");
    }
  }
  if ((skip == Skip::kToFirst || skip == Skip::kToLast) && (IndexOf(skip_to) < 0 || stages[IndexOf(skip_to)].negated)) {
    errors.push_back("no stage '" + skip_to + "' to skip to");
  }
  if (partial_matches_max < 1) errors.push_back("limit_partial_matches must be above 0");
  std::string text;
  for (const std::string& error : errors) text += (text.empty() ? "" : "\n") + error;
  return text;
}

std::string PatternSpec::Describe() const {
  std::string text;
  for (const Stage& stage : stages) text += (text.empty() ? "" : ConnectionOf(stage)) + stage.name + QuantityOf(stage);
  if (within_ms > 0) text += fmt::format(" within {} ms", within_ms);
  return text;
}

uint64_t PatternSpec::Fingerprint() const {
  const std::string text = Describe();
  return XXH3_64bits(text.data(), text.size());
}

}  // namespace penstock::cep
