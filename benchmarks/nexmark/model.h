// The events of an auction house, and where they come from: any event is a function of the seed and its index.
//
// Proportions, skew and life times are those of the published suite (https://github.com/nexmark/nexmark, and Tucker,
// Tufte, Papadimos, Maier: "NEXMark – A Benchmark for Queries over Data Streams"): of 50 events 1 person, 3 auctions,
// 46 bids; half of the bids go to the hot auction of the newest hundred, three of four come from the hot bidder of the
// newest hundred people, three of four auctions are of the hot seller.
#ifndef PENSTOCK_BENCHMARKS_NEXMARK_MODEL_H_
#define PENSTOCK_BENCHMARKS_NEXMARK_MODEL_H_

#include <cstdint>
#include <string>

#include "penstock/connectors/datagen.h"

namespace penstock::nexmark {

struct Person {
  int64_t id = 0;
  std::string name;
  std::string email;
  std::string credit_card;
  std::string city;
  std::string state;
  int64_t time_ms = 0;
  std::string extra;
};

struct Auction {
  int64_t id = 0;
  std::string item;
  std::string description;
  int64_t initial_bid = 0;
  int64_t reserve = 0;
  int64_t time_ms = 0;
  int64_t expires_ms = 0;
  int64_t seller = 0;
  int64_t category = 0;
  std::string extra;
};

struct Bid {
  int64_t auction = 0;
  int64_t bidder = 0;
  int64_t price = 0;
  std::string channel;
  std::string url;
  int64_t time_ms = 0;
  std::string extra;
};

enum class Kind : uint8_t { kPerson, kAuction, kBid };

// One of the three; the others are empty.
struct Event {
  Kind kind = Kind::kBid;
  Person person;
  Auction auction;
  Bid bid;
  int64_t time_ms = 0;
};

struct Settings {
  int64_t start_ms = 0;          // of event time
  double events_per_second = 0;  // of event time
  // Events come up to so many places early or late; 1: in order.
  int64_t out_of_order_group = 1;
};

Event MakeEvent(const Settings& settings, uint64_t index, datagen::Random& random);

}  // namespace penstock::nexmark

#endif  // PENSTOCK_BENCHMARKS_NEXMARK_MODEL_H_
