// Queries by windows: 5, 7, 8, 11, 12.
#include <fmt/format.h>
#include <penstock/joins.h>
#include <penstock/windows.h>

#include <vector>

#include "benchmarks/nexmark/feed.h"

namespace penstock::nexmark {
namespace {

using namespace std::chrono_literals;
using Counted = WindowResult<int64_t, int64_t>;

std::string TextOf(const Counted& row) { return fmt::format("{}|{}|{}|{}", row.key, row.value, row.start, row.end); }

// Those with the most, of one window.
struct Most {
  struct Accumulator {
    int64_t most = 0;
    std::vector<Counted> rows;
  };
  void add(Accumulator& best, const Counted& row) const {
    if (row.value < best.most) return;
    if (row.value > best.most) best.rows.clear();
    best.most = row.value;
    best.rows.push_back(row);
  }
  void merge(Accumulator& into, const Accumulator& from) const {
    for (const Counted& row : from.rows) add(into, row);
  }
  Accumulator result(const Accumulator& best) const { return best; }
};

struct Highest {
  struct Accumulator {
    int64_t price = -1;
    std::vector<Bid> bids;
  };
  void add(Accumulator& best, const Bid& bid) const {
    if (bid.price < best.price) return;
    if (bid.price > best.price) best.bids.clear();
    best.price = bid.price;
    best.bids.push_back(bid);
  }
  void merge(Accumulator& into, const Accumulator& from) const {
    for (const Bid& bid : from.bids) add(into, bid);
  }
  Accumulator result(const Accumulator& best) const { return best; }
};

struct NewSeller {
  int64_t id = 0;
  std::string name;
  int64_t start_ms = 0;
};

}  // namespace

// The auctions with the most bids of the last ten seconds, every two.
void Q5(Feed& feed) {
  auto rows =
      feed.bids()
          .key_by(&Bid::auction)
          .window(sliding(10s, 2s))
          .aggregate("bids", Count{})
          .window_all(tumbling(2s))
          .aggregate<Counted>("most", Most{},
                              [](const Most::Accumulator& best, WindowContext<NoKey>&, Collector<Counted>& out) {
                                for (const Counted& row : best.rows) out.emit(row);
                              });
  feed.Write(rows, TextOf);
}

// The highest bid of each ten seconds.
void Q7(Feed& feed) {
  auto rows = feed.bids()
                  .window_all(tumbling(10s))
                  .aggregate<Bid>("highest", Highest{},
                                  [](const Highest::Accumulator& best, WindowContext<NoKey>&, Collector<Bid>& out) {
                                    for (const Bid& bid : best.bids) out.emit(bid);
                                  });
  feed.Write(rows, [](const Bid& bid) {
    return fmt::format("{}|{}|{}|{}|{}", bid.auction, bid.price, bid.bidder, bid.time_ms, bid.extra);
  });
}

// People who came and opened an auction within the same ten seconds.
void Q8(Feed& feed) {
  auto rows =
      feed.people()
          .key_by(&Person::id)
          .join(feed.auctions().key_by(&Auction::seller))
          .window(tumbling(10s))
          .co_group<NewSeller>("sellers", [](const std::vector<Person>& people, const std::vector<Auction>& auctions,
                                             WindowContext<int64_t>& context, Collector<NewSeller>& out) {
            if (auctions.empty()) return;
            for (const Person& person : people) out.emit({person.id, person.name, context.window().start});
          });
  feed.Write(rows, [](const NewSeller& row) { return fmt::format("{}|{}|{}", row.id, row.name, row.start_ms); });
}

// Bids per user and visit.
void Q11(Feed& feed) {
  feed.Write(feed.bids().key_by(&Bid::bidder).window(session(10s)).aggregate("visits", Count{}), TextOf);
}

// Bids per user and ten seconds of processing time.
void Q12(Feed& feed) {
  feed.Write(feed.bids().key_by(&Bid::bidder).window(tumbling(10s).processing_time()).aggregate("bids", Count{}),
             TextOf);
}

}  // namespace penstock::nexmark
