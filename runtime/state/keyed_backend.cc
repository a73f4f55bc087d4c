#include "runtime/state/keyed_backend.h"

#include <algorithm>
#include <utility>

#include "runtime/core/log.h"
#include "runtime/core/status.h"
#include "runtime/state/rocks_tier.h"

namespace penstock {
namespace {

// Eviction frees a little more than it must, so that it runs in batches.
constexpr int64_t kEvictSlackShare = 64;
constexpr int64_t kEvictBytesMin = 64 << 10;
// Dirty entries lie anywhere in memory: those to be written next are fetched ahead.
constexpr size_t kPrefetchEntries = 16;

int64_t BytesOf(const ChainPart& part) {
  int64_t bytes = 0;
  for (const ChainFile& file : part.files) bytes += file.file->size_bytes();
  return bytes;
}

// Marks the renewal as ended even if the executor throws the work away.
class FinishGuard {
 public:
  explicit FinishGuard(std::shared_ptr<Renewal> renewal) : renewal_(std::move(renewal)) {}
  ~FinishGuard() {
    if (renewal_ != nullptr) renewal_->Finish(Cancelled("the background work was dropped"));
  }
  void Finish(absl::StatusOr<ChainPart> result) { std::exchange(renewal_, nullptr)->Finish(std::move(result)); }

