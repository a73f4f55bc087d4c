#include "runtime/operators/cep/letters_oracle.h"

#include <algorithm>
#include <tuple>

namespace penstock::cep {
namespace {

bool In(const std::string& set, char letter) { return set.find(letter) != std::string::npos; }

PatternSpec WithStages(PatternSpec spec, const std::vector<Letters>& letters) {
  for (const Letters& each : letters) spec.stages.push_back(each.stage);
  return spec;
}

class LetterConditions final : public Conditions {
 public:
  explicit LetterConditions(const std::vector<Letters>& letters) : letters_(letters) {}
  bool Holds(int stage, const Path&) override { return In(letters_[stage].set, letter); }
  bool Until(int stage, const Path&) override { return In(letters_[stage].until, letter); }
  char letter = 0;

 private:
  const std::vector<Letters>& letters_;
};

struct Place {
  int stage = 0;
  int at = 0;  // index of the letter
};
using Places = std::vector<Place>;

std::string TextOf(const Places& places, const std::string& input) {
  std::string text;
  for (const Place& place : places) {
    text += (text.empty() ? "" : " ") + std::string(1, input[place.at]) + std::to_string(place.at);
  }
  return text;
}

// A path that is a match, or that has run out of time, and at which letter that was noticed.
struct Ended {
  int batch = 0;  // two for each letter: what time makes due, then what the letter makes
  Places places;
};

bool ComesBefore(const Ended& a, const Ended& b) {
  const auto rank = [](const Ended& ended) {
    return std::tuple(ended.batch, ended.places.front().at, -static_cast<int>(ended.places.size()));
  };
  if (rank(a) != rank(b)) return rank(a) < rank(b);
  for (size_t i = 0; i < a.places.size(); ++i) {
    const auto x = std::pair(a.places[i].at, a.places[i].stage);
    const auto y = std::pair(b.places[i].at, b.places[i].stage);
    if (x != y) return x < y;
  }
  return false;
}

class Enumeration {
 public:
  Enumeration(const std::vector<Letters>& letters, const PatternSpec& spec, const std::string& input)
      : letters_(letters), spec_(spec), input_(input), size_(static_cast<int>(input.size())) {
    Extend({});
    std::sort(matches_.begin(), matches_.end(), ComesBefore);
    ApplySkip();
  }
  Expected Result() const {
    Expected expected;
    for (const Ended& match : matches_) expected.matches.push_back(TextOf(match.places, input_));
    for (const Ended& ended : timed_out_) expected.timed_out.push_back(TextOf(ended.places, input_));
    std::sort(expected.timed_out.begin(), expected.timed_out.end());
    return expected;
  }

 private:
  const Stage& StageAt(int stage) const { return letters_[stage].stage; }
  bool CanTake(int stage, int at) const {
    return In(letters_[stage].set, input_[at]) && !In(letters_[stage].until, input_[at]);
  }
  static int CountOfLast(const Places& path) {
    int count = 0;
    for (auto place = path.rbegin(); place != path.rend() && place->stage == path.back().stage; ++place) ++count;
    return count;
  }
  // Whether, with what the path has taken, the stage comes into question at all.
  bool Reachable(const Places& path, int stage) const {
    const int last = path.empty() ? -1 : path.back().stage;
    if (stage == last) return CountOfLast(path) < StageAt(stage).times_max;
    if (!path.empty() && CountOfLast(path) < StageAt(last).times_min) return false;
    for (int between = last + 1; between < stage; ++between) {
      if (!StageAt(between).negated && !StageAt(between).optional) return false;
    }
    return stage > last && (!StageAt(stage).negated || stage + 1 == static_cast<int>(letters_.size()));
  }
  // Whether something that must not come before the stage is among the letters (last taken, upto].
  bool Forbidden(const Places& path, int stage, int upto) const {
    if (path.empty()) return false;
    for (int other = path.back().stage + 1; other <= stage; ++other) {
      if (!StageAt(other).negated) continue;
      for (int at = path.back().at + 1; at <= upto; ++at) {
        const bool counts = StageAt(other).entry != Contiguity::kStrict || at == path.back().at + 1;
        if (counts && In(letters_[other].set, input_[at])) return true;
      }
    }
    return false;
  }
  // Whether the stage may take letter `upto`, as far as those between the last taken one and that go.
  bool Open(const Places& path, int stage, int upto) const {
    if (!Reachable(path, stage) || Forbidden(path, stage, upto - 1)) return false;
    if (path.empty()) return true;
    const bool loop = stage == path.back().stage;
    const Contiguity contiguity = loop ? StageAt(stage).inner : StageAt(stage).entry;
    for (int at = path.back().at + 1; at < upto; ++at) {
      if (contiguity == Contiguity::kStrict) return false;
      if (!StageAt(stage).negated && contiguity == Contiguity::kRelaxed && CanTake(stage, at)) return false;
      if (loop && In(letters_[stage].until, input_[at])) return false;
      if (TakenByGreedy(path, stage, at)) return false;
    }
    return true;
  }
  // Whether an earlier stage claims the letter for itself alone.
  bool TakenByGreedy(const Places& path, int stage, int at) const {
    const int from = path.empty() ? 0 : path.back().stage;
    for (int other = from; other < stage; ++other) {
      if (StageAt(other).negated || !StageAt(other).greedy || !CanTake(other, at)) continue;
      if (Open(path, other, at) && !Forbidden(path, other, at) && !TakenByGreedy(path, other, at)) return true;
    }
    return false;
  }
  bool Takes(const Places& path, int stage, int at) const {
    return !StageAt(stage).negated && CanTake(stage, at) && Open(path, stage, at) && !Forbidden(path, stage, at) &&
           !TakenByGreedy(path, stage, at);
  }
  bool Complete(const Places& path) const {
    if (CountOfLast(path) < StageAt(path.back().stage).times_min) return false;
    for (size_t stage = static_cast<size_t>(path.back().stage) + 1; stage < letters_.size(); ++stage) {
      if (StageAt(static_cast<int>(stage)).negated ? stage + 1 == letters_.size()
                                                   : !StageAt(static_cast<int>(stage)).optional) {
        return false;
      }
    }
    return true;
  }

