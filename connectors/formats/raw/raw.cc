#include "penstock/formats/raw.h"

#include "connectors/formats/utf8.h"
#include "runtime/core/status.h"

namespace penstock::raw {

absl::Status CheckText(std::string_view text) {
  const size_t bad = formats::FirstBadUtf8(text);
  if (bad == text.size()) return absl::OkStatus();
  return InvalidArgument("text: no UTF-8 (byte {})", bad);
}

absl::Status WrongSize(size_t size, size_t expected) {
  return InvalidArgument("a number of {} bytes has {} (byte {})", expected, size, std::min(size, expected));
}

}  // namespace penstock::raw