 private:
  std::shared_ptr<Renewal> renewal_;
};

}  // namespace

KeyedBackend::KeyedBackend(KeyedBackendOptions options)
    : options_(std::move(options)), dirty_entries_bound_(std::min(kDirtyEntriesAtFirst, options_.dirty_entries_max)) {
  TellBudget();
}

KeyedBackend::~KeyedBackend() {
  if (renewal_ != nullptr) renewal_->WaitUntilIdle();
}

absl::Status KeyedBackend::Register(TableBase& table) {
  if (started_) return FailedPrecondition("operator {} was declared after the task began", table.spec().Label());
  for (const TableBase* other : tables_) {
    if (other->spec().uid == table.spec().uid && other->spec().name == table.spec().name) {
      return InvalidArgument("operator {} is declared twice: states of an operator need names of their own",
                             table.spec().Label());
    }
  }
  table.Attach(*this, static_cast<uint32_t>(tables_.size()));
  tables_.push_back(&table);
  return absl::OkStatus();
}

SegmentHeader KeyedBackend::HeaderOf(SegmentKind kind, uint64_t id) const {
  SegmentHeader header;
  header.kind = kind;
  header.id = id;
  header.key_groups = options_.key_groups;
  header.range = options_.range;
  for (const TableBase* table : tables_) header.tables.push_back(table->spec());
  return header;
}

absl::Status KeyedBackend::Start(std::vector<ChainPart> parts, bool allow_non_restored) {
  started_ = true;
  unweighed_.reserve(kUnweighedMax);
  TellBudget();  // what is loaded keeps to it, too
  const int64_t began_ns = clock().MonotonicNs();
  int64_t opened_ns = began_ns;
  std::vector<ChainPart> bases;
  for (const ChainPart& part : parts) {
    if (part.kind == PartKind::kRocksdbBase) bases.push_back(part);
  }
  if (options_.cold != nullptr) {
    PENSTOCK_RETURN_IF_ERROR(options_.cold->Open(Specs(), bases));
    old_bases_ = !bases.empty();
    opened_ns = clock().MonotonicNs();
    for (TableBase* table : tables_) {
      if (!bases.empty()) table->ExpectCold();
    }
  }
  for (const ChainPart& part : parts) PENSTOCK_RETURN_IF_ERROR(LoadPart(part, allow_non_restored));
  for (TableBase* table : tables_) PENSTOCK_RETURN_IF_ERROR(table->FinishLoad());
  PENSTOCK_RETURN_IF_ERROR(status_);
  if (!parts.empty()) LogRestored(parts, opened_ns - began_ns, clock().MonotonicNs() - opened_ns);
  chain_ = std::move(parts);
  if (options_.track_changes) BeginSegment();
  return absl::OkStatus();
}

void KeyedBackend::LogRestored(const std::vector<ChainPart>& parts, int64_t open_ns, int64_t load_ns) const {
  int64_t bases = 0;
  int64_t read_entries = 0;
  int64_t bytes = 0;
  for (const ChainPart& part : parts) {
    bases += part.kind == PartKind::kRocksdbBase ? 1 : 0;
    read_entries += part.kind == PartKind::kRocksdbBase ? 0 : part.entries;
    bytes += BytesOf(part);
  }
  constexpr double kNsPerMs = 1e6;
  PENSTOCK_LOG(info,
               "key groups {} to {} restored from {} parts of {} MB: {} RocksDB bases opened in {:.0f} ms, {} changes "
               "read in {:.0f} ms",
               options_.range.begin, options_.range.end - 1, parts.size(), bytes >> 20, bases, open_ns / kNsPerMs,
               read_entries, load_ns / kNsPerMs);
}

absl::Status KeyedBackend::LoadPart(const ChainPart& part, bool allow_non_restored) {
  if (part.kind == PartKind::kRocksdbBase) return LoadRocksBase(part, allow_non_restored);
  const StateFilePtr& file = part.files.front().file;
  PENSTOCK_ASSIGN_OR_RETURN(const std::unique_ptr<SegmentReader> reader, SegmentReader::Open(file));
  const int64_t now_ms = clock().NowMs();
  PENSTOCK_ASSIGN_OR_RETURN(
      const std::vector<TableMatcher::Match> matches,
      TableMatcher::MatchAll(reader->header(), Specs(), options_.key_groups, file->name(), now_ms));
  for (size_t i = 0; i < matches.size(); ++i) {
    if (matches[i].table >= 0 || allow_non_restored) continue;
    return FailedPrecondition(
        "the snapshot has operator {}, which the job has not: restore the operator under this uid, or leave its state "
        "behind with --allow-non-restored-state",
        reader->header().tables[i].Label());
  }
  ByteWriter scratch;
  return reader->ReadGroups(part.mask, [&](const StateEntry& stored) -> absl::Status {
    const TableMatcher::Match& match = matches[stored.table];
    if (match.table < 0) return absl::OkStatus();
    TableBase& table = *tables_[match.table];
    StateEntry entry = stored;
    if (entry.op == EntryOp::kPut) {
      PENSTOCK_RETURN_IF_ERROR(ResolveValue(table.spec(), match, scratch, entry.value));
      // What has expired is as good as deleted: an older value may not come back instead.
      if (table.spec().expires && IsExpired(entry.value, now_ms)) entry.op = EntryOp::kDelete;
    }
    PENSTOCK_RETURN_IF_ERROR(table.Load(entry));
    MakeRoom();
    return status_;
  });
}

// Without a cold tier everything is loaded; the base cannot stay in the chain, so the next cut writes all.
absl::Status KeyedBackend::LoadRocksBase(const ChainPart& part, bool allow_non_restored) {
  if (options_.cold != nullptr) return absl::OkStatus();
  if (options_.local_directory.empty()) {
    return FailedPrecondition(
        "the snapshot has a RocksDB base, and there is no local folder to read it in: set "
        "state.local-dir");
  }
  options_.track_changes = false;
  return ReadRocksBase(part, fmt::format("{}/{}-read", options_.local_directory, options_.file_prefix), Specs(),
                       options_.key_groups, allow_non_restored, clock().NowMs(),
                       [&](const StateEntry& entry) { return tables_[entry.table]->Load(entry); });
}

std::vector<TableSpec> KeyedBackend::Specs() const {
  std::vector<TableSpec> specs;
  for (const TableBase* table : tables_) specs.push_back(table->spec());
  return specs;
}

void KeyedBackend::BeginSegment() {
  ++segments_made_;
  chain_memory_bytes_ = 0;
  for (const ChainPart& part : chain_) {
    for (const ChainFile& file : part.files) chain_memory_bytes_ += file.file->memory_bytes();
  }
  const int64_t memory_bytes = std::max(options_.segment_memory_bytes - chain_memory_bytes_, kSegmentMemoryBytesMin);
  segment_.emplace(HeaderOf(SegmentKind::kSegment, last_cut_id_ + 1),
                   SpillBuffer(fmt::format("{}-segment-{}", options_.file_prefix, segments_made_),
                               options_.local_directory, memory_bytes));
}

void KeyedBackend::AppendPut(uint32_t table, uint32_t key_group, std::string_view key, std::string_view value) {
  if (segment_) segment_->Append(key_group, table, EntryOp::kPut, key, value);
}

void KeyedBackend::AppendDelete(uint32_t table, uint32_t key_group, std::string_view key) {
  if (segment_) segment_->Append(key_group, table, EntryOp::kDelete, key, {});
}

void KeyedBackend::AppendDeleteNamespace(uint32_t table, uint32_t key_group, int64_t ns) {
  if (!segment_) return;
  ByteWriter key;
  PutNamespace(ns, key);
  segment_->Append(key_group, table, EntryOp::kDeleteNamespace, key.view(), {});
}

bool KeyedBackend::ReadCold(uint32_t table, uint32_t key_group, std::string_view key, std::string* value) {
  ++cold_reads_;
  absl::StatusOr<bool> found = options_.cold->Get(table, key_group, key, value);
  if (found.ok()) return *found;
  Fail(found.status());
  return false;
}

absl::Status KeyedBackend::ScanCold(uint32_t table, uint32_t key_group,
                                    const std::function<bool(std::string_view key)>& visit) {
  PENSTOCK_RETURN_IF_ERROR(options_.cold->Flush());
  bool good = true;
  PENSTOCK_RETURN_IF_ERROR(options_.cold->Scan(
      table, key_group, "", [&](std::string_view key, std::string_view) { return good = visit(key); }));
  if (!good) return DataLoss("a key of operator {} does not decode", tables_[table]->spec().Label());
  return absl::OkStatus();
}

void KeyedBackend::ChargeState(int64_t delta_bytes) {
  charged_bytes_ += delta_bytes;
  TellBudget();
}

void KeyedBackend::WriteAhead(size_t keep) {
  while (segment_dirty_.size() > keep) {
    const Dirty dirty = segment_dirty_.front();
    segment_dirty_.pop_front();
    if (segment_dirty_.size() > kPrefetchEntries) {
      const Dirty& ahead = segment_dirty_[kPrefetchEntries];
      tables_[ahead.table]->Prefetch(ahead.slot);
    }
    tables_[dirty.table]->WriteDirty(dirty.slot);
  }
}

// All that is dirty, at a barrier; learns from the time it takes how much may be left for the next one. The quickest of
// the last cuts tells what an entry takes: in the others the thread may have waited for a core.
void KeyedBackend::WriteRest() {
  const size_t entries = segment_dirty_.size();
  const int64_t started_ns = clock().MonotonicNs();
  WriteAhead(0);
  const size_t bound_min = std::min(kDirtyEntriesMin, options_.dirty_entries_max);
  if (entries < bound_min) return;
  const double took_ns = static_cast<double>(std::max<int64_t>(1, clock().MonotonicNs() - started_ns));
  cut_entry_ns_.push_back(took_ns / static_cast<double>(entries));
  if (cut_entry_ns_.size() > kCutsTimed) cut_entry_ns_.pop_front();
  const double fitting = static_cast<double>(kCutWriteTarget.count()) / *std::ranges::min_element(cut_entry_ns_);
  const double raised = std::min(fitting, 2.0 * static_cast<double>(dirty_entries_bound_));  // a step at a time
  dirty_entries_bound_ = std::clamp(static_cast<size_t>(raised), bound_min, options_.dirty_entries_max);
}

void KeyedBackend::Weigh() {
  for (const Dirty& changed : unweighed_) tables_[changed.table]->Weigh(changed.slot);
  unweighed_.clear();
}

void KeyedBackend::Evict() {
  int64_t wanted = hot_bytes_ - hot_bytes_limit_ + std::max(kEvictBytesMin, hot_bytes_limit_ / kEvictSlackShare);
  wanted = std::min(wanted, hot_bytes_);
  const int64_t target = hot_bytes_ - wanted;
  for (size_t tried = 0; tried < tables_.size() && hot_bytes_ > target; ++tried) {
    tables_[evict_next_table_++ % tables_.size()]->Evict(hot_bytes_ - target);
  }
  if (absl::Status status = options_.cold->Flush(); !status.ok()) Fail(status);
}

absl::Status KeyedBackend::Trickle() {
  if (!status_.ok()) return status_;
  WriteAhead(dirty_entries_bound_);
  if (segment_ && !segment_->status().ok()) Fail(segment_->status());
  if (renewal_ != nullptr) StepRenewal();
  if (old_bases_) {
    absl::StatusOr<bool> more = options_.cold->FoldOldBases(kFoldEntriesPerTrickle);
    if (!more.ok()) Fail(more.status());
    old_bases_ = more.ok() && *more;
  }
  for (TableBase* table : tables_) table->Sweep(kSweepEntries);
  Weigh();
  TellBudget();
  MakeRoom();
  return status_;
}

void KeyedBackend::TellBudget() {
  HotBudget* const budget = options_.budget.get();
  const int64_t lists =
      static_cast<int64_t>((fold_dirty_.size() + segment_dirty_.size()) * sizeof(Dirty)) + charged_bytes_;
  const int64_t bytes_max =
      budget != nullptr ? budget->bytes_max.load(std::memory_order_relaxed) : options_.hot_bytes_max;
  if (options_.cold != nullptr && bytes_max > 0) hot_bytes_limit_ = std::max(bytes_max - lists, bytes_max / 2);
  if (budget == nullptr) return;
  budget->bytes.store(hot_bytes_ + lists, std::memory_order_relaxed);
  const int64_t segment = segment_ ? segment_->bytes() : 0;
  budget->segment_bytes.store(std::min(segment, options_.segment_memory_bytes) + chain_memory_bytes_,
                              std::memory_order_relaxed);
}

absl::StatusOr<KeyedSnapshot> KeyedBackend::Cut(uint64_t checkpoint_id) {
  PENSTOCK_RETURN_IF_ERROR(status_);
  last_cut_id_ = checkpoint_id;
  if (renewal_ != nullptr) StepRenewal();
  AdoptBase();
  if (options_.track_changes) {
    WriteRest();
  } else {
    WriteEverything();
  }
  if (absl::Status status = CloseSegment(); !status.ok()) {
    Fail(status);
    return status;
  }
  if (renewal_ == nullptr && NeedsRenewal()) BeginRenewal();
  BeginSegment();
  KeyedSnapshot snapshot;
  snapshot.checkpoint_id = checkpoint_id;
  snapshot.key_groups = options_.key_groups;
  snapshot.range = options_.range;
  snapshot.parts = chain_;
  return snapshot;
}

absl::Status KeyedBackend::CloseSegment() {
  ChainPart part;
  part.id = last_cut_id_;
  part.mask = options_.range;
  part.entries = segment_->entries();
  if (part.entries == 0) return absl::OkStatus();  // nothing has changed
  PENSTOCK_ASSIGN_OR_RETURN(StateFilePtr file, segment_->Finish());
  part.files.push_back({std::move(file), ""});
  chain_.push_back(std::move(part));
  return absl::OkStatus();
}

// The first cut of a task that tracked nothing: all of the cold tier, then what the hot tables know better.
void KeyedBackend::WriteEverything() {
  BeginSegment();
  options_.track_changes = true;
  chain_.clear();
  if (options_.cold != nullptr) {
    if (absl::Status status = options_.cold->Flush(); !status.ok()) return Fail(status);
    for (uint32_t table = 0; table < tables_.size(); ++table) {
      for (uint32_t group = options_.range.begin; group < options_.range.end; ++group) {
        const auto copy = [&](std::string_view key, std::string_view value) {
          AppendPut(table, group, key, value);
          return true;
        };
        if (absl::Status status = options_.cold->Scan(table, group, {}, copy); !status.ok()) return Fail(status);
      }
    }
  }
  for (TableBase* table : tables_) table->WriteAll();
}

bool KeyedBackend::NeedsRenewal() const {
  if (old_bases_) return false;
  int64_t entries = 0;
  int64_t bytes = 0;
  size_t segments = 0;
  for (const ChainPart& part : chain_) {
    if (part.kind != PartKind::kSegment) continue;
    entries += part.entries;
    bytes += BytesOf(part);
    ++segments;
  }
  return segments > kSegmentsMax ||
         entries / kReplayEntriesPerMs + bytes / kReplayBytesPerMs > options_.chain_replay_ms_max;
}

bool KeyedBackend::AllHot() const {
  return std::ranges::all_of(tables_, [](const TableBase* table) { return table->AllHot(); });
}

// What is small and in memory is written out anew: that costs less than to fold it into RocksDB entry by entry.
void KeyedBackend::BeginRenewal() {
  renewal_ = std::make_shared<Renewal>();
  renewal_->base_id = ++bases_made_;
  renewal_->parts_covered = chain_.size();
  renewal_->fold_until = fold_popped_ + fold_dirty_.size();
  if (options_.cold != nullptr && (hot_bytes_ > kDumpBytesMax || !AllHot())) return;
  renewal_->stage = Renewal::Stage::kDumping;
  renewal_->dump.emplace(HeaderOf(SegmentKind::kBase, last_cut_id_),
                         SpillBuffer(fmt::format("{}-base-{}", options_.file_prefix, renewal_->base_id),
                                     options_.local_directory, options_.segment_memory_bytes));
  for (TableBase* table : tables_) table->BeginDump();
}

void KeyedBackend::AppendToBase(uint32_t table, uint32_t key_group, std::string_view key, std::string_view value) {
  renewal_->dump->Append(key_group, table, EntryOp::kPut, key, value);
}

void KeyedBackend::StepDump() {
  if (!AllHot()) {  // entries were evicted behind it: the next cut begins a base by folding
    renewal_.reset();
    return;
  }
  size_t& next = renewal_->dump_table;
  if (next < tables_.size() && !tables_[next]->StepDump(kDumpEntriesPerTrickle)) ++next;
  if (next < tables_.size()) return;
  ChainPart base;
  base.kind = PartKind::kBase;
  base.id = last_cut_id_;
  base.mask = options_.range;
  base.entries = renewal_->dump->entries();
  absl::StatusOr<StateFilePtr> file = renewal_->dump->Finish();
  if (file.ok()) base.files.push_back({*std::move(file), ""});
  renewal_->dump.reset();
  NoteBase(file.ok() ? absl::StatusOr<ChainPart>(std::move(base)) : file.status());
}

void KeyedBackend::FoldUntil(uint64_t target) {
  for (int i = 0; i < kFoldEntriesPerTrickle && fold_popped_ < target; ++i) {
    const Dirty dirty = fold_dirty_.front();
    fold_dirty_.pop_front();
    ++fold_popped_;
    tables_[dirty.table]->FoldDirty(dirty.slot);
  }
  if (absl::Status status = options_.cold->Flush(); !status.ok()) Fail(status);
}

void KeyedBackend::StepRenewal() {
  Renewal& renewal = *renewal_;
  if (renewal.stage == Renewal::Stage::kDumping) return StepDump();
  if (renewal.stage == Renewal::Stage::kFolding) {
    FoldUntil(renewal.fold_until);
    if (status_.ok() && fold_popped_ >= renewal.fold_until) MakeBase();
    return;
  }
  if (renewal.stage != Renewal::Stage::kMaking) return;
  std::optional<absl::StatusOr<ChainPart>> result = renewal.TakeResult();
  if (result) NoteBase(*std::move(result));
}

void KeyedBackend::NoteBase(absl::StatusOr<ChainPart> base) {
  if (!base.ok()) {
    // The chain stands as it is; the next cut tries again.
    PENSTOCK_LOG(warn, "a new base of keyed state could not be made: {}", MessageOf(base.status()));
    renewal_.reset();
    return;
  }
  renewal_->base = *std::move(base);
  renewal_->stage = Renewal::Stage::kMade;
}

void KeyedBackend::MakeBase() {
  renewal_->stage = Renewal::Stage::kMaking;
  renewal_->NoteRunning();
  auto guard = std::make_shared<FinishGuard>(renewal_);
  const std::string name = fmt::format("{}-base-{}", options_.file_prefix, renewal_->base_id);
  std::function<void()> work = [guard, name, id = last_cut_id_, cold = options_.cold.get()] {
    guard->Finish(cold->MakeBase(id, name));
  };
  guard.reset();
  if (options_.background) {
    options_.background(std::move(work));
  } else {
    work();
  }
}

std::optional<ChainPart> KeyedBackend::TakeNewBase() {
  if (renewal_ == nullptr || renewal_->stage != Renewal::Stage::kMade) return std::nullopt;
  renewal_->stage = Renewal::Stage::kHandedOut;
  ChainPart base = *renewal_->base;
  base.id = renewal_->base_id;
  return base;
}

void KeyedBackend::OnBaseDurable(uint64_t base_id) {
  if (renewal_ == nullptr || renewal_->base_id != base_id) return;
  if (renewal_->stage == Renewal::Stage::kHandedOut) renewal_->stage = Renewal::Stage::kDurable;
}

void KeyedBackend::OnBaseFailed(uint64_t base_id) {
  if (renewal_ == nullptr || renewal_->base_id != base_id) return;
  if (renewal_->stage == Renewal::Stage::kHandedOut) renewal_.reset();
}

void KeyedBackend::AdoptBase() {
  if (renewal_ == nullptr || renewal_->stage != Renewal::Stage::kDurable) return;
  std::vector<ChainPart> chain = {*std::move(renewal_->base)};
  chain.insert(chain.end(), chain_.begin() + static_cast<ptrdiff_t>(renewal_->parts_covered), chain_.end());
  chain_ = std::move(chain);
  renewal_.reset();
}

KeyedFigures KeyedBackend::ReadFigures() const {
  KeyedFigures figures;
  for (const TableBase* table : tables_) figures.hot_entries += table->entries();
  figures.hot_bytes = hot_bytes_;
  figures.dirty_entries = static_cast<int64_t>(segment_dirty_.size());
  figures.segment_bytes = segment_ ? segment_->bytes() : 0;
  figures.chain_parts = static_cast<int64_t>(chain_.size());
  for (const ChainPart& part : chain_) figures.chain_bytes += BytesOf(part);
  figures.evicted_entries = evicted_entries_;
  figures.cold_reads = cold_reads_;
  if (options_.cold != nullptr) figures.cold = options_.cold->ReadFigures();
  return figures;
}

}  // namespace penstock
