// Events by index: the same seed and index give the same event, whoever makes it.
#ifndef PENSTOCK_EXAMPLES_TOOLS_EVENTS_GENERATOR_H_
#define PENSTOCK_EXAMPLES_TOOLS_EVENTS_GENERATOR_H_

#include <cstdint>
#include <string>
#include <string_view>

namespace penstock::events {

inline constexpr int64_t kWindowMs = 5 * 60 * 1000;
inline constexpr std::string_view kClosingSession = "__close__";
// How far the closing events lie behind the last window: beyond any sensible bound on disorder.
inline constexpr int64_t kClosingDistanceMs = 10 * 60 * 1000;

enum class Format { kJson, kCsv };

struct GeneratorOptions {
  uint64_t count = 10'000;
  uint32_t sessions = 100;
  size_t size = 1024;  // bytes of an event
  uint64_t seed = 1;
  int windows = 3;
  int64_t start_ms = 0;        // of event time; a multiple of kWindowMs
  int64_t disorder_ms = 2000;  // an event is at most this much older than the newest before it
  double malformed = 0;        // shares of the events
  double null = 0;
  double no_session = 0;
  Format format = Format::kJson;
};

enum class EventKind { kGood, kMalformed, kNull, kNoSession };

struct Event {
  EventKind kind = EventKind::kGood;
  uint32_t session = 0;
  int64_t time_ms = 0;
};

// One thread.
class Generator {
 public:
  explicit Generator(const GeneratorOptions& options);

  Event Make(uint64_t index) const;
  // The event's bytes, valid until the next call; empty for kNull.
  std::string_view Render(uint64_t index, const Event& event);
  // Ends all windows once every partition has one.
  std::string_view RenderClosing(int partition);

  static std::string SessionName(uint32_t session);

 private:
  std::string_view RenderWith(uint64_t index, std::string_view session, int64_t time_ms, bool with_session);
  std::string_view RenderMalformed(uint64_t index, const Event& event);
  void Pad(uint64_t index);

  const GeneratorOptions options_;
  std::string filler_;  // random text that padding is cut from
  std::string text_;
};

}  // namespace penstock::events

#endif  // PENSTOCK_EXAMPLES_TOOLS_EVENTS_GENERATOR_H_
