// Running totals: 15, 16, 17.
//
// 15 and 16 count distinct bidders and auctions per day. What is distinct is found by bidder and by auction, all over
// the cluster; what is new there, and how many bids there were, is added up within a second of event time before it
// goes to the day's total, so that one day does not bind one subtask. A total is told once a second of event time.
#include <fmt/format.h>
#include <penstock/windows.h>

#include <algorithm>
#include <array>
#include <compare>

#include "benchmarks/nexmark/feed.h"
#include "benchmarks/nexmark/rows.h"

namespace penstock::nexmark {
namespace {

using namespace std::chrono_literals;

struct Group {
  int64_t day = 0;
  std::string channel;  // query 15: empty
  auto operator<=>(const Group&) const = default;
};

struct Totals {
  int64_t bids = 0, bids1 = 0, bids2 = 0, bids3 = 0;
  int64_t bidders = 0, bidders1 = 0, bidders2 = 0, bidders3 = 0;
  int64_t auctions = 0, auctions1 = 0, auctions2 = 0, auctions3 = 0;
  int64_t last_minute = 0;
};

struct Part {
  Group group;
  Totals more;
};

void Add(Totals& into, const Totals& more) {
  for (int64_t Totals::*member : {&Totals::bids, &Totals::bids1, &Totals::bids2, &Totals::bids3, &Totals::bidders,
                                  &Totals::bidders1, &Totals::bidders2, &Totals::bidders3, &Totals::auctions,
                                  &Totals::auctions1, &Totals::auctions2, &Totals::auctions3}) {
    into.*member += more.*member;
  }
  into.last_minute = std::max(into.last_minute, more.last_minute);
}

struct AddParts {
  using Accumulator = Totals;
  void add(Totals& into, const Part& part) const { Add(into, part.more); }
  void merge(Totals& into, const Totals& from) const { Add(into, from); }
  Totals result(const Totals& totals) const { return totals; }
};

Group GroupOf(const Bid& bid, bool by_channel) {
  return {DayOf(bid.time_ms), by_channel ? bid.channel : std::string()};
}

// The first time that somebody is seen in a group, in all and in each class of prices.
template <int64_t Totals::*kAll, int64_t Totals::*k1, int64_t Totals::*k2, int64_t Totals::*k3>
struct Newcomers {
  bool by_channel = false;
  MapState<Group, uint8_t> seen{"seen"};  // bits: at all, in class 1, 2, 3

  void operator()(const Bid& bid, KeyedContext<int64_t>&, Collector<Part>& out) {
    const Group group = GroupOf(bid, by_channel);
    const uint8_t before = seen.get(group).value_or(0);
    const int rank = RankOf(bid.price);
    const auto now = static_cast<uint8_t>(before | 1 | 2 << rank);
    if (now == before) return;
    seen.put(group, now);
    Part part{.group = group};
    constexpr std::array kRanks = {k1, k2, k3};
    part.more.*kAll = before == 0 ? 1 : 0;
    part.more.*kRanks[static_cast<size_t>(rank)] = 1;
    out.emit(part);
  }
};
using NewBidders = Newcomers<&Totals::bidders, &Totals::bidders1, &Totals::bidders2, &Totals::bidders3>;
using NewAuctions = Newcomers<&Totals::auctions, &Totals::auctions1, &Totals::auctions2, &Totals::auctions3>;

struct TotalRow {
  Group group;
  int64_t version = 0;  // grows with each row of a group
  Totals totals;
};

struct AddUp {
  ValueState<Totals> totals{"totals"};
  ValueState<int64_t> version{"version"};
  void operator()(const WindowResult<Group, Totals>& more, KeyedContext<Group>& context, Collector<TotalRow>& out) {
    Add(totals.mutable_value(), more.value);
    out.emit({context.key(), ++version.mutable_value(), totals.value()});
  }
};

DataStream<TotalRow> DailyTotals(Feed& feed, bool by_channel) {
  auto counted = feed.bids().map([by_channel](const Bid& bid) {
    Part part{.group = GroupOf(bid, by_channel)};
    part.more.bids = 1;
    constexpr std::array kRanks = {&Totals::bids1, &Totals::bids2, &Totals::bids3};
    part.more.*kRanks[static_cast<size_t>(RankOf(bid.price))] = 1;
    part.more.last_minute = MinuteOfDay(bid.time_ms);
    return part;
  });
  auto bidders = feed.bids().key_by(&Bid::bidder).process<Part>("bidders", NewBidders{by_channel});
  auto auctions = feed.bids().key_by(&Bid::auction).process<Part>("auctions", NewAuctions{by_channel});
  return counted.union_with(bidders)
      .union_with(auctions)
      .key_by(&Part::group)
      .window(tumbling(1s))
      .aggregate("of a second", AddParts{})
      .key_by(&WindowResult<Group, Totals>::key)
      .process<TotalRow>("of a day", AddUp{});
}

std::string TextOf(const TotalRow& row) {
  const Totals& t = row.totals;
  return fmt::format("{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}", row.group.channel, row.group.day, row.version,
                     t.bids, t.bids1, t.bids2, t.bids3, t.bidders, t.bidders1, t.bidders2, t.bidders3, t.auctions,
                     t.auctions1, t.auctions2, t.auctions3, t.last_minute);
}

struct AuctionDay {
  int64_t auction = 0;
  int64_t day = 0;
  bool operator==(const AuctionDay&) const = default;
};
struct PriceTotals {
  int64_t bids = 0, bids1 = 0, bids2 = 0, bids3 = 0;
  int64_t lowest = INT64_MAX, highest = 0, sum = 0;
};
struct PriceRow {
  AuctionDay of;
  PriceTotals totals;
};
struct AddPrice {
  ValueState<PriceTotals> totals{"totals"};
  void operator()(const Bid& bid, KeyedContext<AuctionDay>& context, Collector<PriceRow>& out) {
    PriceTotals& t = totals.mutable_value();
    ++t.bids;
    constexpr std::array kRanks = {&PriceTotals::bids1, &PriceTotals::bids2, &PriceTotals::bids3};
    ++(t.*kRanks[static_cast<size_t>(RankOf(bid.price))]);
    t.lowest = std::min(t.lowest, bid.price);
    t.highest = std::max(t.highest, bid.price);
    t.sum += bid.price;
    out.emit({context.key(), t});
  }
};

}  // namespace

void Q15(Feed& feed) { feed.Write(DailyTotals(feed, false), TextOf); }

void Q16(Feed& feed) { feed.Write(DailyTotals(feed, true), TextOf); }

void Q17(Feed& feed) {
  auto rows = feed.bids()
                  .key_by([](const Bid& bid) {
                    return AuctionDay{bid.auction, DayOf(bid.time_ms)};
                  })
                  .process<PriceRow>("prices", AddPrice{});
  feed.Write(rows, [](const PriceRow& row) {
    const PriceTotals& t = row.totals;
    return fmt::format("{}|{}|{}|{}|{}|{}|{}|{}|{}|{}", row.of.auction, row.of.day, t.bids, t.bids1, t.bids2, t.bids3,
                       t.lowest, t.highest, t.sum / t.bids, t.sum);
  });
}

}  // namespace penstock::nexmark
