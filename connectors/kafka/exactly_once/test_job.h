// A job whose sink is the exactly-once one, and a coordinator of a few lines that stands for the JobManager; for tests.
#ifndef PENSTOCK_CONNECTORS_KAFKA_EXACTLY_ONCE_TEST_JOB_H_
#define PENSTOCK_CONNECTORS_KAFKA_EXACTLY_ONCE_TEST_JOB_H_

#include <algorithm>
#include <map>
#include <optional>

#include "connectors/kafka/exactly_once/transactional_producer.h"
#include "connectors/kafka/test_support.h"
#include "runtime/core/status.h"
#include "tests/support/kafka_fixture.h"

namespace penstock::kafka {

using testing::FakeContext;
using testing::KafkaFixture;

inline constexpr int kKeys = 6;
inline constexpr int kPartitions = 3;
inline constexpr char kSentinel[] = "sentinel";

inline std::string Brokers() { return KafkaFixture::Shared().brokers(); }

inline std::string NewTopic(const std::string& stem) {
  const std::string topic = KafkaFixture::Shared().NewTopicName(stem);
  REQUIRE_OK(CreateTopic(Brokers(), topic, kPartitions));
  return topic;
}

// Returns when no transaction holds back readers of committed records any more: they see what was written behind it.
inline void AwaitStable(const std::string& topic) {
  const std::string sentinel = KafkaFixture::Shared().NewTopicName("sentinel");
  std::vector<ProducerRecord> records;
  for (int i = 0; i < kPartitions; ++i) records.push_back({.key = kSentinel, .value = sentinel, .partition = i});
  Publish(Brokers(), topic, records);
  FakeContext context;
  context.WaitUntil("stable offsets", [&] {
    const auto values = ReadAll({.brokers = Brokers(), .topics = {topic}});
    return std::count(values.begin(), values.end(), sentinel) == kPartitions;
  });
}

// A job whose source counts and whose sink is under test. Record i has key i % kKeys and goes to slot (key %
// parallelism).
class Job {
 public:
  explicit Job(const std::string& stem, Properties properties = {})
      : uid_(KafkaFixture::Shared().NewTopicName("job-" + stem)),
        sink_{.brokers = Brokers(),
              .topic = NewTopic(stem),
              .delivery = Delivery::exactly_once,
              .properties = std::move(properties)} {}
  Job(Sink sink, std::string uid) : uid_(std::move(uid)), sink_(std::move(sink)) {}
  ~Job() { Die(); }

  // An attempt from the newest decided checkpoint, or from `from`.
  absl::Status Start(int parallelism, Failpoint failpoint = {}) {
    return StartFrom(newest, parallelism, std::move(failpoint));
  }

  struct Checkpoint {
    uint64_t id = 0;
    std::string generation;
    std::string parent;
    int position = 0;
    std::vector<SinkPart> parts;
    bool committed = false;  // a savepoint's record says so
  };

  absl::Status StartFrom(const std::optional<Checkpoint>& from, int parallelism, Failpoint failpoint = {}) {
    Die();
    failpoint_ = std::move(failpoint);
    parallelism_ = parallelism;
    parent_ = from ? from->generation : "";
    generation_ = "g" + std::to_string(++generations_);
    next = from ? from->position : 0;
    widest_ = std::max(widest_, parallelism);
    SinkStart start{.origin = {.checkpoints = true,
                               .cluster_id = "test",
                               .job_uid = uid_,
                               .generation = generation_,
                               .allow_duplicates = allow_duplicates,
                               .missing_marker = missing_marker,
                               .widest_parallelism = widest_},
                    .sink_uid = "out"};
    if (from) {
      start.origin.restored = {
          from->id,       from->generation, from->parent, "test", restored_uid.empty() ? uid_ : restored_uid,
          from->committed};
      start.parts = from->parts;
    }
    for (int i = 0; i < parallelism; ++i) {
      contexts_.push_back(std::make_unique<FakeContext>(i, parallelism));
      writers_.push_back(std::make_unique<TransactionalProducer>(
          sink_, [this](std::string_view point) { return At(point); }, preflight));
      writers_.back()->Begin(start);
      PENSTOCK_RETURN_IF_ERROR(writers_.back()->Open(*contexts_.back()));
    }
    return from ? absl::OkStatus() : Take();  // checkpoint 0, as the coordinator does
  }

  absl::Status Write(int count) {
    for (const int end = next + count; next < end; ++next) {
      const std::string key = std::to_string(next % kKeys);
      const std::string value = std::to_string(next);
      PENSTOCK_RETURN_IF_ERROR(writers_[next % kKeys % parallelism_]->Send({.key = key, .value = value}));
    }
    return absl::OkStatus();
  }

