// The file sink that writes exactly once: files under hidden names, renamed when their checkpoint is decided.
#ifndef PENSTOCK_CONNECTORS_FILE_ROLLING_WRITER_H_
#define PENSTOCK_CONNECTORS_FILE_ROLLING_WRITER_H_

#include <memory>
#include <string>
#include <string_view>

#include "penstock/connectors/file.h"
#include "runtime/core/status.h"

namespace penstock::file {

inline std::string_view LineOf(const std::string& value) { return value; }
inline std::string_view LineOf(const Bytes& value) { return value.view(); }

// Adds a record to what is to be written to `where`.
inline absl::Status AppendRecord(framing::Framing framing, std::string_view record, const std::string& where,
                                 std::string& buffer) {
  const absl::Status appended = framing::AppendFrame(framing, record, buffer);
  return appended.ok() ? appended : MakeStatus(appended.code(), "file sink: {}: {}", where, MessageOf(appended));
}

// T: std::string or Bytes.
template <class T>
std::unique_ptr<SinkWriter<T>> MakeRollingWriter(const Sink& sink);

}  // namespace penstock::file

#endif  // PENSTOCK_CONNECTORS_FILE_ROLLING_WRITER_H_
