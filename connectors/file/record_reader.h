// The records of one open file, by blocks. One thread; memory: a block and the longest record.
#ifndef PENSTOCK_CONNECTORS_FILE_RECORD_READER_H_
#define PENSTOCK_CONNECTORS_FILE_RECORD_READER_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "connectors/file/file_id.h"
#include "penstock/formats/framing.h"
#include "runtime/record/bytes.h"

namespace penstock::file {

class RecordReader {
 public:
  RecordReader(std::string path, framing::Framing framing, size_t record_bytes_max);
  ~RecordReader();
  RecordReader(const RecordReader&) = delete;
  RecordReader& operator=(const RecordReader&) = delete;

  // Begins at an offset that is the beginning of a record, with so many records before it. NotFound; DataLoss: the file
  // is shorter than that.
  absl::Status Open(int64_t offset, int64_t records);
  // The next record, valid until the next call; false at the end of the file.
  absl::StatusOr<bool> Next(Bytes* record);

  int64_t consumed() const { return consumed_; }  // bytes of the file that have been handed out
  int64_t records() const { return records_; }
  int64_t record_at() const { return record_at_; }  // where the last one begins
  // Of the open file, now.
  absl::StatusOr<FileId> Identify() const;

 private:
  absl::Status Fill();

  const std::string path_;
  const framing::Framing framing_;
  const framing::Limits limits_;
  int fd_ = -1;
  std::vector<char> buffer_;
  size_t begin_ = 0;  // of the record to come
  size_t used_ = 0;
  int64_t records_ = 0;
  int64_t record_at_ = 0;
  int64_t consumed_ = 0;
  bool at_end_ = false;
};

}  // namespace penstock::file

#endif  // PENSTOCK_CONNECTORS_FILE_RECORD_READER_H_
