#include "connectors/kafka/discovery.h"

#include <cinttypes>
#include <cstdio>
#include <utility>

#include "connectors/kafka/assignment.h"
#include "runtime/core/status.h"

namespace penstock::kafka {

Discovery::Discovery(rd_kafka_t* client, SourceOptions options, int subtask, int parallelism,
                     std::shared_ptr<Waker> waker)
    : client_(client),
      options_(std::move(options)),
      subtask_(subtask),
      parallelism_(parallelism),
      waker_(std::move(waker)),
      pattern_(options_.topic_pattern) {
  for (const std::string& topic : options_.topics) {
    absl::StatusOr<TopicPtr> made = MakeTopic(client_, topic);
    if (made.ok()) named_.push_back(std::move(*made));
  }
  thread_.emplace([this] { return Step(); });
}

std::optional<DiscoveryReport> Discovery::Take() {
  if (!has_report_.exchange(false)) return std::nullopt;
  MutexLock lock(&mutex_);
  return std::exchange(pending_, DiscoveryReport{});
}

std::optional<std::chrono::milliseconds> Discovery::Step() {
  DiscoveryReport report = Ask();
  const bool failed = !report.failure.ok();
  const bool again_soon = !report.note.empty();
  initial_done_ = initial_done_ || report.complete;
  Publish(std::move(report));
  if (failed) return std::nullopt;
  if (again_soon) return backoff_.Next();
  backoff_.Reset();
  // Without discovery the thread still waits: for Kick, when a broker seems lost.
  constexpr std::chrono::milliseconds kNever = std::chrono::hours(24 * 365);
  return options_.bounded || options_.discovery_interval.count() == 0 ? kNever : options_.discovery_interval;
}

DiscoveryReport Discovery::Ask() {
  DiscoveryReport report;
  const std::vector<TopicPartition> partitions = NewPartitions(report);
  if (!partitions.empty()) Resolve(partitions, report);
  report.complete = report.note.empty() && report.failure.ok();
  return report;
}

std::vector<TopicPartition> Discovery::NewPartitions(DiscoveryReport& report) {
  const bool by_pattern = !options_.topic_pattern.empty();
  const auto topics = ListTopics(client_, by_pattern);
  if (!topics.ok()) {
    report.note = fmt::format("kafka {}: {}; retrying", options_.brokers, MessageOf(topics.status()));
    return {};
  }
  report.answered = true;
  std::vector<TopicPartition> partitions;
  bool any = false;
  const auto take = [&](const std::string& topic, const TopicInfo& info) {
    if (info.missing) missing_once_.insert(topic);
    if (!info.error.empty()) {
      report.note = fmt::format("kafka {}: topic '{}': {}; retrying", options_.brokers, topic,
                                info.missing ? "does not exist, create it" : info.error);
      return;
    }
    any = true;
    for (int partition = 0; partition < info.partitions; ++partition) {
      if (OwnerOf(topic, partition, parallelism_) != subtask_) continue;
      if (!known_.contains({topic, partition})) partitions.push_back({topic, partition});
    }
  };
  if (by_pattern) {
    for (const auto& [topic, info] : *topics) {
      if (pattern_.Matches(topic)) take(topic, info);
    }
    if (!any && report.note.empty()) {
      report.note = fmt::format("kafka {}: no topic matches '{}'; retrying", options_.brokers, options_.topic_pattern);
    }
  } else {
    for (const std::string& topic : options_.topics) {
      const auto found = topics->find(topic);
      take(topic, found == topics->end() ? TopicInfo{.error = "no answer about it"} : found->second);
    }
  }
  // What a bounded source reads is settled once.
  if (options_.bounded && initial_done_) partitions.clear();
  return partitions;
}

std::string EncodePosition(const TopicPartition& id, const PartitionPosition& position) {
  return fmt::format("{} {} {} {}", id.partition, position.next, position.stop, id.topic);
}

bool DecodePosition(const std::string& text, TopicPartition* id, PartitionPosition* position) {
  int topic_at = 0;
  if (std::sscanf(text.c_str(), "%d %" SCNd64 " %" SCNd64 " %n", &id->partition, &position->next, &position->stop,
                  &topic_at) != 3) {
    return false;
  }
  id->topic = text.substr(static_cast<size_t>(topic_at));
  return !id->topic.empty();
}

bool Discovery::StartsAtFirst(const std::string& topic) const {
  return options_.restored || initial_done_ || missing_once_.contains(topic);
}

absl::StatusOr<OffsetAnswers> Discovery::Starts(const std::vector<TopicPartition>& partitions,
                                                const OffsetAnswers& first, const OffsetAnswers& end) {
  StartFrom::Kind kind = options_.start.kind();
  OffsetAnswers starts;
  if (kind == StartFrom::Kind::kGroup) {
    PENSTOCK_ASSIGN_OR_RETURN(starts, CommittedOffsets(client_, partitions));
    kind = options_.start.fallback_kind();
  }
  OffsetAnswers by_time;
  if (kind == StartFrom::Kind::kTimestamp) {
    PENSTOCK_ASSIGN_OR_RETURN(by_time, OffsetsAt(client_, partitions, options_.start.timestamp_ms()));
  }
  for (const TopicPartition& id : partitions) {
    OffsetAnswer& start = starts[id];
    if (start.offset >= 0 || !start.error.empty()) continue;
    if (kind == StartFrom::Kind::kLatest) {
      start = end.at(id);
    } else if (kind == StartFrom::Kind::kTimestamp) {
      start = by_time.at(id);
      if (start.offset < 0 && start.error.empty()) start = end.at(id);
    } else if (const auto named = options_.start.explicit_offsets().find(id);
               kind == StartFrom::Kind::kOffsets && named != options_.start.explicit_offsets().end()) {
      start.offset = named->second;
    } else {
      start = first.at(id);
    }
  }
  return starts;
}

void Discovery::Resolve(const std::vector<TopicPartition>& partitions, DiscoveryReport& report) {
  const auto trouble = [&](const absl::Status& status) {
    report.note = fmt::format("kafka {}: {}; retrying", options_.brokers, MessageOf(status));
  };
  const auto first = OffsetsAt(client_, partitions, kFirstOffset);
  if (!first.ok()) return trouble(first.status());
  const auto end = OffsetsAt(client_, partitions, kEndOffset);
  if (!end.ok()) return trouble(end.status());
  const auto starts = Starts(partitions, *first, *end);
  if (!starts.ok()) return trouble(starts.status());

  for (const TopicPartition& id : partitions) {
    const OffsetAnswer low = first->at(id), high = end->at(id);
    OffsetAnswer start = StartsAtFirst(id.topic) ? low : starts->at(id);
    int64_t stop = options_.bounded ? high.offset : -1;
    if (options_.restored) {
      if (const auto known = options_.restored->find(id); known != options_.restored->end()) {
        start.offset = known->second.next;
        stop = known->second.stop;
      } else if (options_.bounded) {
        known_.insert(id);  // what a bounded source reads was settled before
        continue;
      }
    }
    std::string error = !low.error.empty() ? low.error : !high.error.empty() ? high.error : start.error;
    // A partition that was just made may be answered for without an offset and without an error.
    if (error.empty() && (low.offset < 0 || high.offset < 0)) error = "its offsets are not known yet";
    if (!error.empty()) {
      report.note =
          fmt::format("kafka {}: partition {}-{}: {}; retrying", options_.brokers, id.topic, id.partition, error);
      continue;
    }
    if (report.failure = CheckRange(id, start.offset, low.offset, high.offset); !report.failure.ok()) return;
    known_.insert(id);
    report.found.push_back({.id = id, .start = start.offset, .end = high.offset, .stop = stop});
  }
}

absl::Status Discovery::CheckRange(const TopicPartition& id, int64_t start, int64_t low, int64_t high) const {
  if (start >= low && start <= high) return absl::OkStatus();
  if (options_.restored) {
    return OutOfRange(
        "kafka {}: the checkpoint goes on at offset {} of partition {}-{}, which has offsets {} to {}: {}",
        options_.brokers, start, id.topic, id.partition, low, high,
        start < low ? "the records between were deleted by the broker's retention before they were read"
                    : "the topic is not the one that was read before");
  }
  return OutOfRange(
      "kafka {}: partition {}-{} has offsets {} to {}, but offset {} is to be read next: give another start",
      options_.brokers, id.topic, id.partition, low, high, start);
}

void Discovery::Publish(DiscoveryReport report) {
  {
    MutexLock lock(&mutex_);
    for (FoundPartition& each : report.found) pending_.found.push_back(std::move(each));
    pending_.note = std::move(report.note);
    pending_.answered = report.answered;
    pending_.complete = pending_.complete || report.complete;
    if (!report.failure.ok()) pending_.failure = report.failure;
  }
  has_report_ = true;
  waker_->Wake();
}

}  // namespace penstock::kafka
