#include "runtime/operators/cep/nfa.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace penstock::cep {
namespace {

constexpr uint64_t Bit(int stage) { return uint64_t{1} << stage; }
constexpr uint64_t Below(int stage) { return Bit(stage) - 1; }

Path PathTo(const MatchState& state, int32_t node) {
  Path path;
  for (; node >= 0; node = state.nodes[node].parent) path.push_back({state.nodes[node].stage, state.nodes[node].event});
  std::reverse(path.begin(), path.end());
  return path;
}

MatchEvent& EventOf(MatchState& state, int64_t id) {
  return *std::lower_bound(state.events.begin(), state.events.end(), id,
                           [](const MatchEvent& event, int64_t wanted) { return event.id < wanted; });
}

int32_t AddNode(MatchState& state, int64_t event, int32_t parent, int stage) {
  if (parent >= 0) ++state.nodes[parent].references;
  ++EventOf(state, event).nodes;
  int32_t index = state.first_free;
  if (index >= 0) {
    state.first_free = state.nodes[index].parent;
  } else {
    index = static_cast<int32_t>(state.nodes.size());
    state.nodes.emplace_back();
  }
  state.nodes[index] = {.event = event, .parent = parent, .stage = stage, .references = 1};
  return index;
}

void Release(MatchState& state, int32_t index, Outcome& outcome) {
  while (index >= 0 && --state.nodes[index].references == 0) {
    MatchNode& node = state.nodes[index];
    if (MatchEvent& event = EventOf(state, node.event); --event.nodes == 0) {
      outcome.released.push_back(event.id);
      state.events.erase(state.events.begin() + (&event - state.events.data()));
    }
    const int32_t parent = std::exchange(node.parent, state.first_free);
    state.first_free = index;
    index = parent;
  }
}

// Drops the partial matches for which drop(PartialMatch&) holds.
template <class Drop>
void DropIf(MatchState& state, Outcome& outcome, Drop drop) {
  std::erase_if(state.partial, [&](PartialMatch& partial) {
    if (!drop(partial)) return false;
    Release(state, partial.node, outcome);
    return true;
  });
}

// Who began first; of those the longer one; then by their events.
bool ComesBefore(const Found& a, const Found& b) {
  if (a.path.front().event != b.path.front().event) return a.path.front().event < b.path.front().event;
  if (a.path.size() != b.path.size()) return a.path.size() > b.path.size();
  for (size_t i = 0; i < a.path.size(); ++i) {
    if (a.path[i] == b.path[i]) continue;
    return std::pair(a.path[i].event, a.path[i].stage) < std::pair(b.path[i].event, b.path[i].stage);
  }
  return false;
}

}  // namespace

// What the conditions say of one event: simple ones are asked once, others once per partial match.
class Nfa::Verdicts {
 public:
  Verdicts(const Nfa& nfa, const MatchState& state, Conditions& conditions)
      : nfa_(nfa), state_(state), conditions_(conditions) {}
  void SetPartial(const PartialMatch* partial) {
    partial_ = partial;
    path_.reset();
  }
  bool Holds(int stage) {
    if (!nfa_.spec_.stages[stage].simple) return conditions_.Holds(stage, PathSoFar());
    if ((asked_ & Bit(stage)) == 0) {
      asked_ |= Bit(stage);
      if (conditions_.Holds(stage, {})) true_ |= Bit(stage);
    }
    return (true_ & Bit(stage)) != 0;
  }
  bool Until(int stage) { return nfa_.spec_.stages[stage].has_until && conditions_.Until(stage, PathSoFar()); }

 private:
  const Path& PathSoFar() {
    if (!path_) path_ = PathTo(state_, partial_ == nullptr ? -1 : partial_->node);
    return *path_;
  }

  const Nfa& nfa_;
  const MatchState& state_;
  Conditions& conditions_;
  const PartialMatch* partial_ = nullptr;
  std::optional<Path> path_;
  uint64_t asked_ = 0;
  uint64_t true_ = 0;
};

Nfa::Nfa(PatternSpec spec) : spec_(std::move(spec)), fingerprint_(spec_.Fingerprint()) { ComputeEntries(); }

void Nfa::ComputeEntries() {
  const int stages = static_cast<int>(spec_.stages.size());
  if (spec_.ends_negated()) finish_ = stages - 1;
  // What can come behind stage `from`; -1: first.
  const auto behind = [&](int from, bool& ends) {
    uint64_t entries = 0;
    ends = false;
    for (int stage = from + 1; stage < stages; ++stage) {
      if (spec_.stages[stage].negated) continue;
      entries |= Bit(stage);
      if (!spec_.stages[stage].optional) return entries;
    }
    ends = finish_ < 0;
    return finish_ < 0 ? entries : entries | Bit(finish_);
  };
  bool ends = false;
  begin_ = behind(-1, ends);
  for (int stage = 0; stage < stages; ++stage) {
    entries_.push_back(behind(stage, ends));
    ends_.push_back(ends);
  }
}

uint64_t Nfa::OpenAfter(int stage, int count) const {
  const Stage& of = spec_.stages[stage];
  return (count < of.times_max ? Bit(stage) : 0) | (count >= of.times_min ? entries_[stage] : 0);
}

uint64_t Nfa::WithoutNegated(const Position& position, uint64_t open, Verdicts& verdicts) const {
  for (int stage = position.partial->stage + 1; (open >> stage) != 0; ++stage) {
    const Stage& negated = spec_.stages[stage];
    if (!negated.negated || (negated.entry == Contiguity::kStrict && !position.partial->fresh)) continue;
    if (verdicts.Holds(stage)) return open & Below(stage);
  }
  return open;
}

