// dump: the events of Nexmark as files, for whoever wants to ask the same questions elsewhere.
//   dump DIRECTORY EVENTS DENSITY START_MS [SEED [OUT_OF_ORDER]]      DIRECTORY/person, auction, bid: fields with '|'
//   between
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "benchmarks/nexmark/model.h"

int main(int argc, char** argv) {
  using namespace penstock;
  if (argc < 5) {
    std::fprintf(stderr, "usage: %s DIRECTORY EVENTS DENSITY START_MS [SEED [OUT_OF_ORDER]]\n", argv[0]);
    return 2;
  }
  const std::string directory = argv[1];
  const auto events = static_cast<uint64_t>(std::atoll(argv[2]));
  const uint64_t seed = argc > 5 ? static_cast<uint64_t>(std::atoll(argv[5])) : 1;
  const nexmark::Settings settings{.start_ms = std::atoll(argv[4]),
                                   .events_per_second = std::atof(argv[3]),
                                   .out_of_order_group = argc > 6 ? std::atoll(argv[6]) : 1};
  std::ofstream people(directory + "/person");
  std::ofstream auctions(directory + "/auction");
  std::ofstream bids(directory + "/bid");
  for (uint64_t i = 0; i < events; ++i) {
    datagen::Random random(seed, i);
    const nexmark::Event event = MakeEvent(settings, i, random);
    switch (event.kind) {
      case nexmark::Kind::kPerson: {
        const nexmark::Person& p = event.person;
        people << fmt::format("{}|{}|{}|{}|{}|{}|{}|{}\n", p.id, p.name, p.email, p.credit_card, p.city, p.state,
                              p.time_ms, p.extra);
        break;
      }
      case nexmark::Kind::kAuction: {
        const nexmark::Auction& a = event.auction;
        auctions << fmt::format("{}|{}|{}|{}|{}|{}|{}|{}|{}|{}\n", a.id, a.item, a.description, a.initial_bid,
                                a.reserve, a.time_ms, a.expires_ms, a.seller, a.category, a.extra);
        break;
      }
      case nexmark::Kind::kBid: {
        const nexmark::Bid& b = event.bid;
        bids << fmt::format("{}|{}|{}|{}|{}|{}|{}\n", b.auction, b.bidder, b.price, b.channel, b.url, b.time_ms,
                            b.extra);
        break;
      }
    }
  }
  return people && auctions && bids ? 0 : 1;
}