  void Extend(const Places& path) {
    const int after = path.empty() ? 0 : path.back().at + 1;
    const bool timed = !path.empty() && spec_.within_ms > 0;
    const int limit = timed ? std::min(size_, path.front().at + static_cast<int>(spec_.within_ms)) : size_;
    if (!path.empty()) End(path, limit, timed);
    for (int at = after; at < limit; ++at) {
      for (int stage = 0; stage < static_cast<int>(letters_.size()); ++stage) {
        if (!Takes(path, stage, at)) continue;
        Places longer = path;
        longer.push_back({stage, at});
        Extend(longer);
      }
    }
  }
  // What the path is worth by itself. limit: the first letter behind its time.
  void End(const Places& path, int limit, bool timed) {
    const int after = path.back().at + 1;
    const int time_batch = 2 * limit;
    if (Complete(path)) {
      matches_.push_back({2 * path.back().at + 1, path});
      return;
    }
    const int finish = static_cast<int>(letters_.size()) - 1;
    bool open = false;
    for (int stage = path.back().stage; stage <= finish; ++stage) open |= Open(path, stage, limit);
    if (!StageAt(finish).negated) {
      if (timed && open) timed_out_.push_back({time_batch, path});
      return;
    }
    if (StageAt(finish).entry == Contiguity::kStrict && after < limit) {
      // The letter that comes next decides.
      if (Reachable(path, finish) && !Forbidden(path, finish, after) && !TakenByGreedy(path, finish, after)) {
        matches_.push_back({2 * after + 1, path});
      }
      if (timed && open) timed_out_.push_back({time_batch, path});
      return;
    }
    if (!timed) return;
    if (Open(path, finish, limit)) {
      matches_.push_back({time_batch, path});
    } else if (open) {
      timed_out_.push_back({time_batch, path});
    }
  }
  void ApplySkip() {
    if (spec_.skip == Skip::kNone) return;
    std::vector<Ended> kept;
    const auto is_void = [&](const Ended& ended, bool same_batch_counts) {
      return std::any_of(kept.begin(), kept.end(), [&](const Ended& match) {
        return (match.batch < ended.batch || same_batch_counts) && Voids(match.places, ended.places.front().at);
      });
    };
    for (const Ended& match : matches_) {
      if (!is_void(match, true)) kept.push_back(match);
    }
    std::erase_if(timed_out_, [&](const Ended& ended) { return is_void(ended, false); });
    matches_ = kept;
  }
  bool Voids(const Places& match, int start) const {
    const int skip_to = spec_.IndexOf(spec_.skip_to);
    switch (spec_.skip) {
      case Skip::kNone:
        return false;
      case Skip::kToNext:
        return start == match.front().at;
      case Skip::kPastLast:
        return start <= match.back().at;
      case Skip::kToFirst:
        for (auto place = match.begin(); place != match.end(); ++place) {
          if (place->stage == skip_to) return start < place->at;
        }
        return false;
      case Skip::kToLast:
        for (auto place = match.rbegin(); place != match.rend(); ++place) {
          if (place->stage == skip_to) return start < place->at;
        }
        return false;
    }
    return false;
  }

