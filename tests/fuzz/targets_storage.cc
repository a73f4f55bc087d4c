// What comes from outside: answers of an object store, programs that are uploaded, requests, a cluster's list of jobs;
// and what checkpoints say about operators and files.
#include <google/protobuf/stubs/logging.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "connectors/file/file_id.h"
#include "jobmanager/store/job_store.h"
#include "runtime/checkpoint/manifest.h"
#include "runtime/core/bundle.h"
#include "runtime/core/http/message.h"
#include "runtime/core/storage/s3/answers.h"
#include "runtime/core/storage/storage.h"
#include "taskmanager/worker/restore.h"
#include "taskmanager/worker/state_upload.h"
#include "tests/fuzz/target.h"

namespace penstock::fuzz {
namespace {

proto::Manifest OwnManifest() {
  proto::Manifest manifest;
  manifest.set_version(1);
  manifest.set_checkpoint_id(42);
  manifest.set_generation("g");
  return manifest;
}
void RunCommitRecord(std::string_view bytes) { (void)CheckCommitRecord(bytes, "fuzz", OwnManifest()); }

void RunTaskHandle(std::string_view bytes) {
  google::protobuf::SetLogHandler(nullptr);
  proto::Manifest manifest = OwnManifest();
  proto::SubtaskSnapshot& subtask = *manifest.add_subtasks();
  subtask.set_vertex_id("v");
  subtask.set_handle(bytes.data(), bytes.size());
  (void)worker::RestoreSource::From(manifest, nullptr);  // files are opened when they are read, not here
}

void RunStateLocation(std::string_view bytes) {
  worker::StateLocation location;
  (void)worker::StateLocation::Decode(std::string(bytes), &location);
}

void RunFilePosition(std::string_view bytes) {
  file::FilePosition position;
  std::string path;
  (void)file::DecodePosition(bytes, &position, &path);
}

void RunJobEntry(std::string_view bytes) {
  google::protobuf::SetLogHandler(nullptr);
  (void)jobmanager::DecodeJobEntry(bytes, "fuzz");
}

void RunS3Answers(std::string_view bytes) {
  (void)s3::ParseError(bytes);
  (void)s3::ParseList(bytes);
  (void)s3::ParseUploadId(bytes);
  (void)s3::ParseDeleteFailures(bytes);
  (void)s3::ParseTimeMs(std::string(bytes));
}

void RunHttpTarget(std::string_view bytes) {
  http::Request request;
  (void)http::ParseTarget(bytes, &request);
  (void)http::PercentDecode(bytes, true);
}

// A folder of this process.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string name = std::filesystem::temp_directory_path() / "penstock-fuzz-XXXXXX";
    if (mkdtemp(name.data()) != nullptr) path_ = name;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};
const std::filesystem::path& Scratch() {
  static const ScratchFolder folder;
  return folder.path();
}
void RunBundle(std::string_view bytes) {
  const std::filesystem::path bundle = Scratch() / "bundle";
  const std::filesystem::path unpacked = Scratch() / "unpacked";
  std::ofstream(bundle, std::ios::binary) << bytes;
  (void)ExtractBundle(bundle, unpacked, {.files_max = 8, .bytes_max = 1 << 16});
  std::filesystem::remove_all(unpacked);
}

std::vector<std::string> CommitRecordSeeds() { return {EncodeCommitRecord(42, "g")}; }
std::vector<std::string> TaskHandleSeeds() {
  proto::TaskHandle handle;
  handle.set_version(1);
  handle.set_key_groups(128);
  handle.set_key_group_end(128);
  proto::OperatorHandle& op = *handle.add_operators();
  op.set_uid("op");
  proto::OperatorStateHandle& state = *op.add_states();
  state.set_name("items");
  state.add_items("one");
  proto::OperatorFile& file = *state.add_files();
  file.set_name("f");
  file.set_size_bytes(3);
  file.set_location(worker::StateLocation{"object", 4, 9}.Encode());
  return {handle.SerializeAsString()};
}
std::vector<std::string> StateLocationSeeds() { return {worker::StateLocation{"jobs/j/data/o", 4, 9}.Encode()}; }
std::vector<std::string> FilePositionSeeds() {
  return {file::EncodePosition({.done = true, .bytes = 7, .records = 2, .id = {9, 8}}, "/a b/c"), "0 12 3 /a b/c"};
}
std::vector<std::string> JobEntrySeeds() {
  proto::JobEntry entry;
  entry.set_version(1);
  entry.set_cluster_id("c");
  entry.set_job_id("0123456789abcdef0123456789abcdef");
  entry.set_number(1);
  return {jobmanager::EncodeJobEntry(entry)};
}
std::vector<std::string> S3AnswerSeeds() {
  return {"<Error><Code>NoSuchKey</Code><Message>no</Message><Region>r</Region></Error>",
          "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</"
          "NextContinuationToken><Contents><Key>a"
          "</Key><Size>3</Size><LastModified>2009-10-12T17:50:30.000Z</LastModified></Contents></ListBucketResult>",
          "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>",
          "<DeleteResult><Error><Key>k</Key><Code>AccessDenied</Code></Error></DeleteResult>"};
}
std::vector<std::string> HttpTargetSeeds() { return {"/jobs/a%20b/x?maxExceptions=3&x=%zz+1", "*"}; }
std::vector<std::string> BundleSeeds() {
  const std::filesystem::path source = Scratch() / "source";
  std::ofstream(source) << "#!/bin/sh\n";
  const std::filesystem::path bundle = Scratch() / "seed";
  if (!WriteBundle(bundle, {{kBundleProgram, source, true}, {"lib/a.so", source, false}}).ok()) return {};
  std::ostringstream bytes;
  bytes << std::ifstream(bundle, std::ios::binary).rdbuf();
  return {bytes.str()};
}

}  // namespace

const Target kStorageTargets[] = {{"commit_record", RunCommitRecord, CommitRecordSeeds},
                                  {"task_handle", RunTaskHandle, TaskHandleSeeds},
                                  {"state_location", RunStateLocation, StateLocationSeeds},
                                  {"file_position", RunFilePosition, FilePositionSeeds},
                                  {"job_entry", RunJobEntry, JobEntrySeeds},
                                  {"s3_answers", RunS3Answers, S3AnswerSeeds},
                                  {"http_target", RunHttpTarget, HttpTargetSeeds},
                                  {"bundle", RunBundle, BundleSeeds, 20}};
const size_t kStorageTargetCount = std::size(kStorageTargets);

}  // namespace penstock::fuzz
