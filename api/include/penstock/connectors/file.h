// Text files as sources and sinks: one record per line.
//   env.source("lines", file::Source{.path = "/data/in"})      a file, or all files of a directory
//   stream.sink("out", file::Sink{.path = "/data/out"})        /data/out/part-<subtask>
#ifndef PENSTOCK_CONNECTORS_FILE_H_
#define PENSTOCK_CONNECTORS_FILE_H_

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "runtime/record/bytes.h"
#include "runtime/task/sink.h"
#include "runtime/task/source.h"

namespace penstock::file {

// Bounded. A split is a file; file i (by name) is read by subtask i % parallelism. Hidden files and sub-directories are
// passed over. Lines end with "\n" or "\r\n"; the last may have no end. The path is looked at when the job starts.
struct Source {
  using Output = Bytes;

  std::string path;
  size_t line_bytes_max = 16 << 20;  // a longer line is an error that names file and line

  absl::Status Validate() const;
  std::string Describe() const;
  std::unique_ptr<SourceReader<Bytes>> CreateReader() const;
};

template <class T>
concept Line = std::same_as<T, std::string> || std::same_as<T, Bytes>;

// At least once: appends to one file per subtask, part-<subtask>; a checkpoint returns when the lines are on disk;
// after a restart records may be there twice. A line that a killed process left unfinished is removed. Exactly once:
// files that are whole when they appear, part-<sink>-<attempt>-<subtask>-<number>: written under a hidden name and
// renamed when the checkpoint that covers them is decided. A file ends with its checkpoint, or at roll_bytes. A record
// with a line break is an error.
struct Sink {
  std::string path;  // a directory that all machines of the cluster see; made when missing
  Delivery delivery = Delivery::at_least_once;
  int64_t roll_bytes = 128 << 20;  // exactly once only

  absl::Status Validate() const;
  std::string Describe() const;
  Delivery DeliveryGuarantee() const { return delivery; }
  template <Line T>
  std::unique_ptr<SinkWriter<T>> CreateWriter() const;
};

template <>
std::unique_ptr<SinkWriter<std::string>> Sink::CreateWriter() const;
template <>
std::unique_ptr<SinkWriter<Bytes>> Sink::CreateWriter() const;

}  // namespace penstock::file

#endif  // PENSTOCK_CONNECTORS_FILE_H_
