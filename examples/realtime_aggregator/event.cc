#include "examples/realtime_aggregator/event.h"

#include <simdjson.h>
#include <unistd.h>

#include <charconv>
#include <string_view>

using penstock::Bytes;

struct ParseEvent::Parser {
  simdjson::ondemand::parser json;
  std::string copy;
};

namespace {

// simdjson reads up to SIMDJSON_PADDING bytes beyond the text. Within a page that is harmless, so only a text that ends
// near the end of its page is copied; the sanitizer sees each read, so under it every text is.
bool PaddingIsReadable(const Bytes& value) {
#ifdef __SANITIZE_ADDRESS__
  (void)value;
  return false;
#else
  constexpr uintptr_t kPageBytes = 4096;
  const uintptr_t end = reinterpret_cast<uintptr_t>(value.data()) + value.size();
  return end % kPageBytes != 0 && kPageBytes - end % kPageBytes >= simdjson::SIMDJSON_PADDING;
#endif
}

absl::StatusOr<Event> ParseCsv(std::string_view line) {
  const size_t comma = line.find(',');
  if (comma == std::string_view::npos || comma == 0)
    return absl::InvalidArgumentError("no session before the first comma");
  Event event{std::string(line.substr(0, comma)), 0};
  const char* end = line.data() + line.size();
  const auto [stop, error] = std::from_chars(line.data() + comma + 1, end, event.time);
  if (error != std::errc() || (stop != end && *stop != ',')) {
    return absl::InvalidArgumentError("the second field is no timestamp in milliseconds");
  }
  return event;
}

}  // namespace

ParseEvent::ParseEvent(bool csv) : csv_(csv) {}
ParseEvent::ParseEvent(const ParseEvent& other) : csv_(other.csv_) {}
ParseEvent::~ParseEvent() = default;

absl::StatusOr<Event> ParseEvent::operator()(const Bytes& value) {
  return csv_ ? ParseCsv(value.view()) : ParseJson(value);
}

absl::StatusOr<Event> ParseEvent::ParseJson(const Bytes& value) {
  if (parser_ == nullptr) parser_ = std::make_unique<Parser>();
  const char* data = value.data();
  if (!PaddingIsReadable(value)) {
    parser_->copy.assign(value.view());
    parser_->copy.append(simdjson::SIMDJSON_PADDING, ' ');
    data = parser_->copy.data();
  }
  simdjson::ondemand::document document;
  const simdjson::padded_string_view text(data, value.size(), value.size() + simdjson::SIMDJSON_PADDING);
  if (const auto error = parser_->json.iterate(text).get(document)) {
    return absl::InvalidArgumentError(simdjson::error_message(error));
  }
  std::string_view session;
  if (const auto error = document.find_field_unordered("session_id").get_string().get(session)) {
    return absl::InvalidArgumentError(std::string("session_id: ") + simdjson::error_message(error));
  }
  Event event{std::string(session), 0};
  if (const auto error = document.find_field_unordered("ts").get_int64().get(event.time)) {
    return absl::InvalidArgumentError(std::string("ts: ") + simdjson::error_message(error));
  }
  return event;
}
