// Files as sources and sinks: the records of files, and records into files.
//   env.source("lines", file::Source{.path = "/data/in"})      a file, or all files of a directory
//   env.source("drops", file::Source{.path = "/data/drop", .watch_interval = 5s})      and those that come later
//   stream.sink("out", file::Sink{.path = "/data/out"})        /data/out/part-<subtask>
#ifndef PENSTOCK_CONNECTORS_FILE_H_
#define PENSTOCK_CONNECTORS_FILE_H_

#include <chrono>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "penstock/formats/framing.h"
#include "runtime/record/bytes.h"
#include "runtime/task/sink.h"
#include "runtime/task/source.h"

namespace penstock::file {

// What a watching source does with a file that it has read and that has another size or time of change now.
enum class WhenChanged {
  kIgnore,     // counted as filesChanged
  kReadAgain,  // as a new file, from its beginning
};

// The records of files. Hidden files (".name") are passed over. A file that is shorter than what was read of it, or is
// gone before it was read to its end, is an error.
//
// Without watch_interval: bounded. The path is looked at when the job starts; a split is a file; file i (by name) is
// read by subtask i % parallelism, so nothing may be added meanwhile.
//
// With it: without end. The directory is looked through again and again, and what has come is read, the oldest first.
// File f is read by subtask hash(f) % parallelism. A file is its path: it is read once, however often it is seen; of a
// path that was read, another size or time of change is what WhenChanged says. A file is taken up when two looks have
// found the same size and time; so it may be written in place, but better moved in. All files of a subtask make one
// split for event time. Checkpoints hold a line for each file that is there; delete or move away what is read, then
// that line goes, too. At most kFilesMax files; more fail the job.
struct Source {
  using Output = Bytes;

  std::string path;
  framing::Framing framing = framing::Framing::kLines;
  size_t record_bytes_max = 16 << 20;  // a longer record is an error that names file and record
  int header_records = 0;              // the first records of each file, which are passed over: a CSV header
  std::string name_pattern;            // of file names, as a shell's: "*.csv"; empty: all
  bool recursive = false;              // sub-directories too, but hidden ones
  std::chrono::milliseconds watch_interval{0};
  WhenChanged when_changed = WhenChanged::kIgnore;

  absl::Status Validate() const;
  std::string Describe() const;
  std::unique_ptr<SourceReader<Bytes>> CreateReader() const;
};

inline constexpr size_t kFilesMax = 1'000'000;

template <class T>
concept Line = std::same_as<T, std::string> || std::same_as<T, Bytes>;

// At least once: appends to one file per subtask, part-<subtask>; a checkpoint returns when the records are on disk;
// after a restart records may be there twice. A record that a killed process left unfinished is removed. Exactly once:
// files that are whole when they appear, part-<sink>-<attempt>-<subtask>-<number>: written under a hidden name and
// renamed when the checkpoint that covers them is decided. A file ends with its checkpoint, or at roll_bytes. A record
// that the framing cannot hold (a line break in a line) is an error.
struct Sink {
  std::string path;  // a directory that all machines of the cluster see; made when missing
  Delivery delivery = Delivery::at_least_once;
  framing::Framing framing = framing::Framing::kLines;
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