  const std::vector<Letters>& letters_;
  const PatternSpec& spec_;
  const std::string& input_;
  const int size_;
  std::vector<Ended> matches_;
  std::vector<Ended> timed_out_;
};

Letters RandomStage(std::mt19937& random, bool first) {
  constexpr const char* kSets[] = {"a", "b", "c", "ab", "bc", "abc"};
  constexpr Contiguity kContiguities[] = {Contiguity::kStrict, Contiguity::kRelaxed, Contiguity::kAny};
  Letters letters = L(kSets[random() % 6], first ? Contiguity::kAny : kContiguities[random() % 3]);
  Stage& stage = letters.stage;
  if (!first && random() % 5 == 0) {
    stage.negated = true;
    if (stage.entry == Contiguity::kAny) stage.entry = Contiguity::kRelaxed;
    return letters;
  }
  stage.optional = random() % 4 == 0;
  if (random() % 2 == 0) {
    stage.times_min = 1 + static_cast<int>(random() % 2);
    stage.times_max = random() % 2 == 0 ? kUnbounded : stage.times_min + static_cast<int>(random() % 2);
  }
  if (stage.loops()) stage.inner = kContiguities[random() % 3];
  stage.greedy = (stage.loops() || stage.optional) && stage.inner != Contiguity::kAny && random() % 3 == 0;
  if (stage.times_max == kUnbounded && random() % 3 == 0) {
    stage.has_until = true;
    letters.until = kSets[random() % 3];
  }
  return letters;
}

}  // namespace

Letters L(const std::string& set, Contiguity entry) {
  Letters letters;
  letters.stage.name = letters.set = set;
  letters.stage.entry = entry;
  return letters;
}

Letters Not(const std::string& set, Contiguity entry) {
  Letters letters = L(set, entry);
  letters.stage.negated = true;
  return letters;
}

std::vector<std::string> RunLetters(const std::vector<Letters>& letters, const std::string& input, PatternSpec spec,
                                    std::vector<std::string>* timed_out, MatchState* state) {
  const Nfa nfa(WithStages(std::move(spec), letters));
  MatchState own;
  MatchState& at = state == nullptr ? own : *state;
  LetterConditions conditions(letters);
  std::vector<int> where;  // by event
  std::vector<std::string> matches;
  if (timed_out != nullptr) timed_out->clear();
  const auto text_of = [&](const Found& found) {
    Places places;
    for (const Step& step : found.path) places.push_back({step.stage, where[static_cast<size_t>(step.event)]});
    return TextOf(places, input);
  };
  const auto take = [&](const Outcome& outcome) {
    for (const Found& found : outcome.matches) matches.push_back(text_of(found));
    for (const Found& found : outcome.timed_out) {
      if (timed_out != nullptr) timed_out->push_back(text_of(found));
    }
    if (outcome.too_many) throw TooMany();
  };
  for (int i = 0; i < static_cast<int>(input.size()); ++i) {
    Outcome by_time;
    nfa.Expire(at, i, by_time);
    take(by_time);
    conditions.letter = input[static_cast<size_t>(i)];
    Outcome by_event;
    nfa.Advance(at, i, conditions, by_event);
    if (by_event.taken) where.push_back(i);
    take(by_event);
  }
  Outcome at_end;
  nfa.Expire(at, INT32_MAX, at_end);
  take(at_end);
  if (timed_out != nullptr) std::sort(timed_out->begin(), timed_out->end());
  return matches;
}

Expected Enumerate(const std::vector<Letters>& letters, PatternSpec spec, const std::string& input) {
  spec = WithStages(std::move(spec), letters);
  return Enumeration(letters, spec, input).Result();
}

std::string RandomPattern::Text() const {
  const PatternSpec whole = WithStages(spec, letters);
  std::string text = whole.Describe() + ", skip " + std::to_string(static_cast<int>(spec.skip)) + " " + spec.skip_to;
  for (const Letters& each : letters) text += "; " + each.stage.name + "=" + each.set + "/" + each.until;
  return text;
}

RandomPattern MakeRandomPattern(std::mt19937& random) {
  while (true) {
    RandomPattern pattern;
    const size_t stages = 1 + random() % 4;
    for (size_t i = 0; i < stages; ++i) {
      pattern.letters.push_back(RandomStage(random, i == 0));
      pattern.letters.back().stage.name = "s" + std::to_string(i);
    }
    if (random() % 2 == 0) pattern.spec.within_ms = 2 + static_cast<int64_t>(random() % 5);
    pattern.spec.skip = static_cast<Skip>(random() % 5);
    pattern.spec.skip_to = "s" + std::to_string(random() % stages);
    if (WithStages(pattern.spec, pattern.letters).Check().empty()) return pattern;
  }
}

}  // namespace penstock::cep
