// What is kept of a key while its events are matched. A plain struct: Serde reflects it (record/serde.h), so its
// members are a format; new ones go to the end.
//
// The paths of all partial matches form trees that share their beginnings: a node is an event taken by a stage, and
// points to the one taken before it. After the shared match buffer of Agrawal, Diao, Gyllstrom and Immerman, "Efficient
// Pattern Matching over Event Streams", SIGMOD 2008; without versions on its edges, since no two paths ever join.
#ifndef PENSTOCK_RUNTIME_OPERATORS_CEP_MATCH_STATE_H_
#define PENSTOCK_RUNTIME_OPERATORS_CEP_MATCH_STATE_H_

#include <cstdint>
#include <vector>

namespace penstock::cep {

struct MatchNode {
  int64_t event = 0;
  int32_t parent = -1;  // index of a node; of a free one: the next free one
  int32_t stage = 0;
  int32_t references = 0;  // nodes and partial matches that point to it; 0: free
};

// An event that nodes refer to, kept under its id.
struct MatchEvent {
  int64_t id = 0;
  int32_t nodes = 0;
};

struct PartialMatch {
  int32_t node = -1;  // what was taken last
  int32_t stage = 0;  // by which
  int32_t count = 0;  // how many the stage has taken
  uint64_t open = 0;  // bit s: stage s may take an event yet
  int64_t start_event = 0;
  int64_t start_ms = 0;
  bool fresh = true;      // no event has come since
  bool complete = false;  // it is a match already, and may become a longer one
};

struct MatchState {
  uint64_t pattern = 0;  // PatternSpec::Fingerprint
  int64_t next_event = 0;
  int32_t first_free = -1;  // index of a node
  std::vector<MatchNode> nodes;
  std::vector<MatchEvent> events;  // by id
  std::vector<PartialMatch> partial;
};

}  // namespace penstock::cep

#endif  // PENSTOCK_RUNTIME_OPERATORS_CEP_MATCH_STATE_H_
