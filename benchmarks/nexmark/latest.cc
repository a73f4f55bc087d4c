// The last, and the best: 18, 19.
#include <fmt/format.h>
#include <penstock/stream.h>

#include <algorithm>
#include <vector>

#include "benchmarks/nexmark/feed.h"

namespace penstock::nexmark {
namespace {

constexpr size_t kBest = 10;

struct BidderAuction {
  int64_t bidder = 0;
  int64_t auction = 0;
  bool operator==(const BidderAuction&) const = default;
};

struct Last {
  ValueState<int64_t> time_ms{"time_ms"};
  void operator()(const Bid& bid, KeyedContext<BidderAuction>&, Collector<Bid>& out) {
    if (time_ms.has_value() && bid.time_ms <= time_ms.value()) return;
    time_ms.set(bid.time_ms);
    out.emit(bid);
  }
};

struct Placed {
  int64_t rank = 0;
  int64_t version = 0;  // grows with each row of an auction
  Bid bid;
};

bool Better(const Bid& a, const Bid& b) { return a.price != b.price ? a.price > b.price : a.time_ms < b.time_ms; }

// Tells each place that changes.
struct Best {
  ListState<Bid> bids{"bids"};
  ValueState<int64_t> version{"version"};
  void operator()(const Bid& bid, KeyedContext<int64_t>&, Collector<Placed>& out) {
    if (bids.values().size() == kBest && !Better(bid, bids.values().back())) return;
    std::vector<Bid>& best = bids.mutable_values();
    const auto at = best.insert(std::upper_bound(best.begin(), best.end(), bid, Better), bid);
    if (best.size() > kBest) best.pop_back();
    for (auto place = static_cast<size_t>(at - best.begin()); place < best.size(); ++place) {
      out.emit({static_cast<int64_t>(place) + 1, ++version.mutable_value(), best[place]});
    }
  }
};

}  // namespace

void Q18(Feed& feed) {
  auto rows = feed.bids()
                  .key_by([](const Bid& bid) {
                    return BidderAuction{bid.bidder, bid.auction};
                  })
                  .process<Bid>("last", Last{});
  feed.Write(rows, [](const Bid& bid) {
    return fmt::format("{}|{}|{}|{}|{}|{}|{}", bid.auction, bid.bidder, bid.time_ms, bid.price, bid.channel, bid.url,
                       bid.extra);
  });
}

void Q19(Feed& feed) {
  feed.Write(feed.bids().key_by(&Bid::auction).process<Placed>("best", Best{}), [](const Placed& row) {
    const Bid& bid = row.bid;
    return fmt::format("{}|{}|{}|{}|{}|{}|{}", bid.auction, row.rank, row.version, bid.bidder, bid.price, bid.time_ms,
                       bid.extra);
  });
}

}  // namespace penstock::nexmark
