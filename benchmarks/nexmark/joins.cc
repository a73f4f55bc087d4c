// Joins that keep what they may yet need: 3, 4, 9, 20, 23. Either side may come first.
#include <fmt/format.h>
#include <penstock/connected_streams.h>

#include <algorithm>
#include <vector>

#include "benchmarks/nexmark/feed.h"

namespace penstock::nexmark {
namespace {

constexpr int64_t kWantedCategory = 10;

struct SellerRow {
  std::string name, city, state;
  int64_t auction = 0;
};

// People and their auctions.
struct WithSeller {
  ValueState<Person> person{"person"};
  ListState<int64_t> auctions{"auctions"};
  void process1(const Auction& auction, KeyedContext<int64_t>&, Collector<SellerRow>& out) {
    if (!person.has_value()) return auctions.add(auction.id);
    Emit(auction.id, out);
  }
  void process2(const Person& seller, KeyedContext<int64_t>&, Collector<SellerRow>& out) {
    person.set(seller);
    for (const int64_t auction : auctions.values()) Emit(auction, out);
    auctions.clear();
  }
  void Emit(int64_t auction, Collector<SellerRow>& out) {
    const Person& seller = person.value();
    out.emit({seller.name, seller.city, seller.state, auction});
  }
};

struct Won {
  Auction auction;
  Bid bid;
  int64_t version = 0;        // grows with each row of an auction
  int64_t price_before = -1;  // of the bid that led; -1: none did
};

// The bid that leads, each time that another one does.
struct Leading {
  ValueState<Auction> auction{"auction"};
  ValueState<Bid> best{"best"};
  ValueState<int64_t> version{"version"};
  ListState<Bid> early{"early"};

