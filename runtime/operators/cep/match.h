// Match<T>: the events of a match, whole or partial, by the names of the pattern's stages.
//
// Valid during the call it was given to. Events are read from state when they are asked for.
#ifndef PENSTOCK_RUNTIME_OPERATORS_CEP_MATCH_H_
#define PENSTOCK_RUNTIME_OPERATORS_CEP_MATCH_H_

#include <map>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "runtime/operators/cep/nfa.h"

namespace penstock {

namespace cep {

// The events that a key's partial matches have taken.
template <class T>
class KeptEvents {
 public:
  virtual ~KeptEvents() = default;
  virtual T EventOf(int64_t id) const = 0;
};

// The stage's index. std::invalid_argument, with all names, when there is none.
int StageOf(const PatternSpec& spec, const std::string& name);

}  // namespace cep

template <class T>
class Match {
 public:
  Match(const cep::PatternSpec& spec, const cep::Path& path, const cep::KeptEvents<T>& events)
      : spec_(spec), path_(path), events_(events) {}
  Match(const Match&) = delete;
  Match& operator=(const Match&) = delete;

  // The events a stage has taken, in order; none for one that was passed over, or says what must not come.
  const std::vector<T>& all(const std::string& stage) const {
    const int index = cep::StageOf(spec_, stage);
    const auto [at, fresh] = read_.try_emplace(index);
    if (fresh) {
      for (const cep::Step& step : path_) {
        if (step.stage == index) at->second.push_back(events_.EventOf(step.event));
      }
    }
    return at->second;
  }
  bool has(const std::string& stage) const { return !all(stage).empty(); }
  // REQUIRES: has(stage); else std::out_of_range.
  const T& first(const std::string& stage) const { return AtLeastOne(stage).front(); }
  const T& last(const std::string& stage) const { return AtLeastOne(stage).back(); }
  // Events of all stages together.
  size_t size() const { return path_.size(); }

 private:
  const std::vector<T>& AtLeastOne(const std::string& stage) const {
    const std::vector<T>& events = all(stage);
    if (events.empty()) throw std::out_of_range("stage '" + stage + "' has no event in this match: ask has() first");
    return events;
  }

  const cep::PatternSpec& spec_;
  const cep::Path& path_;
  const cep::KeptEvents<T>& events_;
  mutable std::map<int, std::vector<T>> read_;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_CEP_MATCH_H_
