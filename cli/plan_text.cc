#include "cli/plan_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

namespace penstock::cli {
namespace {

std::string OperatorText(const proto::Operator& op) {
  std::string text = fmt::format("      {} [{}]", op.name(), op.kind());
  if (!op.uid().empty() && op.uid() != op.name()) text += fmt::format(" uid={}", op.uid());
  if (!op.description().empty()) text += "  " + op.description();
  if (!op.output_type().empty()) text += "  -> " + op.output_type();
  if (!op.delivery().empty()) text += "  delivery=" + op.delivery();
  text += "\n";
  for (const proto::StateDeclaration& state : op.states()) {
    text += fmt::format("          state {} ({}): {}{}\n", state.name(), state.kind(),
                        state.key_type().empty() ? "" : state.key_type() + " -> ", state.value_type());
  }
  return text;
}

}  // namespace

std::string PlanText(const proto::JobGraph& graph) {
  std::map<std::string, int> numbers;
  for (const proto::Vertex& vertex : graph.vertices()) {
    const int number = static_cast<int>(numbers.size()) + 1;
    numbers.emplace(vertex.id(), number);
  }
  int slots = 0;
  for (const proto::Vertex& vertex : graph.vertices()) slots = std::max(slots, vertex.parallelism());
  std::string text = fmt::format("Job {} (uid {}), parallelism {}, {} key groups, needs {} slot{}\n", graph.name(),
                                 graph.uid(), graph.parallelism(), graph.key_groups(), slots, slots == 1 ? "" : "s");
  for (const proto::Vertex& vertex : graph.vertices()) {
    text += fmt::format("\n  {}. {}  x{}\n", numbers[vertex.id()], vertex.name(), vertex.parallelism());
    for (const proto::Operator& op : vertex.operators()) text += OperatorText(op);
    for (const proto::Edge& edge : graph.edges()) {
      if (edge.from() != vertex.id()) continue;
      text += fmt::format("      => {}. by {}{}\n", numbers[edge.to()], edge.partitioning(),
                          edge.type().empty() ? "" : ", " + edge.type());
    }
  }
  return text;
}

}  // namespace penstock::cli
