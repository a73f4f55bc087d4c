#include "benchmarks/nexmark/model.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace penstock::nexmark {
namespace {

constexpr int64_t kPersonProportion = 1;
constexpr int64_t kAuctionProportion = 3;
constexpr int64_t kTotalProportion = 50;
constexpr int64_t kFirstId = 1000;  // of people and auctions
constexpr int64_t kFirstCategory = 10;
constexpr int64_t kCategories = 5;
constexpr int64_t kActivePeople = 1000;
constexpr int64_t kInFlightAuctions = 100;
constexpr int64_t kLead = 10;       // ids that are not there yet
constexpr int64_t kHotBatch = 100;  // one hot one in so many ids
constexpr int64_t kChannels = 10'000;
constexpr size_t kPersonBytes = 200;
constexpr size_t kAuctionBytes = 500;
constexpr size_t kBidBytes = 100;

constexpr std::array kHotChannels = {"Google", "Facebook", "Baidu", "Apple"};
constexpr std::array kStates = {"AZ", "CA", "ID", "OR", "WA", "WY"};
constexpr std::array kCities = {"Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland",
                                "Bend",    "Redmond",     "Seattle",       "Kent",  "Cheyenne"};
constexpr std::array kFirstNames = {"Peter", "Paul",  "Luke",  "John",   "Saul",  "Vicky",
                                    "Kate",  "Julie", "Sarah", "Deiter", "Walter"};
constexpr std::array kLastNames = {"Shultz", "Abrams", "Spencer", "White", "Bartels",
                                   "Walton", "Smith",  "Jones",   "Noris"};

template <size_t N>
const char* OneOf(const std::array<const char*, N>& all, datagen::Random& random) {
  return all[random.Below(N)];
}

void AppendLetters(std::string& text, size_t count, datagen::Random& random) {
  uint64_t bits = 0;
  for (size_t i = 0; i < count; ++i) {
    if (i % 8 == 0) bits = random.Next();
    text += static_cast<char>('a' + (bits & 0xff) % 26);
    bits >>= 8;
  }
}
std::string Letters(size_t count, datagen::Random& random) {
  std::string text;
  text.reserve(count);
  AppendLetters(text, count, random);
  return text;
}
// Makes the record about as long as its kind is on average: a fifth less or more.
std::string Filler(size_t used, size_t average, datagen::Random& random) {
  if (used >= average) return "";
  const size_t wanted = average - used;
  const size_t spread = wanted / 5 + 1;
  return Letters(wanted - spread + random.Below(2 * spread + 1), random);
}

// The newest person, auction (from 0) when the event with that number has come.
int64_t LastPerson(int64_t event) { return event / kTotalProportion; }
int64_t LastAuction(int64_t event) {
  int64_t epoch = event / kTotalProportion;
  int64_t offset = event % kTotalProportion;
  if (offset < kPersonProportion) {
    --epoch;
    offset = kAuctionProportion - 1;
  } else {
    offset = std::min(offset - kPersonProportion, kAuctionProportion - 1);
  }
  return std::max<int64_t>(epoch * kAuctionProportion + offset, 0);
}
int64_t SomePerson(int64_t event, datagen::Random& random) {
  const int64_t people = LastPerson(event) + 1;
  const int64_t active = std::min(people, kActivePeople);
  return people - active + static_cast<int64_t>(random.Below(static_cast<uint64_t>(active + kLead)));
}
int64_t SomeAuction(int64_t event, datagen::Random& random) {
  const int64_t newest = LastAuction(event);
  const int64_t oldest = std::max<int64_t>(newest - kInFlightAuctions, 0);
  return oldest + static_cast<int64_t>(random.Below(static_cast<uint64_t>(newest - oldest + 1 + kLead)));
}
int64_t Price(datagen::Random& random) { return std::llround(std::pow(10.0, random.Share() * 6.0) * 100.0); }

int64_t TimeOf(const Settings& settings, int64_t event) {
  return settings.start_ms + static_cast<int64_t>(static_cast<double>(event) * 1000.0 / settings.events_per_second);
}

void Make(Person& person, const Settings& settings, int64_t event, datagen::Random& random) {
  person.id = kFirstId + LastPerson(event);
  person.name = fmt::format("{} {}", OneOf(kFirstNames, random), OneOf(kLastNames, random));
  person.email = Letters(7, random) + "@" + Letters(5, random) + ".com";
  person.credit_card = fmt::format("{:04} {:04} {:04} {:04}", random.Below(10'000), random.Below(10'000),
                                   random.Below(10'000), random.Below(10'000));
  person.city = OneOf(kCities, random);
  person.state = OneOf(kStates, random);
  person.time_ms = TimeOf(settings, event);
  const size_t used = 16 + person.name.size() + person.email.size() + person.credit_card.size() + person.city.size() +
                      person.state.size();
  person.extra = Filler(used, kPersonBytes, random);
}

void Make(Auction& auction, const Settings& settings, int64_t event, datagen::Random& random) {
  auction.id = kFirstId + LastAuction(event);
  auction.seller =
      kFirstId + (random.Below(4) > 0 ? LastPerson(event) / kHotBatch * kHotBatch : SomePerson(event, random));
  auction.category = kFirstCategory + static_cast<int64_t>(random.Below(kCategories));
  auction.initial_bid = Price(random);
  auction.reserve = auction.initial_bid + Price(random);
  auction.time_ms = TimeOf(settings, event);
  // Long enough for about so many other auctions to begin meanwhile.
  const int64_t horizon =
      TimeOf(settings, event + kInFlightAuctions * kTotalProportion / kAuctionProportion) - auction.time_ms;
  auction.expires_ms = auction.time_ms + 1 +
                       static_cast<int64_t>(random.Below(static_cast<uint64_t>(std::max<int64_t>(horizon * 2, 1))));
  auction.item = Letters(10 + random.Below(10), random);
  auction.description = Letters(50 + random.Below(50), random);
  auction.extra = Filler(64 + auction.item.size() + auction.description.size(), kAuctionBytes, random);
}

void Make(Bid& bid, const Settings& settings, int64_t event, datagen::Random& random) {
  bid.auction =
      kFirstId + (random.Below(2) > 0 ? LastAuction(event) / kHotBatch * kHotBatch : SomeAuction(event, random));
  bid.bidder =
      kFirstId + (random.Below(4) > 0 ? LastPerson(event) / kHotBatch * kHotBatch + 1 : SomePerson(event, random));
  bid.price = Price(random);
  bid.time_ms = TimeOf(settings, event);
  bid.url = "https://www.nexmark.com/";
  if (random.Below(2) > 0) {
    const uint64_t hot = random.Below(kHotChannels.size());
    bid.channel = kHotChannels[hot];
    datagen::Random same(hot, 0);  // a hot channel has one address
    for (int i = 0; i < 3; ++i) {
      AppendLetters(bid.url, 5, same);
      bid.url += '/';
    }
    bid.url += "item.htm?query=1";
  } else {
    const uint64_t channel = random.Below(kChannels);
    bid.channel = fmt::format("channel-{}", channel);
    datagen::Random same(channel, 1);
    for (int i = 0; i < 3; ++i) {
      AppendLetters(bid.url, 5, same);
      bid.url += '/';
    }
    bid.url += "item.htm?query=1";
    if (same.Below(10) > 0) fmt::format_to(std::back_inserter(bid.url), "&channel_id={}", channel * 7919 % 1'000'003);
  }
  bid.extra = Filler(32 + bid.channel.size(), kBidBytes, random);
}

}  // namespace

Event MakeEvent(const Settings& settings, uint64_t index, datagen::Random& random) {
  // Within a group events come the last first.
  const auto group = static_cast<uint64_t>(settings.out_of_order_group);
  const auto event = static_cast<int64_t>(group <= 1 ? index : index / group * group + (group - 1 - index % group));
  const int64_t place = event % kTotalProportion;
  Event made;
  made.time_ms = TimeOf(settings, event);
  if (place < kPersonProportion) {
    made.kind = Kind::kPerson;
    Make(made.person, settings, event, random);
  } else if (place < kPersonProportion + kAuctionProportion) {
    made.kind = Kind::kAuction;
    Make(made.auction, settings, event, random);
  } else {
    made.kind = Kind::kBid;
    Make(made.bid, settings, event, random);
  }
  return made;
}

}  // namespace penstock::nexmark
