// What a dashboard of best sellers shows: every ten seconds, the products that sold best in the last minute.
//
//   top_products [--sales N] [--top N] [--out DIRECTORY]
//
// Sales per product in sliding windows, and then the best of each window. The sales are made up, the same ones in every
// run; few products make most of them, which is why they are counted before they are sent to the product's subtask.
#include <fmt/format.h>
#include <penstock/connectors/datagen.h>
#include <penstock/connectors/file.h>
#include <penstock/connectors/print.h>
#include <penstock/job.h>

#include <algorithm>
#include <string>
#include <vector>

using namespace penstock;

namespace {

struct Sale {
  int64_t product = 0;
  int64_t cents = 0;
  int64_t time_ms = 0;
};

using Sold = WindowResult<int64_t, int64_t>;

struct Best {
  size_t count = 10;
  void operator()(const WindowElements<Sold>& sold, WindowContext<NoKey>& context, Collector<std::string>& out) const {
    std::vector<Sold> ranked(sold.begin(), sold.end());
    std::sort(ranked.begin(), ranked.end(),
              [](const Sold& a, const Sold& b) { return a.value != b.value ? a.value > b.value : a.key < b.key; });
    if (ranked.size() > count) ranked.resize(count);
    for (size_t i = 0; i < ranked.size(); ++i) {
      out.emit(fmt::format("{},{},{},{}", context.window().end, i + 1, ranked[i].key, ranked[i].value));
    }
  }
};

Sale make_sale(uint64_t index, datagen::Random& random) {
  // Half of all sales are of the first of 1,024 products, a quarter of the next two, and so on.
  const uint64_t draw = random.Next() | (uint64_t{1} << 10);
  const int level = std::min(__builtin_ctzll(draw), 9);
  const int64_t first = (int64_t{1} << level) - 1;
  return {.product = first + static_cast<int64_t>(random.Below(uint64_t{1} << level)),
          .cents = static_cast<int64_t>(100 + random.Below(10'000)),
          .time_ms = static_cast<int64_t>(index)};
}

}  // namespace

PENSTOCK_JOB("top-products", (Environment & env, const Args& args)) {
  auto best = env.source("sales", datagen::Source<Sale>{.generate = make_sale,
                                                        .count = static_cast<uint64_t>(args.get_int("sales", 300'000))})
                  .watermarks(bounded_disorder<Sale>(1s, &Sale::time_ms))
                  .key_by(&Sale::product)
                  .window(sliding(1min, 10s))
                  .aggregate("sold", Count{})
                  .window_all(tumbling(10s))
                  .process<std::string>("best", Best{static_cast<size_t>(args.get_int("top", 10))});
  if (args.has("out")) {
    best.sink("out", file::Sink{.path = args["out"]});
  } else {
    best.sink("out", print::Sink{});
  }
}
