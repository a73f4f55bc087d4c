#include "runtime/exchange/peer_link.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "runtime/core/status.h"
#include "runtime/core/thread_name.h"

namespace penstock {

PeerLink::PeerLink(std::string peer_name, std::function<void(const absl::Status&)> on_broken)
    : peer_name_(std::move(peer_name)), on_broken_(std::move(on_broken)) {}

PeerLink::~PeerLink() {
  // Subpartitions and channels may outlive the link and must not call it any more.
  for (const auto& out : outgoing_) out->subpartition->Close();
  for (const auto& in : incoming_) in->input->Close();
}

void PeerLink::AddOutgoing(uint32_t channel, std::shared_ptr<Subpartition> subpartition) {
  const size_t index = outgoing_.size();
  outgoing_by_channel_[channel] = index;
  outgoing_.push_back(std::make_unique<Outgoing>(Outgoing{channel, subpartition, {}, false}));
  subpartition->Subscribe([this, index] { QueueOutgoing(index); });
}

absl::StatusOr<std::shared_ptr<RemoteInputChannel>> PeerLink::AddIncoming(uint32_t channel, BufferPool& pool) {
  const size_t index = incoming_.size();
  incoming_.push_back(std::make_unique<Incoming>());
  auto input = RemoteInputChannel::Create(pool, [this, index] { QueueIncoming(index); });
  if (!input.ok()) {
    incoming_.pop_back();
    return input.status();
  }
  incoming_by_channel_[channel] = index;
  incoming_[index]->channel = channel;
  incoming_[index]->input = *input;
  return *input;
}

void PeerLink::QueueOutgoing(size_t index) {
  MutexLock lock(&mutex_);
  Outgoing& out = *outgoing_[index];
  if (out.queued || !out.credits.CanSend()) return;  // a grant queues it later
  out.queued = true;
  ready_outgoing_.push_back(index);
  work_.NotifyOne();
}

void PeerLink::QueueIncoming(size_t index) {
  MutexLock lock(&mutex_);
  Incoming& in = *incoming_[index];
  if (in.queued) return;
  in.queued = true;
  ready_incoming_.push_back(index);
  work_.NotifyOne();
}

void PeerLink::Run(PeerStream& stream) {
  {
    MutexLock lock(&mutex_);
    if (stopping_) return;
    stream_ = &stream;
  }
  std::thread writer([this, &stream] {
    SetThreadName("link " + peer_name_);
    WriteLoop(stream);
  });
  const bool in_order = stream.Read([this](wire::Cursor& cursor) { return OnMessage(cursor); });
  if (!in_order) Break(Unavailable("the connection to worker {} was lost", peer_name_));
  Stop();
  writer.join();
  MutexLock lock(&mutex_);
  stream_ = nullptr;
}

void PeerLink::Break(const absl::Status& status) {
  {
    MutexLock lock(&mutex_);
    if (stopping_) return;
  }
  if (!broken_.exchange(true)) on_broken_(status);
}

void PeerLink::Stop() {
  MutexLock lock(&mutex_);
  if (stopping_) return;
  stopping_ = true;
  if (stream_ != nullptr) stream_->Cancel();
  work_.NotifyAll();
}

void PeerLink::WriteLoop(PeerStream& stream) {
  OutMessage message;
  while (NextMessage(message)) {
    if (!stream.Write(std::move(message))) {
      Break(Unavailable("the connection to worker {} was lost", peer_name_));
      return;
    }
    message = OutMessage();
  }
}

bool PeerLink::NextMessage(OutMessage& message) {
  MutexLock lock(&mutex_);
  while (message.parts.empty()) {
    if (stopping_) return false;
    if (ready_outgoing_.empty() && ready_incoming_.empty()) {
      work_.Wait(&mutex_);
      continue;
    }
    AddCredits(message);
    AddBuffers(message);
  }
  return true;
}

void PeerLink::AddCredits(OutMessage& message) {
  std::string items;
  for (const size_t index : ready_incoming_) {
    Incoming& in = *incoming_[index];
    in.queued = false;
    // The limit first: the credits may let buffers go that are not filled yet.
    if (const auto limit = in.input->TakeLimit()) wire::AppendLimit(in.channel, *limit, items);
    if (const uint32_t credits = in.input->TakeGrant(); credits > 0) wire::AppendCredits(in.channel, credits, items);
  }
  ready_incoming_.clear();
  if (items.empty()) return;
  message.bytes += items.size();
  message.parts.push_back({std::move(items), Buffer()});
}

void PeerLink::AddBuffers(OutMessage& message) {
  while (!ready_outgoing_.empty() && message.bytes < wire::kMessageBytesTarget) {
    const size_t index = ready_outgoing_.front();
    ready_outgoing_.pop_front();
    Outgoing& out = *outgoing_[index];
    int backlog = 0;
    Buffer buffer = out.subpartition->Pop(&backlog);
    if (buffer) {
      OutMessage::Part part;
      wire::AppendBufferHeader({out.channel, out.credits.Spend(), static_cast<uint32_t>(backlog), buffer.size()},
                               part.header);
      message.bytes += part.header.size() + buffer.size();
      part.buffer = std::move(buffer);
      message.parts.push_back(std::move(part));
    }
    // One buffer of each channel in turn. A push after the pop would have found `queued` set, so the queue is asked.
    out.queued = out.credits.CanSend() && out.subpartition->size() > 0;
    if (out.queued) ready_outgoing_.push_back(index);
  }
}

absl::Status PeerLink::OnMessage(wire::Cursor& cursor) {
  while (cursor.remaining() > 0) {
    if (absl::Status status = OnItem(cursor); !status.ok()) {
      Break(Internal("worker {}: {}", peer_name_, MessageOf(status)));
      return status;
    }
  }
  return absl::OkStatus();
}

absl::Status PeerLink::OnItem(wire::Cursor& cursor) {
  wire::ItemType type{};
  cursor.Get(type);
  if (type == wire::ItemType::kBuffer) {
    wire::BufferHeader header;
    if (!cursor.Get(header.channel) || !cursor.Get(header.sequence) || !cursor.Get(header.backlog) ||
        !cursor.Get(header.size)) {
      return DataLoss("an exchange message was cut");
    }
    const auto found = incoming_by_channel_.find(header.channel);
    if (found == incoming_by_channel_.end()) return InvalidArgument("unknown channel {}", header.channel);
    return incoming_[found->second]->input->Deliver(header, cursor);
  }
  if (type == wire::ItemType::kCredits) return OnCredits(cursor);
  if (type == wire::ItemType::kLimit) return OnLimit(cursor);
  return InvalidArgument("unknown item type {}", static_cast<int>(type));
}

absl::Status PeerLink::OnCredits(wire::Cursor& cursor) {
  uint32_t channel = 0;
  uint32_t credits = 0;
  if (!cursor.Get(channel) || !cursor.Get(credits)) return DataLoss("an exchange message was cut");
  const auto found = outgoing_by_channel_.find(channel);
  if (found == outgoing_by_channel_.end()) return InvalidArgument("credits for unknown channel {}", channel);
  Outgoing& out = *outgoing_[found->second];
  {
    MutexLock lock(&mutex_);
    out.credits.Grant(credits);
  }
  if (out.subpartition->size() > 0) QueueOutgoing(found->second);
  return absl::OkStatus();
}

absl::Status PeerLink::OnLimit(wire::Cursor& cursor) {
  uint32_t channel = 0;
  uint32_t buffer_bytes = 0;
  uint32_t buffers = 0;
  if (!cursor.Get(channel) || !cursor.Get(buffer_bytes) || !cursor.Get(buffers)) {
    return DataLoss("an exchange message was cut");
  }
  const auto found = outgoing_by_channel_.find(channel);
  if (found == outgoing_by_channel_.end()) return InvalidArgument("a limit for unknown channel {}", channel);
  if (buffer_bytes < kBufferBytesMin || buffers < 1) {
    return InvalidArgument("channel {} is limited to {} buffers of {} bytes, less than it can work with", channel,
                           buffers, buffer_bytes);
  }
  ChannelLimit limit;
  limit.buffer_bytes = buffer_bytes;
  limit.sender_buffers = static_cast<int>(std::min<uint32_t>(buffers, limit.sender_buffers));
  outgoing_[found->second]->subpartition->SetLimit(limit);
  return absl::OkStatus();
}

}  // namespace penstock