uint64_t Nfa::Look(const Position& position, Verdicts& verdicts, TimestampMs time_ms, std::vector<Taken>& taken) const {
  const PartialMatch* const partial = position.partial;
  verdicts.SetPartial(partial);
  uint64_t left = partial == nullptr ? position.open : WithoutNegated(position, position.open, verdicts);
  for (uint64_t todo = left; todo != 0; todo &= todo - 1) {
    const int stage = std::countr_zero(todo);
    if (stage == finish_) continue;
    const Stage& of = spec_.stages[stage];
    const bool loop = partial != nullptr && stage == partial->stage;
    const bool until = verdicts.Until(stage);
    const bool takes = !until && verdicts.Holds(stage);
    if (takes) {
      PartialMatch grown = partial == nullptr ? PartialMatch{.start_ms = time_ms} : *partial;
      grown.stage = stage;
      grown.count = loop ? grown.count + 1 : 1;
      taken.push_back({grown, partial == nullptr ? -1 : partial->node});
    }
    const Contiguity contiguity = loop ? of.inner : of.entry;
    if (contiguity == Contiguity::kStrict || (contiguity == Contiguity::kRelaxed && takes) || (loop && until)) {
      left &= ~Bit(stage);
    }
    if (takes && of.greedy) return left & (Below(stage) | Bit(stage));
  }
  return left;
}

void Nfa::Advance(MatchState& state, TimestampMs time_ms, Conditions& conditions, Outcome& outcome) const {
  Verdicts verdicts(*this, state, conditions);
  std::vector<Taken> taken;
  std::vector<uint64_t> left;
  for (const PartialMatch& partial : state.partial) {
    left.push_back(Look({&partial, partial.open}, verdicts, time_ms, taken));
    // Another event came next than the one that must not.
    if (finish_ >= 0 && spec_.stages[finish_].entry == Contiguity::kStrict && (left.back() & Bit(finish_)) != 0) {
      outcome.matches.push_back({PathTo(state, partial.node), time_ms});
      left.back() &= ~Bit(finish_);
    }
  }
  Look({nullptr, begin_}, verdicts, time_ms, taken);
  const size_t before = state.partial.size();
  if (!taken.empty()) Grow(state, taken, time_ms, outcome);
  for (size_t i = 0; i < before; ++i) {
    state.partial[i].open = left[i];
    state.partial[i].fresh = false;
  }
  DropIf(state, outcome, [](const PartialMatch& partial) { return partial.open == 0; });
  Skipped(state, outcome.matches, outcome);
  outcome.too_many = static_cast<int64_t>(state.partial.size()) > spec_.partial_matches_max;
}

void Nfa::Grow(MatchState& state, const std::vector<Taken>& taken, TimestampMs time_ms, Outcome& outcome) const {
  const int64_t event = state.next_event++;
  outcome.taken = event;
  state.events.push_back({.id = event});
  for (const Taken& each : taken) {
    PartialMatch grown = each.grown;
    if (each.parent < 0) grown.start_event = event;
    grown.node = AddNode(state, event, each.parent, grown.stage);
    grown.open = OpenAfter(grown.stage, grown.count);
    grown.fresh = true;
    grown.complete = ends_[grown.stage] && grown.count >= spec_.stages[grown.stage].times_min;
    if (grown.complete) outcome.matches.push_back({PathTo(state, grown.node), time_ms});
    state.partial.push_back(grown);
  }
}

void Nfa::Expire(MatchState& state, TimestampMs now_ms, Outcome& outcome) const {
  if (spec_.within_ms == 0) return;
  std::vector<Found> matches;
  DropIf(state, outcome, [&](const PartialMatch& partial) {
    if (partial.start_ms + spec_.within_ms > now_ms) return false;
    const bool finished = finish_ >= 0 && (partial.open & Bit(finish_)) != 0;
    Found found{PathTo(state, partial.node), partial.start_ms + spec_.within_ms};
    if (finished) {
      matches.push_back(std::move(found));
    } else if (!partial.complete) {
      outcome.timed_out.push_back(std::move(found));
    }
    return true;
  });
  Skipped(state, matches, outcome);
  for (Found& match : matches) outcome.matches.push_back(std::move(match));
}

// Matches in their order, each of which may make void those behind it, and partial ones.
void Nfa::Skipped(MatchState& state, std::vector<Found>& matches, Outcome& outcome) const {
  if (matches.empty()) return;
  std::sort(matches.begin(), matches.end(), ComesBefore);
  if (spec_.skip == Skip::kNone) return;
  const int skip_to = spec_.IndexOf(spec_.skip_to);
  for (size_t i = 0; i < matches.size(); ++i) {
    const Path& path = matches[i].path;
    int64_t from = path.front().event;  // those that began from here,
    int64_t to = from;                  // up to there, are void
    if (spec_.skip != Skip::kToNext) from = 0;
    if (spec_.skip == Skip::kPastLast) to = path.back().event;
    if (spec_.skip == Skip::kToFirst || spec_.skip == Skip::kToLast) {
      const auto is_it = [&](const Step& step) { return step.stage == skip_to; };
      const auto first = std::find_if(path.begin(), path.end(), is_it);
      if (first == path.end()) continue;  // the stage is optional, and has taken nothing
      to = (spec_.skip == Skip::kToFirst ? *first : *std::find_if(path.rbegin(), path.rend(), is_it)).event - 1;
    }
    const auto is_void = [&](int64_t start) { return start >= from && start <= to; };
    matches.erase(std::remove_if(matches.begin() + static_cast<ptrdiff_t>(i) + 1, matches.end(),
                                 [&](const Found& other) { return is_void(other.path.front().event); }),
                  matches.end());
    DropIf(state, outcome, [&](const PartialMatch& partial) { return is_void(partial.start_event); });
  }
}

}  // namespace penstock::cep