  void process1(const Auction& opened, KeyedContext<int64_t>&, Collector<Won>& out) {
    auction.set(opened);
    for (const Bid& bid : early.values()) Take(bid, out);
    early.clear();
  }
  void process2(const Bid& bid, KeyedContext<int64_t>&, Collector<Won>& out) {
    if (!auction.has_value()) return early.add(bid);
    Take(bid, out);
  }
  void Take(const Bid& bid, Collector<Won>& out) {
    const Auction& of = auction.value();
    if (bid.time_ms < of.time_ms || bid.time_ms > of.expires_ms) return;
    const int64_t before = best.has_value() ? best.value().price : -1;
    if (bid.price < before || (bid.price == before && bid.time_ms >= best.value().time_ms)) return;
    best.set(bid);
    out.emit({of, bid, ++version.mutable_value(), before});
  }
};

DataStream<Won> LeadingBids(Feed& feed) {
  return feed.auctions()
      .key_by(&Auction::id)
      .connect(feed.bids().key_by(&Bid::auction))
      .process<Won>("leading", Leading{});
}

struct CategoryRow {
  int64_t category = 0;
  int64_t version = 0;
  int64_t average = 0;
};
struct CategoryMean {
  ValueState<int64_t> auctions{"auctions"};
  ValueState<int64_t> sum{"sum"};
  ValueState<int64_t> version{"version"};
  void operator()(const Won& won, KeyedContext<int64_t>& context, Collector<CategoryRow>& out) {
    if (won.price_before < 0) ++auctions.mutable_value();
    sum.mutable_value() += won.bid.price - std::max<int64_t>(won.price_before, 0);
    out.emit({context.key(), ++version.mutable_value(), sum.value() / auctions.value()});
  }
};

struct BidOfAuction {
  Bid bid;
  Auction auction;
};

// Bids of the auctions of one category.
struct OfCategory {
  ValueState<bool> wanted{"wanted"};
  ValueState<Auction> auction{"auction"};
  ListState<Bid> early{"early"};
  void process1(const Auction& opened, KeyedContext<int64_t>&, Collector<BidOfAuction>& out) {
    wanted.set(opened.category == kWantedCategory);
    if (wanted.value()) {
      auction.set(opened);
      for (const Bid& bid : early.values()) out.emit({bid, opened});
    }
    early.clear();
  }
  void process2(const Bid& bid, KeyedContext<int64_t>&, Collector<BidOfAuction>& out) {
    if (!wanted.has_value()) return early.add(bid);
    if (wanted.value()) out.emit({bid, auction.value()});
  }
};

struct PersonAuction {
  Person person;
  Auction auction;
};
struct AllOfPerson {
  ValueState<Person> person{"person"};
  ListState<Auction> auctions{"auctions"};
  void process1(const Person& came, KeyedContext<int64_t>&, Collector<PersonAuction>& out) {
    person.set(came);
    for (const Auction& auction : auctions.values()) out.emit({came, auction});
  }
  void process2(const Auction& auction, KeyedContext<int64_t>&, Collector<PersonAuction>& out) {
    auctions.add(auction);
    if (person.has_value()) out.emit({person.value(), auction});
  }
};
struct BidAndMore {
  Bid bid;
  PersonAuction more;
};
struct BidsOfSellers {
  ListState<PersonAuction> auctions{"auctions"};
  ListState<Bid> bids{"bids"};
  void process1(const Bid& bid, KeyedContext<int64_t>&, Collector<BidAndMore>& out) {
    bids.add(bid);
    for (const PersonAuction& more : auctions.values()) out.emit({bid, more});
  }
  void process2(const PersonAuction& more, KeyedContext<int64_t>&, Collector<BidAndMore>& out) {
    auctions.add(more);
    for (const Bid& bid : bids.values()) out.emit({bid, more});
  }
};

}  // namespace

void Q3(Feed& feed) {
  auto auctions = feed.auctions().filter([](const Auction& auction) { return auction.category == kWantedCategory; });
  auto people = feed.people().filter(
      [](const Person& person) { return person.state == "OR" || person.state == "ID" || person.state == "CA"; });
  auto rows =
      auctions.key_by(&Auction::seller).connect(people.key_by(&Person::id)).process<SellerRow>("sellers", WithSeller{});
  feed.Write(rows, [](const SellerRow& row) {
    return fmt::format("{}|{}|{}|{}", row.name, row.city, row.state, row.auction);
  });
}

void Q4(Feed& feed) {
  auto rows = LeadingBids(feed)
                  .key_by([](const Won& won) { return won.auction.category; })
                  .process<CategoryRow>("means", CategoryMean{});
  feed.Write(rows,
             [](const CategoryRow& row) { return fmt::format("{}|{}|{}", row.category, row.version, row.average); });
}

void Q9(Feed& feed) {
  feed.Write(LeadingBids(feed), [](const Won& won) {
    const Auction& a = won.auction;
    return fmt::format("{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}", a.id, won.version, a.item, a.description,
                       a.initial_bid, a.reserve, a.time_ms, a.expires_ms, a.seller, a.category, won.bid.bidder,
                       won.bid.price, won.bid.time_ms, won.bid.extra);
  });
}

void Q20(Feed& feed) {
  auto rows = feed.auctions()
                  .key_by(&Auction::id)
                  .connect(feed.bids().key_by(&Bid::auction))
                  .process<BidOfAuction>("bids of a category", OfCategory{});
  feed.Write(rows, [](const BidOfAuction& row) {
    const Bid& b = row.bid;
    const Auction& a = row.auction;
    return fmt::format("{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}|{}", b.auction, b.bidder, b.price, b.channel, b.url, b.time_ms,
                       a.item, a.initial_bid, a.time_ms, a.expires_ms, a.seller, a.category);
  });
}

void Q23(Feed& feed) {
  auto people = feed.people()
                    .key_by(&Person::id)
                    .connect(feed.auctions().key_by(&Auction::seller))
                    .process<PersonAuction>("people and auctions", AllOfPerson{});
  auto rows = feed.bids()
                  .key_by(&Bid::bidder)
                  .connect(people.key_by([](const PersonAuction& more) { return more.person.id; }))
                  .process<BidAndMore>("bids and more", BidsOfSellers{});
  feed.Write(rows, [](const BidAndMore& row) {
    return fmt::format("{}|{}|{}|{}|{}|{}|{}", row.bid.auction, row.bid.bidder, row.bid.price, row.bid.time_ms,
                       row.more.person.name, row.more.person.email, row.more.auction.id);
  });
}

}  // namespace penstock::nexmark
