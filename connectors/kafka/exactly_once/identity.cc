#include "connectors/kafka/exactly_once/identity.h"

#include <fmt/format.h>

namespace penstock::kafka {
namespace {

std::string Escaped(const std::string& part) {
  std::string escaped;
  for (const char c : part) {
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (plain) {
      escaped += c;
    } else {
      escaped += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return escaped;
}

}  // namespace

std::string SlotIdentity::Name() const {
  return fmt::format("{}.{}.{}.{}", Escaped(cluster_id), Escaped(job_uid), Escaped(sink_uid), slot);
}

}  // namespace penstock::kafka
