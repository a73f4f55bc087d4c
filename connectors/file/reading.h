// Reads the files of a source one after the other: what the bounded and the watching reader share. Task's thread.
#ifndef PENSTOCK_CONNECTORS_FILE_READING_H_
#define PENSTOCK_CONNECTORS_FILE_READING_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "connectors/file/file_id.h"
#include "connectors/file/record_reader.h"
#include "penstock/connectors/file.h"

namespace penstock::file {

// The file in hand, if any.
class Reading {
 public:
  explicit Reading(const Source& source) : source_(source) {}

  bool open() const { return reader_ != nullptr; }
  const std::string& path() const { return path_; }
  // Goes on at the position.
  absl::Status Begin(const std::string& path, const FilePosition& position);
  // At most one batch; true: the file is at its end.
  absl::StatusOr<bool> Poll(SplitIndex split, SourceOutput<Bytes>& output);
  // The record that was handed out last, for people; empty while no file is open.
  std::string DescribeCurrent() const;
  // Behind what was emitted. REQUIRES: open().
  FilePosition Position() const;
  // The position at its end, with what the file is by now; closes it. REQUIRES: Poll has said true.
  absl::StatusOr<FilePosition> End();
  void Close() { reader_.reset(); }

 private:
  const Source& source_;
  std::string path_;
  FileId begun_as_;
  std::unique_ptr<RecordReader> reader_;
};

// A reader of what there is (reading.cc's caller), or of what comes, too.
std::unique_ptr<SourceReader<Bytes>> MakeWatchingReader(const Source& source);

}  // namespace penstock::file

#endif  // PENSTOCK_CONNECTORS_FILE_READING_H_
