#include "taskmanager/worker/state_upload.h"

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <utility>

#include "runtime/core/log.h"
#include "runtime/core/status.h"
#include "taskmanager/worker/local_copies.h"

namespace penstock::worker {
namespace {

constexpr int64_t kUploadChunkBytes = 1 << 20;

class StoredFile final : public StateFile {
 public:
  StoredFile(std::shared_ptr<Storage> storage, std::string name, int64_t size_bytes, uint64_t checksum,
             StateLocation location, const std::string& copies_dir)
      : StateFile(std::move(name), size_bytes, checksum),
        storage_(std::move(storage)),
        location_(std::move(location)),
        copy_path_(LocalCopies::PathOf(copies_dir, *this)) {}

  std::string local_path() const override { return Copy() == nullptr ? "" : copy_path_; }
  std::string shared_path() const override {
    const bool whole = location_.offset == 0 && location_.object_bytes == size_bytes();
    return whole ? storage_->LocalPath(location_.object) : "";
  }
  absl::StatusOr<std::string> Read(int64_t offset, int64_t size) const override {
    PENSTOCK_RETURN_IF_ERROR(CheckRange(offset, size));
    if (const StateFile* copy = Copy(); copy != nullptr) {
      absl::StatusOr<std::string> bytes = copy->Read(offset, size);
      if (bytes.ok()) return bytes;  // else it was deleted since
    }
    absl::StatusOr<std::string> read = storage_->Read(location_.object, location_.offset + offset, size);
    if (absl::IsNotFound(read.status())) return DataLoss("{} is gone, and a checkpoint needs it", location_.object);
    PENSTOCK_ASSIGN_OR_RETURN(std::string bytes, std::move(read));
    if (static_cast<int64_t>(bytes.size()) != size) {
      return DataLoss("{} is cut off: it ends at byte {} instead of {}", location_.object,
                      location_.offset + offset + static_cast<int64_t>(bytes.size()), location_.offset + offset + size);
    }
    return bytes;
  }
  const StateLocation& location() const { return location_; }
  const Storage* storage() const { return storage_.get(); }

 private:
  // Looked at once, by the first who needs it: only files of one's own key groups are.
  const StateFile* Copy() const {
    std::call_once(looked_, [this] { copy_ = FindCopy(); });
    return copy_.get();
  }
  StateFilePtr FindCopy() const {
    std::error_code error;
    const auto size = copy_path_.empty() ? 0 : std::filesystem::file_size(copy_path_, error);
    if (copy_path_.empty() || error) return nullptr;
    if (LocalCopies::ChecksItself(*this) && static_cast<int64_t>(size) == size_bytes()) {
      return MakeLocalStateFile(name(), copy_path_, size_bytes(), checksum(), false);
    }
    absl::StatusOr<StateFilePtr> copy = OpenLocalStateFile(name(), copy_path_, false);
    if (copy.ok() && (*copy)->size_bytes() == size_bytes() && (*copy)->checksum() == checksum()) return *copy;
    PENSTOCK_LOG(warn, "the local copy {} is damaged; {} is read instead", copy_path_, location_.object);
    return nullptr;
  }

