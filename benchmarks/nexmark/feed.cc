#include "benchmarks/nexmark/feed.h"

#include <penstock/connectors/datagen.h>
#include <penstock/connectors/file.h>

namespace penstock::nexmark {
namespace {

using namespace std::chrono_literals;

DataStream<Event> EventsOf(Environment& env, const Args& args) {
  const Settings settings{.start_ms = args.get_int("start-ms", 1'767'225'600'000),
                          .events_per_second = static_cast<double>(args.get_int("density", 100'000)),
                          .out_of_order_group = args.get_int("out-of-order", 1)};
  return env
      .source("events", datagen::Source<Event>{.generate =
                                                   [settings](uint64_t index, datagen::Random& random) {
                                                     return MakeEvent(settings, index, random);
                                                   },
                                               .count = static_cast<uint64_t>(args.get_int("events", 1'000'000)),
                                               .rate = static_cast<double>(args.get_int("rate", 0)),
                                               .seed = static_cast<uint64_t>(args.get_int("seed", 1))})
      .watermarks(bounded_disorder<Event>(4s, &Event::time_ms));
}

}  // namespace

Feed::Feed(Environment& env, const Args& args) : Feed(EventsOf(env, args), args) {}

Feed::Feed(const DataStream<Event>& events, const Args& args)
    : writes_(args.has("out")),
      out_(args.get("out", "")),
      people_(events.flat_map<Person>([](const Event& event, Collector<Person>& out) {
        if (event.kind == Kind::kPerson) out.emit(event.person);
      })),
      auctions_(events.flat_map<Auction>([](const Event& event, Collector<Auction>& out) {
        if (event.kind == Kind::kAuction) out.emit(event.auction);
      })),
      bids_(events.flat_map<Bid>([](const Event& event, Collector<Bid>& out) {
        if (event.kind == Kind::kBid) out.emit(event.bid);
      })) {}

void Feed::WriteLines(DataStream<std::string> lines) {
  lines.sink("rows", file::Sink{.path = out_, .delivery = Delivery::exactly_once});
}

}  // namespace penstock::nexmark
