// State of an operator that belongs to no key: named lists of items (bytes, and files), handed in at a barrier and
// given back after a restore, dealt out anew when the parallelism has changed.
#ifndef PENSTOCK_RUNTIME_TASK_OPERATOR_STATE_H_
#define PENSTOCK_RUNTIME_TASK_OPERATOR_STATE_H_

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace penstock {

class StateFile;

enum class OperatorStateKind {
  kSplit,      // items are dealt out among the subtasks
  kUnion,      // every subtask gets the items of all
  kBroadcast,  // alike in all subtasks: each gets those of one
};

struct OperatorState {
  OperatorStateKind kind = OperatorStateKind::kSplit;
  std::vector<std::string> items;
  std::vector<std::vector<std::shared_ptr<const StateFile>>> files;  // by item; items behind its end have none
};

// Collects one operator's state at one barrier. Owner: the task's thread, during Operator::Snapshot.
class OperatorStateWriter {
 public:
  // A second Put of a name replaces the first.
  void Put(const std::string& name, OperatorStateKind kind, std::vector<std::string> items) {
    states_[name] = {kind, std::move(items), {}};
  }
  void Put(const std::string& name, OperatorState state) { states_[name] = std::move(state); }
  const std::map<std::string, OperatorState>& states() const { return states_; }

 private:
  std::map<std::string, OperatorState> states_;
};

// What a subtask gets back. Immutable; lives as long as the task.
class RestoredState {
 public:
  void Add(const std::string& name, std::vector<std::string> items) {
    for (std::string& item : items) Add(name, std::move(item), {});
  }
  void Add(const std::string& name, std::string item, std::vector<std::shared_ptr<const StateFile>> files) {
    OperatorState& all = states_[name];
    all.items.push_back(std::move(item));
    all.files.push_back(std::move(files));
  }
  // Empty when nothing of that name was handed in.
  const std::vector<std::string>& Items(const std::string& name) const { return Get(name).items; }
  const OperatorState& Get(const std::string& name) const {
    static const OperatorState none;
    const auto found = states_.find(name);
    return found != states_.end() ? found->second : none;
  }

 private:
  std::map<std::string, OperatorState> states_;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_TASK_OPERATOR_STATE_H_