  // Barriers, handed in by all: what a decision would be taken on.
  absl::StatusOr<Checkpoint> Prepare() {
    Checkpoint checkpoint{.id = next_id_++, .generation = generation_, .parent = parent_, .position = next};
    for (const auto& writer : writers_) {
      auto part = writer->Prepare({.id = checkpoint.id, .last_decided = last_decided_});
      if (!part.ok()) return part.status();
      checkpoint.parts.push_back(*std::move(part));
    }
    return checkpoint;
  }
  void Decide(const Checkpoint& checkpoint, bool notify = true) {
    newest = checkpoint;
    last_decided_ = checkpoint.id;
    if (!notify) return;
    for (const auto& writer : writers_) writer->OnDecided(checkpoint.id);
  }
  void Abort(const Checkpoint& checkpoint) {
    for (const auto& writer : writers_) writer->OnAborted(checkpoint.id);
  }
  absl::Status AwaitCommit() {
    for (size_t i = 0; i < writers_.size(); ++i) {
      absl::Status status;
      contexts_[i]->WaitUntil("commit", [&] {
        status = writers_[i]->Advance();
        return !status.ok() || !writers_[i]->OldestUncommitted();
      });
      PENSTOCK_RETURN_IF_ERROR(status);
    }
    return absl::OkStatus();
  }
  // A whole checkpoint.
  absl::Status Take() {
    PENSTOCK_ASSIGN_OR_RETURN(const Checkpoint checkpoint, Prepare());
    Decide(checkpoint);
    return AwaitCommit();
  }

  // As kill -9: nothing is aborted, nothing flushed.
  void Die() {
    dying_ = true;
    writers_.clear();
    contexts_.clear();
    dying_ = false;
    failpoint_ = {};
  }
  // As a cancel.
  void Stop() {
    for (const auto& writer : writers_) writer->Close();
    writers_.clear();
    contexts_.clear();
  }

  // Lets a dead attempt's writers live on as a zombie's.
  std::vector<std::unique_ptr<TransactionalProducer>> TakeWriters() { return std::move(writers_); }
  std::vector<std::unique_ptr<FakeContext>> TakeContexts() { return std::move(contexts_); }

  // What readers of committed records see: every number below `count` once, in order for each key.
  void Audit(int count) {
    AwaitStable(sink_.topic);
    std::map<std::string, std::vector<int>> by_key;
    testing::FakeOutput<Record, std::pair<std::string, int>> output([](const Record& record) {
      return std::make_pair(record.key->str(), record.key->str() == kSentinel ? -1 : std::stoi(record.value->str()));
    });
    FakeContext context;
    const auto reader = RecordSource{.brokers = Brokers(), .topics = {sink_.topic}, .bounded = true}.CreateReader();
    REQUIRE_OK(reader->Open(context, output));
    REQUIRE_OK(testing::PollToEnd(*reader, output, context));
    reader->Close();
    for (const auto& [key, value] : output.values()) by_key[key].push_back(value);
    for (int key = 0; key < kKeys; ++key) {
      std::vector<int> expected;
      for (int i = key; i < count; i += kKeys) expected.push_back(i);
      INFO("key " << key);
      REQUIRE(by_key[std::to_string(key)] == expected);
    }
  }

  const Sink& sink() const { return sink_; }
  const std::string& uid() const { return uid_; }
  std::string NameOf(int slot) const { return SlotIdentity{"test", uid_, "out", slot}.Name(); }
  FakeContext& context(int slot) { return *contexts_[slot]; }
  TransactionalProducer& writer(int slot) { return *writers_[slot]; }

  int next = 0;  // record
  std::optional<Checkpoint> newest;
  bool allow_duplicates = false;
  MissingMarker missing_marker = MissingMarker::kFail;
  std::string restored_uid;
  Preflight preflight = CheckBroker;

 private:
  absl::Status At(std::string_view point) {
    if (point == "close") return dying_ ? absl::AbortedError("dead") : absl::OkStatus();
    return failpoint_ ? failpoint_(point) : absl::OkStatus();
  }

  const std::string uid_;
  const Sink sink_;
  Failpoint failpoint_;
  bool dying_ = false;
  int parallelism_ = 1;
  int widest_ = 0;
  std::string generation_;
  std::string parent_;
  int generations_ = 0;
  uint64_t next_id_ = 0;
  std::optional<uint64_t> last_decided_;
  std::vector<std::unique_ptr<FakeContext>> contexts_;
  std::vector<std::unique_ptr<TransactionalProducer>> writers_;
};

// Fails the nth time that the point is passed, and for good from then on.
inline Failpoint DieAt(std::string point, int time = 1) {
  auto left = std::make_shared<std::atomic<int>>(time);
  return [point, left](std::string_view at) -> absl::Status {
    if (left->load() <= 0) return absl::AbortedError("dead");
    if (at == point && left->fetch_sub(1) == 1) return absl::AbortedError("dies at: " + point);
    return absl::OkStatus();
  };
}

}  // namespace penstock::kafka

#endif  // PENSTOCK_CONNECTORS_KAFKA_EXACTLY_ONCE_TEST_JOB_H_
