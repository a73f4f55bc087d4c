#include "examples/tools/events/oracle.h"

#include <cstdio>
#include <memory>

#include "runtime/core/status.h"

namespace penstock::events {

Oracle::Oracle(const GeneratorOptions& options)
    : options_(options), counts_(static_cast<size_t>(options.sessions) * static_cast<size_t>(options.windows)) {}

void Oracle::Count(const Event& event) {
  if (event.kind != EventKind::kGood) return;
  const auto window = static_cast<size_t>((event.time_ms - options_.start_ms) / kWindowMs);
  ++counts_[event.session * static_cast<size_t>(options_.windows) + window];
}

template <class Visit>
void Oracle::ForEachRow(const Visit& visit) const {
  const auto windows = static_cast<size_t>(options_.windows);
  for (uint32_t session = 0; session < options_.sessions; ++session) {
    const std::string name = Generator::SessionName(session);
    for (size_t window = 0; window < windows; ++window) {
      const uint32_t count = counts_[session * windows + window];
      if (count == 0) continue;
      const int64_t start = options_.start_ms + static_cast<int64_t>(window) * kWindowMs;
      visit(fmt::format("{},{},{},{}", name, start, start + kWindowMs, count));
    }
  }
}

int64_t Oracle::rows() const {
  int64_t rows = 0;
  for (const uint32_t count : counts_) rows += count > 0 ? 1 : 0;
  return rows;
}

std::vector<std::string> Oracle::Rows() const {
  std::vector<std::string> rows;
  ForEachRow([&](std::string row) { rows.push_back(std::move(row)); });
  return rows;
}

absl::Status Oracle::WriteTo(const std::string& path) const {
  FILE* file = fopen(path.c_str(), "w");
  if (file == nullptr) return FailedPrecondition("--expected {} cannot be written", path);
  ForEachRow([&](const std::string& row) { fmt::print(file, "{}\n", row); });
  const bool failed = ferror(file) != 0;
  if (fclose(file) != 0 || failed) return ResourceExhausted("writing {} failed", path);
  return absl::OkStatus();
}

void Checksum::Add(std::string_view row) {
  uint64_t hash = 14695981039346656037ull;  // FNV-1a
  for (const char c : row) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  sum_ += hash;
}

}  // namespace penstock::events