  const std::shared_ptr<Storage> storage_;
  const StateLocation location_;
  const std::string copy_path_;  // empty: no copy
  mutable std::once_flag looked_;
  mutable StateFilePtr copy_;
};

absl::Status CopyTo(const StateFile& file, StorageWriter& writer) {
  for (int64_t at = 0; at < file.size_bytes(); at += kUploadChunkBytes) {
    PENSTOCK_ASSIGN_OR_RETURN(const std::string bytes,
                              file.Read(at, std::min(kUploadChunkBytes, file.size_bytes() - at)));
    PENSTOCK_RETURN_IF_ERROR(writer.Append(bytes));
  }
  return absl::OkStatus();
}

}  // namespace

std::string StateLocation::Encode() const { return fmt::format("{} {} {}", offset, object_bytes, object); }

bool StateLocation::Decode(const std::string& text, StateLocation* location) {
  int object_at = 0;
  if (std::sscanf(text.c_str(), "%" SCNd64 " %" SCNd64 " %n", &location->offset, &location->object_bytes, &object_at) !=
      2) {
    return false;
  }
  location->object = text.substr(static_cast<size_t>(object_at));
  return !location->object.empty();
}

absl::StatusOr<StateFilePtr> OpenStoredFile(std::shared_ptr<Storage> storage, const std::string& name,
                                            int64_t size_bytes, uint64_t checksum, const std::string& location,
                                            const std::string& copies_dir) {
  StateLocation parsed;
  if (!StateLocation::Decode(location, &parsed)) return DataLoss("'{}' is no location of {}", location, name);
  return std::make_shared<StoredFile>(std::move(storage), name, size_bytes, checksum, std::move(parsed), copies_dir);
}

const StateLocation* StateUpload::Find(const StateFile& file) const {
  // What a savepoint of elsewhere brought is not durable here before it has been written here.
  const auto* stored = dynamic_cast<const StoredFile*>(&file);
  if (stored != nullptr && stored->storage() == storage_.get()) return &stored->location();
  const auto found = durable_.find(file.name());
  return found != durable_.end() ? &found->second : nullptr;
}

int64_t StateUpload::MissingBytes(const std::vector<StateFilePtr>& files) const {
  std::set<std::string> seen;
  int64_t bytes = 0;
  for (const StateFilePtr& file : files) {
    if (Find(*file) == nullptr && seen.insert(file->name()).second) bytes += file->size_bytes();
  }
  return bytes;
}

absl::Status StateUpload::Upload(uint64_t checkpoint_id, const std::vector<StateFilePtr>& files) {
  std::map<std::string, StateFilePtr> missing;
  for (const StateFilePtr& file : files) {
    if (Find(*file) == nullptr) missing[file->name()] = file;
  }
  if (missing.empty()) return absl::OkStatus();
  const std::string object = fmt::format("{}-{}", prefix_, checkpoint_id);
  PENSTOCK_ASSIGN_OR_RETURN(const std::unique_ptr<StorageWriter> writer, storage_->Create(object));
  std::map<std::string, StateLocation> written;
  int64_t offset = 0;
  for (const auto& [name, file] : missing) {
    PENSTOCK_RETURN_IF_ERROR(CopyTo(*file, *writer));
    written[name] = {.object = object, .offset = offset};
    offset += file->size_bytes();
  }
  PENSTOCK_RETURN_IF_ERROR(writer->Commit());
  for (auto& [name, location] : written) {
    location.object_bytes = offset;
    durable_[name] = std::move(location);
  }
  return absl::OkStatus();
}

std::vector<StateFilePtr> StateUpload::MissingOf(const ChainPart& base) const {
  std::vector<StateFilePtr> missing;
  for (const ChainFile& file : base.files) {
    if (Find(*file.file) == nullptr) missing.push_back(file.file);
  }
  return missing;
}

absl::StatusOr<StateUpload::Locations> StateUpload::WriteBase(const std::vector<StateFilePtr>& missing) const {
  Locations written;
  for (const StateFilePtr& file : missing) {
    const std::string object = fmt::format("{}-{}", prefix_, file->name());
    PENSTOCK_ASSIGN_OR_RETURN(const std::unique_ptr<StorageWriter> writer, storage_->Create(object));
    PENSTOCK_RETURN_IF_ERROR(CopyTo(*file, *writer));
    PENSTOCK_RETURN_IF_ERROR(writer->Commit());
    written[file->name()] = {.object = object, .offset = 0, .object_bytes = file->size_bytes()};
  }
  return written;
}

void StateUpload::AddBase(Locations written) {
  for (auto& [name, location] : written) {
    fresh_.insert(name);
    durable_[name] = std::move(location);
  }
}

std::string StateUpload::Encode(const KeyedSnapshot& snapshot, std::set<std::string>* objects) const {
  return EncodeKeyedSnapshot(snapshot, [&](const StateFile& file) {
    const StateLocation& location = *Find(file);
    objects->insert(location.object);
    return location.Encode();
  });
}

void StateUpload::Retain(const std::vector<StateFilePtr>& files) {
  std::set<std::string> used;
  for (const StateFilePtr& file : files) used.insert(file->name());
  std::erase_if(fresh_, [&](const std::string& name) { return used.contains(name); });
  std::erase_if(durable_,
                [&](const auto& entry) { return !used.contains(entry.first) && !fresh_.contains(entry.first); });
}

}  // namespace penstock::worker
