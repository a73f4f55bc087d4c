// What every query begins and ends with: the streams of events, and where its rows go.
#ifndef PENSTOCK_BENCHMARKS_NEXMARK_FEED_H_
#define PENSTOCK_BENCHMARKS_NEXMARK_FEED_H_

#include <penstock/args.h>
#include <penstock/connectors/discard.h>
#include <penstock/stream.h>

#include <string>
#include <utility>

#include "benchmarks/nexmark/model.h"

namespace penstock::nexmark {

class Feed {
 public:
  Feed(Environment& env, const Args& args);

  const DataStream<Person>& people() const { return people_; }
  const DataStream<Auction>& auctions() const { return auctions_; }
  const DataStream<Bid>& bids() const { return bids_; }

  // Rows are dropped, unless the job has --out: then they are lines, as format makes them.
  template <class Row, class Format>
  void Write(const DataStream<Row>& rows, Format format) {
    if (writes_) {
      WriteLines(rows.map(std::move(format)));
    } else {
      rows.sink("rows", discard::Sink{});
    }
  }

 private:
  explicit Feed(const DataStream<Event>& events, const Args& args);
  void WriteLines(DataStream<std::string> lines);

  bool writes_;
  std::string out_;
  DataStream<Person> people_;
  DataStream<Auction> auctions_;
  DataStream<Bid> bids_;
};

// ---- the queries, by their number in the published suite ----
void Q0(Feed& feed);
void Q1(Feed& feed);
void Q2(Feed& feed);
void Q3(Feed& feed);
void Q4(Feed& feed);
void Q5(Feed& feed);
void Q7(Feed& feed);
void Q8(Feed& feed);
void Q9(Feed& feed);
void Q10(Feed& feed);
void Q11(Feed& feed);
void Q12(Feed& feed);
void Q13(Feed& feed);
void Q14(Feed& feed);
void Q15(Feed& feed);
void Q16(Feed& feed);
void Q17(Feed& feed);
void Q18(Feed& feed);
void Q19(Feed& feed);
void Q20(Feed& feed);
void Q21(Feed& feed);
void Q22(Feed& feed);
void Q23(Feed& feed);

}  // namespace penstock::nexmark

#endif  // PENSTOCK_BENCHMARKS_NEXMARK_FEED_H_
