#include "examples/tools/events/generator.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

namespace penstock::events {
namespace {

constexpr size_t kFillerBytes = 1 << 16;
constexpr std::array<std::string_view, 4> kTypes = {"click", "view", "cart", "buy"};

// SplitMix64: independent draws from (seed, index, which).
uint64_t Draw(uint64_t seed, uint64_t index, uint64_t which) {
  uint64_t x = seed * 0x9E3779B97F4A7C15ull + index * 0xD1B54A32D192ED03ull + which * 0x8CB92BA72F3D8DD7ull;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

double Share(uint64_t draw) { return static_cast<double>(draw >> 11) * 0x1.0p-53; }

}  // namespace

Generator::Generator(const GeneratorOptions& options) : options_(options) {
  filler_.resize(kFillerBytes + options_.size);
  constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz0123456789";
  for (size_t i = 0; i < filler_.size(); ++i) filler_[i] = kAlphabet[Draw(options_.seed, i, 9) % kAlphabet.size()];
}

std::string Generator::SessionName(uint32_t session) { return fmt::format("s-{:06}", session); }

Event Generator::Make(uint64_t index) const {
  Event event;
  double share = Share(Draw(options_.seed, index, 1));
  const auto falls_in = [&](double width) {
    const bool in = share < width;
    share -= width;
    return in;
  };
  if (falls_in(options_.malformed)) {
    event.kind = EventKind::kMalformed;
  } else if (share >= 0 && falls_in(options_.null)) {
    event.kind = EventKind::kNull;
  } else if (share >= 0 && falls_in(options_.no_session)) {
    event.kind = EventKind::kNoSession;
  }
  event.session = static_cast<uint32_t>(Draw(options_.seed, index, 2) % options_.sessions);
  const auto span = static_cast<double>(options_.windows * kWindowMs);
  const auto progress = static_cast<int64_t>(span * static_cast<double>(index) / static_cast<double>(options_.count));
  const auto back =
      static_cast<int64_t>(Draw(options_.seed, index, 3) % static_cast<uint64_t>(options_.disorder_ms + 1));
  event.time_ms = options_.start_ms + std::max<int64_t>(0, progress - back);
  return event;
}

std::string_view Generator::Render(uint64_t index, const Event& event) {
  switch (event.kind) {
    case EventKind::kNull:
      return {};
    case EventKind::kMalformed:
      return RenderMalformed(index, event);
    case EventKind::kNoSession:
      return RenderWith(index, "", event.time_ms, false);
    case EventKind::kGood:
      break;
  }
  return RenderWith(index, SessionName(event.session), event.time_ms, true);
}

std::string_view Generator::RenderClosing(int partition) {
  const int64_t time_ms = options_.start_ms + options_.windows * kWindowMs + kClosingDistanceMs;
  return RenderWith(options_.count + static_cast<uint64_t>(partition), kClosingSession, time_ms, true);
}

std::string_view Generator::RenderWith(uint64_t index, std::string_view session, int64_t time_ms, bool with_session) {
  const uint64_t draw = Draw(options_.seed, index, 4);
  const std::string_view type = kTypes[draw % kTypes.size()];
  text_.clear();
  auto out = std::back_inserter(text_);
  if (options_.format == Format::kCsv) {
    fmt::format_to(out, "{},{},{},{},", session, time_ms, index, type);
    Pad(index);
    return text_;
  }
  fmt::format_to(out, R"({{"event_id":"e-{:012}",)", index);
  if (with_session) fmt::format_to(out, R"("session_id":"{}",)", session);
  fmt::format_to(out, R"("ts":{},"type":"{}","amount":{}.{:02},"padding":")", time_ms, type, draw % 1000, draw % 100);
  Pad(index);
  return text_;
}

void Generator::Pad(uint64_t index) {
  const size_t tail = options_.format == Format::kJson ? 2 : 0;
  if (text_.size() + tail < options_.size) {
    const size_t length = options_.size - tail - text_.size();
    text_.append(filler_, Draw(options_.seed, index, 5) % kFillerBytes, length);
  }
  if (tail > 0) text_ += "\"}";
}

std::string_view Generator::RenderMalformed(uint64_t index, const Event& event) {
  // Each is wrong for every parser that reads session and time, and has the word session_id in it.
  switch (index % 3) {
    case 0:
      text_ =
          fmt::format(R"({{"event_id":"e-{:012}","session_id":"{}","ts":"soon"}})", index, SessionName(event.session));
      break;
    case 1:
      text_ = fmt::format("no event, but it says session_id at {}", index);
      break;
    default:
      text_ = fmt::format(R"({{"event_id":"e-{:012}","session_id":"s-00)", index);  // cut in the middle
  }
  return text_;
}

}  // namespace penstock::events
