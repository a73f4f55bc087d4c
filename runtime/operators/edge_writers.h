// The typed ends of an edge: records into a ResultPartition by a partitioner, and back out of frames.
#ifndef PENSTOCK_RUNTIME_OPERATORS_EDGE_WRITERS_H_
#define PENSTOCK_RUNTIME_OPERATORS_EDGE_WRITERS_H_

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "runtime/exchange/result_partition.h"
#include "runtime/record/key_hash.h"
#include "runtime/record/serde.h"
#include "runtime/task/factories.h"

namespace penstock {

// Select(value) gives the subpartition; kToAll sends to every one.
inline constexpr int kToAll = -1;

template <class T, class Select>
class EdgeWriter final : public Receiver<T> {
 public:
  EdgeWriter(ResultPartition& partition, Select select) : partition_(partition), select_(std::move(select)) {}

  void OnRecord(const T& value, TimestampMs timestamp) override {
    scratch_.Clear();
    FrameKind kind = FrameKind::kBareRecord;
    if (timestamp != kNoTimestamp) {
      kind = FrameKind::kRecord;
      scratch_.PutFixed(timestamp);
    }
    Serde<T>::Write(value, scratch_);
    const int to = select_(value);
    if (to == kToAll) {
      partition_.AppendToAll(kind, scratch_.view());
    } else {
      partition_.Append(to, kind, scratch_.view());
    }
  }
  void OnWatermark(TimestampMs watermark) override { partition_.AppendWatermarkToAll(watermark); }
  void OnIdle(bool idle) override { partition_.AppendIdleToAll(idle); }

 private:
  ResultPartition& partition_;
  Select select_;
  ByteWriter scratch_;
};

template <class T, class Select>
std::unique_ptr<ReceiverBase> MakeEdgeWriter(ResultPartition& partition, Select select) {
  return std::make_unique<EdgeWriter<T, Select>>(partition, std::move(select));
}

template <class T>
std::shared_ptr<const EdgeFactory> ForwardEdge() {
  return std::make_shared<EdgeFactory>(EdgeFactory{[](ResultPartition& partition, int subtask, uint32_t) {
    // A forward edge has one consumer: the subtask of the same number.
    (void)subtask;
    return MakeEdgeWriter<T>(partition, [](const T&) { return 0; });
  }});
}

template <class T>
std::shared_ptr<const EdgeFactory> RebalanceEdge() {
  return std::make_shared<EdgeFactory>(EdgeFactory{[](ResultPartition& partition, int subtask, uint32_t) {
    // Producers begin at different consumers, so that few records do not all go to the first one.
    return MakeEdgeWriter<T>(partition, [next = subtask % partition.size(), n = partition.size()](const T&) mutable {
      const int to = next;
      next = next + 1 == n ? 0 : next + 1;
      return to;
    });
  }});
}

template <class T>
std::shared_ptr<const EdgeFactory> BroadcastEdge() {
  return std::make_shared<EdgeFactory>(EdgeFactory{[](ResultPartition& partition, int, uint32_t) {
    return MakeEdgeWriter<T>(partition, [](const T&) { return kToAll; });
  }});
}

template <class T, class K, class KeyOf>
std::shared_ptr<const EdgeFactory> HashEdge(KeyOf key_of) {
  return std::make_shared<EdgeFactory>(
      EdgeFactory{[key_of](ResultPartition& partition, int, uint32_t key_groups) -> std::unique_ptr<ReceiverBase> {
        auto hasher = std::make_shared<KeyHasher<K>>();
        return MakeEdgeWriter<T>(partition, [key_of, hasher, key_groups, n = partition.size()](const T& value) {
          return SubtaskOfKeyGroup(KeyGroupOf((*hasher)(std::invoke(key_of, value)), key_groups), n, key_groups);
        });
      }});
}

// select(value, consumers) gives the consumer's index; anything outside goes to index modulo consumers.
template <class T, class Fn>
std::shared_ptr<const EdgeFactory> CustomEdge(Fn select) {
  return std::make_shared<EdgeFactory>(EdgeFactory{[select](ResultPartition& partition, int, uint32_t) {
    return MakeEdgeWriter<T>(partition, [select, n = partition.size()](const T& value) {
      const int to = static_cast<int>(std::invoke(select, value, n)) % n;
      return to < 0 ? to + n : to;
    });
  }});
}

template <class T>
class TypedRecordReader final : public RecordReader {
 public:
  bool Read(std::string_view payload, TimestampMs timestamp, ReceiverBase* to) override {
    ByteReader in(payload);
    if (!Serde<T>::Read(in, value_)) return false;
    static_cast<Receiver<T>*>(to)->OnRecord(value_, timestamp);
    return true;
  }

 private:
  T value_{};  // reused, so that strings keep their capacity
};

template <class T>
class FanOut final : public FanOutBase, public Receiver<T> {
 public:
  explicit FanOut(const std::vector<ReceiverBase*>& to) {
    for (ReceiverBase* receiver : to) to_.push_back(static_cast<Receiver<T>*>(receiver));
  }
  ReceiverBase* receiver() override { return this; }
  void OnRecord(const T& value, TimestampMs timestamp) override {
    for (Receiver<T>* receiver : to_) receiver->OnRecord(value, timestamp);
  }
  void OnWatermark(TimestampMs watermark) override {
    for (Receiver<T>* receiver : to_) receiver->OnWatermark(watermark);
  }
  void OnIdle(bool idle) override {
    for (Receiver<T>* receiver : to_) receiver->OnIdle(idle);
  }

 private:
  std::vector<Receiver<T>*> to_;
};

template <class T>
class MergedInput final : public Receiver<T> {
 public:
  MergedInput(ReceiverBase* to, std::shared_ptr<TimeMerge> merge)
      : to_(static_cast<Receiver<T>*>(to)), merge_(std::move(merge)), number_(merge_->AddInput()) {}
  void OnRecord(const T& value, TimestampMs timestamp) override { to_->OnRecord(value, timestamp); }
  void OnWatermark(TimestampMs watermark) override { merge_->OnWatermark(number_, watermark); }
  void OnIdle(bool idle) override { merge_->OnIdle(number_, idle); }

 private:
  Receiver<T>* const to_;
  const std::shared_ptr<TimeMerge> merge_;
  const int number_;
};

template <class T>
std::shared_ptr<const OutputFactory> MakeOutputFactory() {
  return std::make_shared<OutputFactory>(
      OutputFactory{[] { return std::make_unique<TypedRecordReader<T>>(); },
                    [](std::vector<ReceiverBase*> to) { return std::make_unique<FanOut<T>>(to); },
                    [](ReceiverBase* to, std::shared_ptr<TimeMerge> merge) {
                      return std::make_unique<MergedInput<T>>(to, std::move(merge));
                    }});
}

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_OPERATORS_EDGE_WRITERS_H_
