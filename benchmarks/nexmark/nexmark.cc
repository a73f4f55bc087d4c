// The queries of Nexmark, one at a time.
//
//   penstock run nexmark --query q5 --events 10000000 --density 100000 [--rate 500000] [--out DIR]
#include <fmt/format.h>
#include <penstock/job.h>

#include <map>
#include <stdexcept>
#include <string>

#include "benchmarks/nexmark/feed.h"

using namespace penstock;

PENSTOCK_JOB("nexmark", (Environment & env, const Args& args)) {
  using namespace nexmark;
  const std::map<std::string, void (*)(Feed&)> queries = {
      {"q0", Q0},   {"q1", Q1},   {"q2", Q2},   {"q3", Q3},   {"q4", Q4},   {"q5", Q5},   {"q7", Q7},   {"q8", Q8},
      {"q9", Q9},   {"q10", Q10}, {"q11", Q11}, {"q12", Q12}, {"q13", Q13}, {"q14", Q14}, {"q15", Q15}, {"q16", Q16},
      {"q17", Q17}, {"q18", Q18}, {"q19", Q19}, {"q20", Q20}, {"q21", Q21}, {"q22", Q22}, {"q23", Q23}};
  const std::string name = args.get("query", "q0");
  const auto query = queries.find(name);
  if (query == queries.end()) {
    std::string names;
    for (const auto& [each, run] : queries) names += " " + each;
    throw std::invalid_argument("--query " + name + " is none of" + names);
  }
  Feed feed(env, args);
  query->second(feed);
}
