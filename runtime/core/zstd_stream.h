// zstd over files, a piece at a time. For bundle.cc.
#ifndef PENSTOCK_RUNTIME_CORE_ZSTD_STREAM_H_
#define PENSTOCK_RUNTIME_CORE_ZSTD_STREAM_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace penstock {

// Not thread-safe. Without Close() the file is incomplete.
class ZstdWriter {
 public:
  explicit ZstdWriter(const std::string& path);
  ~ZstdWriter();
  absl::Status Write(std::string_view bytes);
  absl::Status Close();

 private:
  struct State;
  absl::Status Push(std::string_view bytes, bool end);
  std::unique_ptr<State> state_;
};

// Not thread-safe.
class ZstdReader {
 public:
  explicit ZstdReader(const std::string& path);
  ~ZstdReader();
  // Exactly `size` bytes unless the stream ends before. DataLoss when it is damaged or cut off.
  absl::StatusOr<size_t> Read(char* out, size_t size);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_CORE_ZSTD_STREAM_H_
