// Environment: where a job's graph begins. Given to the function that PENSTOCK_JOB defines.
//
// Owner: the thread that builds the graph. Streams refer to it and must not outlive it.
#ifndef PENSTOCK_ENVIRONMENT_H_
#define PENSTOCK_ENVIRONMENT_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "runtime/graph/logical_graph.h"
#include "runtime/operators/edge_writers.h"
#include "runtime/operators/source_operator.h"
#include "runtime/record/serde.h"
#include "runtime/task/factories.h"

namespace penstock {

template <class T>
class DataStream;

class Environment {
 public:
  Environment() : graph_(std::make_shared<LogicalGraph>()) {}
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

  // Begins a stream. Source is a description as in penstock/source.h: kafka::Source{...}, datagen::Source<T>{...}.
  template <class Source>
  DataStream<typename Source::Output> source(std::string name, Source source);

  // For the API's own headers and for programs that plan.
  LogicalGraph& graph() { return *graph_; }
  std::shared_ptr<const LogicalGraph> shared_graph() const { return graph_; }
  LogicalNode& AddNode(LogicalNode node) {
    node.id = static_cast<int>(graph_->nodes.size());
    graph_->nodes.push_back(std::move(node));
    return graph_->nodes.back();
  }
  void AddError(std::string error) { graph_->errors.push_back(std::move(error)); }

 private:
  const std::shared_ptr<LogicalGraph> graph_;
};

}  // namespace penstock

#endif  // PENSTOCK_ENVIRONMENT_H_
