#include <algorithm>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "runtime/core/status.h"
#include "runtime/state/segment.h"

namespace penstock {

void PutNamespace(int64_t ns, ByteWriter& out) {
  const uint64_t ordered = static_cast<uint64_t>(ns) ^ (uint64_t{1} << 63);
  out.PutFixed(__builtin_bswap64(ordered));
}

bool GetNamespace(std::string_view& key, int64_t& ns) {
  uint64_t stored = 0;
  if (key.size() < sizeof stored) return false;
  std::memcpy(&stored, key.data(), sizeof stored);
  key.remove_prefix(sizeof stored);
  ns = static_cast<int64_t>(__builtin_bswap64(stored) ^ (uint64_t{1} << 63));
  return true;
}

std::string SegmentHeader::Encode() const {
  ByteWriter body;
  body.PutByte(static_cast<uint8_t>(kind));
  body.PutFixed(id);
  body.PutFixed(key_hash_id);
  body.PutFixed(key_groups);
  body.PutFixed(range.begin);
  body.PutFixed(range.end);
  body.PutVarint(tables.size());
  for (const TableSpec& table : tables) {
    detail::WriteString(table.uid, body);
    detail::WriteString(table.name, body);
    detail::WriteString(table.kind, body);
    body.PutByte(static_cast<uint8_t>((table.namespaced ? 1 : 0) | (table.expires ? 2 : 0)));
    detail::WriteString(table.key.Encode(), body);
    detail::WriteString(table.value.Encode(), body);
  }
  ByteWriter out;
  out.Put("PNSTKSEG", 8);
  out.PutFixed(kSegmentFormat);
  out.PutFixed(static_cast<uint32_t>(body.size()));
  out.Put(body.data(), body.size());
  out.PutFixed(XXH3_64bits(out.data(), out.size()));
  return std::string(out.view());
}

SegmentWriter::SegmentWriter(const SegmentHeader& header, SpillBuffer out)
    : range_(header.range), out_(std::move(out)), counts_(header.range.end - header.range.begin + 1) {
  Write(header.Encode());
}

void SegmentWriter::Write(std::string_view bytes) {
  if (status_.ok()) status_ = out_.Append(bytes);
}

void SegmentWriter::Append(uint32_t key_group, uint32_t table, EntryOp op, std::string_view key,
                           std::string_view value) {
  pending_.push_back({key_group, static_cast<uint32_t>(log_.size())});
  log_.PutVarint(table << 2 | static_cast<uint32_t>(op));
  detail::WriteString(key, log_);
  if (op == EntryOp::kPut) detail::WriteString(value, log_);
  if (log_.size() >= kBlockBytes) CloseBlock();
}

void SegmentWriter::CloseBlock() {
  if (pending_.empty()) return;
  // A stable counting sort by key group: within a group entries stay in order.
  std::fill(counts_.begin(), counts_.end(), 0);
  for (const Pending& entry : pending_) ++counts_[entry.key_group - range_.begin + 1];
  uint32_t groups = 0;
  for (size_t i = 1; i < counts_.size(); ++i) {
    groups += counts_[i] > 0 ? 1 : 0;
    counts_[i] += counts_[i - 1];
  }
  order_.resize(pending_.size());
  for (size_t i = 0; i < pending_.size(); ++i) {
    order_[counts_[pending_[i].key_group - range_.begin]++] = static_cast<uint32_t>(i);
  }
  const auto end_of = [&](uint32_t i) {
    return i + 1 < pending_.size() ? pending_[i + 1].offset : static_cast<uint32_t>(log_.size());
  };
  block_.Clear();
  block_.PutFixed(groups);
  uint32_t begin = 0;
  for (size_t i = 0; i < order_.size(); ++i) {
    const Pending& entry = pending_[order_[i]];
    if (i == 0 || entry.key_group != pending_[order_[i - 1]].key_group) {
      block_.PutFixed(entry.key_group);
      block_.PutFixed(begin);
    }
    begin += end_of(order_[i]) - entry.offset;
  }
  for (const uint32_t i : order_) block_.Put(log_.data() + pending_[i].offset, end_of(i) - pending_[i].offset);
  block_.PutFixed(XXH3_64bits(block_.data(), block_.size()));
  index_.push_back({static_cast<uint64_t>(out_.size_bytes()), static_cast<uint32_t>(block_.size()),
                    pending_[order_.front()].key_group, pending_[order_.back()].key_group,
                    static_cast<uint32_t>(pending_.size())});
  Write(block_.view());
  total_entries_ += static_cast<int64_t>(pending_.size());
  pending_.clear();
  log_.Clear();
}

absl::StatusOr<StateFilePtr> SegmentWriter::Finish() {
  CloseBlock();
  ByteWriter end;
  for (const IndexEntry& block : index_) {
    end.PutFixed(block.offset);
    end.PutFixed(block.length);
    end.PutFixed(block.first_group);
    end.PutFixed(block.last_group);
    end.PutFixed(block.entries);
  }
  end.PutFixed(static_cast<uint64_t>(out_.size_bytes()));
  end.PutFixed(static_cast<uint32_t>(index_.size()));
  end.PutFixed(static_cast<uint64_t>(total_entries_));
  end.PutFixed(XXH3_64bits(end.data(), end.size()));
  end.Put("PNSTKEND", 8);
  Write(end.view());
  PENSTOCK_RETURN_IF_ERROR(status_);
  return out_.Seal();
}

}  // namespace penstock
