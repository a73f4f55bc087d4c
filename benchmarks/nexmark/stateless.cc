// Queries that look at one bid at a time: 0, 1, 2, 10, 13, 14, 21, 22.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "benchmarks/nexmark/feed.h"
#include "benchmarks/nexmark/rows.h"

namespace penstock::nexmark {
namespace {

constexpr int64_t kSideKeys = 10'000;

struct ChannelRow {
  int64_t auction = 0;
  int64_t bidder = 0;
  int64_t price = 0;
  std::string channel;
  std::string found;
};

std::string TextOf(const Bid& bid) {
  return fmt::format("{}|{}|{}|{}|{}", bid.auction, bid.bidder, bid.price, bid.time_ms, bid.extra);
}
// 0.908 × the price, in thousandths, so that nothing is rounded.
int64_t Euros(int64_t price) { return price * 908; }

// The n-th part of a path, from 0; empty: none.
std::string_view PartOf(std::string_view text, int n) {
  for (; n > 0; --n) {
    const size_t slash = text.find('/');
    if (slash == std::string_view::npos) return {};
    text.remove_prefix(slash + 1);
  }
  return text.substr(0, text.find('/'));
}

std::optional<std::string> ChannelId(const Bid& bid) {
  constexpr std::pair<std::string_view, const char*> kKnown[] = {
      {"apple", "0"}, {"google", "1"}, {"facebook", "2"}, {"baidu", "3"}};
  std::string lower = bid.channel;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const auto& [name, id] : kKnown) {
    if (lower == name) return id;
  }
  constexpr std::string_view kParameter = "channel_id=";
  for (size_t at = bid.url.find(kParameter); at != std::string::npos; at = bid.url.find(kParameter, at + 1)) {
    if (at > 0 && bid.url[at - 1] != '&') continue;
    const size_t begin = at + kParameter.size();
    return bid.url.substr(begin, bid.url.find('&', begin) - begin);
  }
  return std::nullopt;
}

// A bounded side table, read when the function is opened.
struct WithSideValue {
  std::unordered_map<int64_t, std::string> values;
  void open(Context&) {
    for (int64_t key = 0; key < kSideKeys; ++key) values.emplace(key, fmt::format("value {}", key));
  }
  ChannelRow operator()(const Bid& bid) const {
    return {bid.auction, bid.bidder, bid.price, "", values.at(bid.auction % kSideKeys)};
  }
};

}  // namespace

void Q0(Feed& feed) { feed.Write(feed.bids(), TextOf); }

void Q1(Feed& feed) {
  auto rows = feed.bids().map([](const Bid& bid) {
    Bid row = bid;
    row.price = Euros(bid.price);
    return row;
  });
  feed.Write(rows, TextOf);
}

void Q2(Feed& feed) {
  auto rows = feed.bids().filter([](const Bid& bid) { return bid.auction % 123 == 0; });
  feed.Write(rows, [](const Bid& bid) { return fmt::format("{}|{}", bid.auction, bid.price); });
}

void Q10(Feed& feed) {
  feed.Write(feed.bids(), [](const Bid& bid) {
    return fmt::format("{}|{}|{}", DayOf(bid.time_ms), MinuteOfDay(bid.time_ms), TextOf(bid));
  });
}

void Q13(Feed& feed) {
  feed.Write(feed.bids().map(WithSideValue{}), [](const ChannelRow& row) {
    return fmt::format("{}|{}|{}|{}", row.auction, row.bidder, row.price, row.found);
  });
}

void Q14(Feed& feed) {
  auto rows = feed.bids().flat_map<ChannelRow>([](const Bid& bid, Collector<ChannelRow>& out) {
    const int64_t price = Euros(bid.price);
    if (price <= 1'000'000'000 || price >= 50'000'000'000) return;
    const int64_t hour = HourOf(bid.time_ms);
    const char* const time = hour >= 8 && hour <= 18 ? "dayTime" : hour <= 6 || hour >= 20 ? "nightTime" : "otherTime";
    out.emit(
        {bid.auction, bid.bidder, price, time, std::to_string(std::count(bid.extra.begin(), bid.extra.end(), 'c'))});
  });
  feed.Write(rows, [](const ChannelRow& row) {
    return fmt::format("{}|{}|{}|{}|{}", row.auction, row.bidder, row.price, row.channel, row.found);
  });
}

void Q21(Feed& feed) {
  auto rows = feed.bids().flat_map<ChannelRow>([](const Bid& bid, Collector<ChannelRow>& out) {
    if (auto id = ChannelId(bid)) out.emit({bid.auction, bid.bidder, bid.price, bid.channel, *std::move(id)});
  });
  feed.Write(rows, [](const ChannelRow& row) {
    return fmt::format("{}|{}|{}|{}|{}", row.auction, row.bidder, row.price, row.channel, row.found);
  });
}

void Q22(Feed& feed) {
  auto rows = feed.bids().map([](const Bid& bid) {
    return ChannelRow{bid.auction, bid.bidder, bid.price, bid.channel,
                      fmt::format("{}|{}|{}", PartOf(bid.url, 3), PartOf(bid.url, 4), PartOf(bid.url, 5))};
  });
  feed.Write(rows, [](const ChannelRow& row) {
    return fmt::format("{}|{}|{}|{}|{}", row.auction, row.bidder, row.price, row.channel, row.found);
  });
}

}  // namespace penstock::nexmark
