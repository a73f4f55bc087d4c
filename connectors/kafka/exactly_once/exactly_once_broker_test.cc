// The exactly-once sink against a real broker: it dies at every point of its protocol, and a read_committed reader
// finds every record once and in order. A coordinator of a few lines stands for the JobManager.
#include <algorithm>
#include <map>
#include <optional>

#include "connectors/kafka/exactly_once/transactional_producer.h"
#include "connectors/kafka/test_support.h"
#include "runtime/core/status.h"
#include "tests/support/kafka_fixture.h"

namespace penstock::kafka {
namespace {

using testing::FakeContext;
using testing::KafkaFixture;

constexpr int kKeys = 6;
constexpr int kPartitions = 3;
constexpr char kSentinel[] = "sentinel";

std::string Brokers() { return KafkaFixture::Shared().brokers(); }

std::string NewTopic(const std::string& stem) {
  const std::string topic = KafkaFixture::Shared().NewTopicName(stem);
  REQUIRE_OK(CreateTopic(Brokers(), topic, kPartitions));
  return topic;
}

// Returns when no transaction holds back readers of committed records any more: they see what was written behind it.
void AwaitStable(const std::string& topic) {
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
      start.origin.restored = {from->id, from->generation, from->parent, "test",
                               restored_uid.empty() ? uid_ : restored_uid};
      start.parts = from->parts;
    }
    for (int i = 0; i < parallelism; ++i) {
      contexts_.push_back(std::make_unique<FakeContext>(i, parallelism));
      writers_.push_back(
          std::make_unique<TransactionalProducer>(sink_, [this](std::string_view point) { return At(point); }));
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
        return !status.ok() || !writers_[i]->HasUncommitted();
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
Failpoint DieAt(std::string point, int time = 1) {
  auto left = std::make_shared<std::atomic<int>>(time);
  return [point, left](std::string_view at) -> absl::Status {
    if (left->load() <= 0) return absl::AbortedError("dead");
    if (at == point && left->fetch_sub(1) == 1) return absl::AbortedError("dies at: " + point);
    return absl::OkStatus();
  };
}

TEST_CASE("committed with each checkpoint, invisible before", "[kafka][exactly-once]") {
  Job job("plain");
  REQUIRE_OK(job.Start(2));
  REQUIRE_OK(job.Write(50));
  REQUIRE_OK(job.Take());
  job.Audit(50);
  REQUIRE_OK(job.Write(50));
  REQUIRE_OK(job.Take());
  REQUIRE_OK(job.Take());  // an empty one
  job.Stop();
  job.Audit(100);
}

// Points 1 to 5, 8, 9, 11, 12 of the protocol: the second checkpoint dies there.
TEST_CASE("a crash at every point of a checkpoint", "[kafka][exactly-once]") {
  const auto [point, time] = GENERATE(table<std::string, int>({
      {"before the flush", 3},   // of slot 0, in the second checkpoint: 2 slots pass it in each
      {"before the marker", 3},  //
      {"after the marker", 3},   //
      {"after the marker", 4},   // one slot has handed in, the other has not
      {"before the commit", 3},  // decided, nothing is committed
      {"before the commit", 4},  // one is, the other not
      {"after the commit", 3},   // the answer is lost
  }));
  INFO(point << ", " << time);
  Job job("point");
  REQUIRE_OK(job.Start(2, DieAt(point, time)));
  REQUIRE_OK(job.Write(20));
  const absl::Status taken = job.Take();
  REQUIRE_FALSE(taken.ok());
  REQUIRE_OK(job.Start(2));
  REQUIRE_OK(job.Write(40 - job.next));
  REQUIRE_OK(job.Take());
  job.Stop();
  job.Audit(40);
}

TEST_CASE("a crash in the middle of an epoch", "[kafka][exactly-once]") {
  Job job("middle");
  REQUIRE_OK(job.Start(2));
  REQUIRE_OK(job.Write(20));
  REQUIRE_OK(job.Take());
  REQUIRE_OK(job.Write(13));
  REQUIRE_OK(job.Start(2));
  REQUIRE(job.next == 20);
  REQUIRE_OK(job.Write(20));
  REQUIRE_OK(job.Take());
  job.Stop();
  job.Audit(40);
}

TEST_CASE("handed in by one subtask only: the checkpoint before counts", "[kafka][exactly-once]") {
  Job job("incomplete");
  REQUIRE_OK(job.Start(2));
  REQUIRE_OK(job.Write(20));
  REQUIRE_OK(job.Prepare().status());  // never decided
  REQUIRE_OK(job.Start(2));
  REQUIRE(job.next == 0);
  REQUIRE_OK(job.Write(40));
  REQUIRE_OK(job.Take());
  job.Stop();
  job.Audit(40);
}

TEST_CASE("a checkpoint that is given up leaves its transaction open for the next", "[kafka][exactly-once]") {
  Job job("given-up");
  REQUIRE_OK(job.Start(2));
  REQUIRE_OK(job.Write(20));
  auto given_up = job.Prepare();
  REQUIRE_OK(given_up.status());
  REQUIRE_OK(job.Write(10));  // waits in the log
  const bool told = GENERATE(true, false);
  if (told) job.Abort(*given_up);
  REQUIRE_OK(job.Write(10));
  const bool dies = GENERATE(false, true);
  auto covering = job.Prepare();
  REQUIRE_OK(covering.status());
  job.Decide(*covering, !dies);
  if (dies) {
    REQUIRE_OK(job.Start(2));  // both epochs come back out of the log
  } else {
    REQUIRE_OK(job.AwaitCommit());
  }
  job.Stop();
  job.Audit(40);
}

TEST_CASE("a lost notice: the next barrier tells", "[kafka][exactly-once]") {
  Job job("lost-notice");
  REQUIRE_OK(job.Start(2));
  REQUIRE_OK(job.Write(20));
  auto checkpoint = job.Prepare();
  REQUIRE_OK(checkpoint.status());
  job.Decide(*checkpoint, /*notify=*/false);
  REQUIRE_OK(job.Write(20));
  REQUIRE_OK(job.Take());
  job.Stop();
  job.Audit(40);
}

TEST_CASE("a decided checkpoint whose notice never came is committed by the next attempt", "[kafka][exactly-once]") {
  Job job("no-notice");
  REQUIRE_OK(job.Start(2));
  REQUIRE_OK(job.Write(20));
  auto checkpoint = job.Prepare();
  REQUIRE_OK(checkpoint.status());
  job.Decide(*checkpoint, /*notify=*/false);
  REQUIRE_OK(job.Start(2));
  REQUIRE(job.next == 20);
  job.Audit(20);
  job.Stop();
}

TEST_CASE("a crash at every point of a recovery, twice", "[kafka][exactly-once]") {
  const auto [point, time] = GENERATE(table<std::string, int>({
      {"recovery: after init", 1},
      {"recovery: after init", 2},
      {"recovery: in the middle of the rewrite", 1},
      {"recovery: after the marker", 1},
      {"recovery: after the commit", 1},
      {"recovery: after the commit", 2},
  }));
  INFO(point << ", " << time);
  Job job("recovery");
  REQUIRE_OK(job.Start(2));
  REQUIRE_OK(job.Write(20));
  auto checkpoint = job.Prepare();
  REQUIRE_OK(checkpoint.status());
  job.Decide(*checkpoint, /*notify=*/false);
  REQUIRE_FALSE(job.Start(2, DieAt(point, time)).ok());
  (void)job.Start(2, DieAt(point, time));  // what the first has done may let the second through
  REQUIRE_OK(job.Start(2));
  REQUIRE_OK(job.Write(20));
  REQUIRE_OK(job.Take());
  job.Stop();
  job.Audit(40);
}

TEST_CASE("rescaled up and down, also in the middle of a take-over", "[kafka][exactly-once]") {
  const bool dies_taking_over = GENERATE(false, true);
  Job job("rescale");
  int written = 0;
  for (const int parallelism : {2, 3, 1, 3, 2, 1}) {
    INFO("parallelism " << parallelism);
    if (dies_taking_over && job.newest) (void)job.Start(parallelism, DieAt("recovery: after init", 2));
    REQUIRE_OK(job.Start(parallelism));
    REQUIRE(job.next == written);
    REQUIRE_OK(job.Write(12));
    REQUIRE_OK(job.Take());
    REQUIRE_OK(job.Write(12));
    auto checkpoint = job.Prepare();
    REQUIRE_OK(checkpoint.status());
    job.Decide(*checkpoint, /*notify=*/false);
    written += 24;
  }
  REQUIRE_OK(job.Start(2));
  job.Stop();
  job.Audit(written);
}

// Point 17: nothing of the wide attempt may hold back readers of committed records.
TEST_CASE("what an attempt wider than the checkpoint and the next left open is ended", "[kafka][exactly-once]") {
  Job job("wide");
  REQUIRE_OK(job.Start(1));
  REQUIRE_OK(job.Write(12));
  REQUIRE_OK(job.Take());
  REQUIRE_OK(job.Start(3));
  REQUIRE_OK(job.Write(12));
  REQUIRE_OK(job.Prepare().status());  // three open transactions, never decided
  REQUIRE_OK(job.Start(1));
  REQUIRE_OK(job.Write(12));
  REQUIRE_OK(job.Take());
  job.Stop();
  job.Audit(24);
}

TEST_CASE("a zombie is fenced: what it still writes never shows, and it does not fight back", "[kafka][exactly-once]") {
  Job job("zombie");
  REQUIRE_OK(job.Start(1));
  REQUIRE_OK(job.Write(12));
  auto checkpoint = job.Prepare();
  REQUIRE_OK(checkpoint.status());
  job.Decide(*checkpoint, /*notify=*/false);
  const auto contexts = job.TakeContexts();
  const auto zombies = job.TakeWriters();
  REQUIRE_OK(job.Start(1));
  zombies[0]->OnDecided(checkpoint->id);  // wakes up and commits
  absl::Status status;
  contexts[0]->WaitUntil("the zombie", [&] {
    status = zombies[0]->Advance();
    return !status.ok();
  });
  REQUIRE(status.code() == absl::StatusCode::kFailedPrecondition);
  REQUIRE_THAT(std::string(status.message()), Catch::Contains("newer attempt"));
  REQUIRE_OK(job.Write(12));
  REQUIRE_OK(job.Take());
  zombies[0]->Close();
  job.Stop();
  job.Audit(24);
}

// Point 13. The broker looks for transactions that have timed out every 10 s (transaction.abort.timed.out...).
TEST_CASE("a transaction that the broker has aborted is written again", "[kafka][exactly-once]") {
  const bool job_is_down = GENERATE(false, true);
  Job job("timed-out", {{"transaction.timeout.ms", "1000"}});
  REQUIRE_OK(job.Start(1));
  REQUIRE_OK(job.Write(12));
  auto checkpoint = job.Prepare();
  REQUIRE_OK(checkpoint.status());
  job.Decide(*checkpoint, /*notify=*/false);
  if (job_is_down) job.Die();
  AwaitStable(job.sink().topic);
  if (!job_is_down) {
    job.Decide(*checkpoint);
    REQUIRE(job.AwaitCommit().code() == absl::StatusCode::kFailedPrecondition);
  }
  REQUIRE_OK(job.Start(1));
  REQUIRE_OK(job.Write(12));
  REQUIRE_OK(job.Take());
  job.Stop();
  job.Audit(24);
}

TEST_CASE("a delivery that fails fails the checkpoint with its cause", "[kafka][exactly-once]") {
  Job job("too-large");
  REQUIRE_OK(job.Start(1));
  const std::string large(3 << 20, 'x');
  REQUIRE_OK(job.writer(0).Send({.value = std::string_view(large).substr(0, 100)}));
  const absl::Status sent = job.writer(0).Send({.value = large});
  const absl::Status prepared = job.Prepare().status();
  REQUIRE_FALSE((sent.ok() && prepared.ok()));
  REQUIRE_THAT(std::string((sent.ok() ? prepared : sent).message()),
               Catch::Contains("too large", Catch::CaseSensitive::No));
  REQUIRE_OK(job.Start(1));
  REQUIRE_OK(job.Write(12));
  REQUIRE_OK(job.Take());
  job.Stop();
  job.Audit(12);
}

TEST_CASE("a marker that is gone: refused, or as the setting says", "[kafka][exactly-once]") {
  const MissingMarker setting = GENERATE(MissingMarker::kFail, MissingMarker::kRewrite, MissingMarker::kSkip);
  Job job("missing");
  REQUIRE_OK(job.Start(1));
  REQUIRE_OK(job.Write(12));
  auto checkpoint = job.Prepare();
  REQUIRE_OK(checkpoint.status());
  job.Decide(*checkpoint, /*notify=*/false);
  job.Die();
  REQUIRE_OK(DeleteGroup(Brokers(), job.NameOf(0)));
  job.missing_marker = setting;
  const absl::Status started = job.Start(1);
  if (setting == MissingMarker::kFail) {
    REQUIRE(started.code() == absl::StatusCode::kFailedPrecondition);
    const std::string text(started.message());
    for (const char* part :
         {"slot 0", "offsets.retention.minutes", "sink.exactly-once.missing-marker", "Checkpoint 1"}) {
      REQUIRE_THAT(text, Catch::Contains(part));
    }
    return;
  }
  REQUIRE_OK(started);
  job.Stop();
  if (setting == MissingMarker::kRewrite) return job.Audit(12);
  AwaitStable(job.sink().topic);
  REQUIRE(ReadAll({.brokers = Brokers(), .topics = {job.sink().topic}}).size() == kPartitions);  // the sentinels
}

TEST_CASE("an older checkpoint, or one of a start without state, is not taken for committed", "[kafka][exactly-once]") {
  Job job("foreign");
  REQUIRE_OK(job.Start(1));
  REQUIRE_OK(job.Write(12));
  auto old = job.Prepare();
  REQUIRE_OK(old.status());
  job.Decide(*old);
  REQUIRE_OK(job.AwaitCommit());
  job.newest.reset();
  REQUIRE_OK(job.Start(1));  // --allow-empty
  REQUIRE_OK(job.Take());
  job.Die();
  const absl::Status refused = job.StartFrom(*old, 1);
  REQUIRE(refused.code() == absl::StatusCode::kFailedPrecondition);
  for (const char* part : {"generation g2", "generation g1", "--allow-duplicates"}) {
    REQUIRE_THAT(std::string(refused.message()), Catch::Contains(part));
  }
  job.allow_duplicates = true;
  REQUIRE_OK(job.StartFrom(*old, 1));
  job.Stop();
}

TEST_CASE("checkpoints of another job are taken over only when its output is committed", "[kafka][exactly-once]") {
  Job theirs("theirs");
  REQUIRE_OK(theirs.Start(1));
  REQUIRE_OK(theirs.Write(12));
  auto checkpoint = theirs.Prepare();
  REQUIRE_OK(checkpoint.status());
  theirs.Decide(*checkpoint, /*notify=*/false);
  Job ours("ours");
  ours.restored_uid = theirs.uid();
  const absl::Status refused = ours.StartFrom(*checkpoint, 1);
  REQUIRE_THAT(std::string(refused.message()), Catch::Contains(theirs.uid()) && Catch::Contains("savepoint"));
  theirs.Decide(*checkpoint);
  REQUIRE_OK(theirs.AwaitCommit());
  REQUIRE_OK(ours.StartFrom(*checkpoint, 1));
  REQUIRE(ours.next == 12);
  ours.Stop();
  theirs.Stop();
  theirs.Audit(12);
}

TEST_CASE("records that wait are bounded, and come out in order", "[kafka][exactly-once]") {
  Job job("waiting");
  REQUIRE_OK(job.Start(1));
  auto checkpoint = job.Prepare();
  REQUIRE_OK(checkpoint.status());
  const std::string value(900'000, 'x');
  int sent = 0;
  for (; (sent + 1) * (value.size() + 64) < kWaitingBytesMax; ++sent) REQUIRE_OK(job.writer(0).Send({.value = value}));
  REQUIRE(job.context(0).waited_for.count("checkpoint 1 and its commit") == 0);
  job.context(0).on_wait = [&] {
    if (!job.newest || job.newest->id != checkpoint->id) job.Decide(*checkpoint);
    return true;
  };
  for (int i = 0; i < 3; ++i, ++sent) REQUIRE_OK(job.writer(0).Send({.value = value}));
  REQUIRE(job.context(0).waited_for.count("checkpoint 1 and its commit") == 1);
  job.context(0).on_wait = {};
  REQUIRE_OK(job.Take());
  job.Stop();
  AwaitStable(job.sink().topic);
  REQUIRE(ReadAll({.brokers = Brokers(), .topics = {job.sink().topic}}).size() ==
          static_cast<size_t>(sent) + kPartitions);
}

TEST_CASE("what slots have committed and left open can be seen and ended from outside", "[kafka][exactly-once]") {
  Job job("admin");
  REQUIRE_OK(job.Start(2));
  REQUIRE_OK(job.Write(12));
  REQUIRE_OK(job.Prepare().status());
  const auto admin = job.sink().Admin();
  const auto slot = [&](int number) { return SinkSlot{"test", job.uid(), "out", number}; };
  const auto before = admin->Look(slot(1));
  REQUIRE_OK(before.status());
  CHECK(before->name == job.NameOf(1));
  CHECK(before->open);
  job.Die();
  for (const int number : {0, 1}) REQUIRE_OK(admin->Abort(slot(number)));
  const auto after = admin->Look(slot(1));
  REQUIRE_OK(after.status());
  CHECK_FALSE(after->open);
  CHECK(after->checkpoint_id == 0U);
  CHECK(after->generation == "g1");
  const auto never = admin->Look(slot(7));
  REQUIRE_OK(never.status());
  CHECK_FALSE(never->checkpoint_id.has_value());
  job.Audit(0);
}

TEST_CASE("a log that outgrows memory goes to disk and comes back from it", "[kafka][exactly-once]") {
  const auto log = MakeSinkLog("log-test", testing::KafkaFixture::Shared().data_directory(), kLogBytesMax);
  const std::string value(1 << 20, 'y');
  for (int i = 0; i < 10; ++i) REQUIRE_OK(log->Append(value));
  const auto sealed = log->Seal();
  REQUIRE_OK(sealed.status());
  int count = 0;
  REQUIRE_OK(sealed->Replay([&](std::string_view record) {
    count += record == value;
    return absl::OkStatus();
  }));
  REQUIRE(count == 10);
}

TEST_CASE("the broker goes away for a while, in the middle and at the commit", "[kafka][exactly-once]") {
  Job job("broker-restart");
  REQUIRE_OK(job.Start(2));
  REQUIRE_OK(job.Write(12));
  KafkaFixture::Shared().Stop();
  REQUIRE_OK(job.Write(12));
  for (int slot = 0; slot < 2; ++slot) {
    job.context(slot).on_wait = [] {
      KafkaFixture::Shared().Start();
      return true;
    };
  }
  auto checkpoint = job.Prepare();
  REQUIRE_OK(checkpoint.status());
  KafkaFixture::Shared().Stop();
  job.Decide(*checkpoint);
  REQUIRE_OK(job.AwaitCommit());
  REQUIRE_OK(job.Write(12));
  REQUIRE_OK(job.Take());
  job.Stop();
  job.Audit(36);
}

}  // namespace
}  // namespace penstock::kafka
