#include "runtime/exchange/input_gate.h"

#include <algorithm>
#include <utility>

#include "runtime/exchange/subpartition.h"

namespace penstock {

Buffer LocalInputChannel::Pop(bool* more) {
  int backlog = 0;
  Buffer buffer = subpartition_->Pop(&backlog);
  *more = backlog > 0;
  return buffer;
}

void LocalInputChannel::Subscribe(std::function<void()> on_data) { subpartition_->Subscribe(std::move(on_data)); }

// The producer's end is the only one: fewer buffers take what was meant for both.
void LocalInputChannel::SetLimit(const ChannelLimit& limit) {
  const int both = std::max(1, limit.sender_buffers + limit.receiver_buffers);
  ChannelLimit own = limit;
  own.sender_buffers = std::min(1 + kFloatingBuffersPerPartition, both);
  const uint64_t buffer_bytes = static_cast<uint64_t>(limit.buffer_bytes) * both / own.sender_buffers;
  own.buffer_bytes = static_cast<uint32_t>(std::min<uint64_t>(buffer_bytes, UINT32_MAX));
  subpartition_->SetLimit(own);
}

int64_t LocalInputChannel::QueuedBytes() const { return subpartition_->queued_bytes(); }

void LocalInputChannel::Close() { subpartition_->Close(); }

void InputGate::Ready::Notify(int channel) {
  {
    MutexLock lock(&mutex);
    if (closed || queued[channel]) return;
    queued[channel] = true;
    queue.push_back(channel);
    if (queue.size() > 1) return;  // the task has been woken already
  }
  on_data();
}

InputGate::InputGate(std::function<void()> on_data) : ready_(std::make_shared<Ready>(std::move(on_data))) {}

InputGate::~InputGate() {
  {
    MutexLock lock(&ready_->mutex);
    ready_->closed = true;
  }
  for (const auto& channel : channels_) channel->Close();
}

int InputGate::AddChannel(std::shared_ptr<InputChannel> channel) {
  channels_.push_back(std::move(channel));
  blocked_.push_back(false);
  return size() - 1;
}

void InputGate::Start() {
  {
    MutexLock lock(&ready_->mutex);
    ready_->queued.assign(channels_.size(), false);
  }
  for (int i = 0; i < size(); ++i) {
    channels_[i]->Subscribe([ready = ready_, i] { ready->Notify(i); });
  }
}

bool InputGate::Next(Input& input) {
  while (true) {
    int channel = -1;
    {
      MutexLock lock(&ready_->mutex);
      if (ready_->queue.empty()) return false;
      channel = ready_->queue.front();
      ready_->queue.pop_front();
      if (blocked_[channel]) {
        parked_.push_back(channel);
        continue;
      }
      // Cleared before the pop: a push that comes in between must queue the channel again.
      ready_->queued[channel] = false;
    }
    bool more = false;
    Buffer buffer = channels_[channel]->Pop(&more);
    if (more) {
      MutexLock lock(&ready_->mutex);
      if (!ready_->queued[channel]) {
        ready_->queued[channel] = true;
        ready_->queue.push_back(channel);
      }
    }
    if (!buffer) continue;
    input = {channel, std::move(buffer)};
    return true;
  }
}

bool InputGate::HasInput() const {
  MutexLock lock(&ready_->mutex);
  return !ready_->queue.empty();
}

void InputGate::Block(int channel) { blocked_[channel] = true; }

void InputGate::ReleaseAll() {
  std::fill(blocked_.begin(), blocked_.end(), false);
  MutexLock lock(&ready_->mutex);
  ready_->queue.insert(ready_->queue.begin(), parked_.begin(), parked_.end());
  parked_.clear();
}

void InputGate::SetLimit(const ChannelLimit& limit) {
  for (const auto& channel : channels_) channel->SetLimit(limit);
}

int64_t InputGate::QueuedBytes() const {
  int64_t bytes = 0;
  for (const auto& channel : channels_) bytes += channel->QueuedBytes();
  return bytes;
}

}  // namespace penstock
