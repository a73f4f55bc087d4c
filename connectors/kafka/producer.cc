#include "connectors/kafka/producer.h"

#include "runtime/core/status.h"

namespace penstock::kafka {

absl::Status Producer::Open(Context& context) {
  PENSTOCK_ASSIGN_OR_RETURN(std::unique_ptr<Sender> sender, Sender::Create(sink_));
  Adopt(context, std::move(sender));
  probe_ = std::make_unique<TopicProbe>(sender_->client(), sink_, context.waker());
  return absl::OkStatus();
}

void Producer::Adopt(Context& context, std::unique_ptr<Sender> sender) {
  context_ = &context;
  sender_ = std::move(sender);
  sender_->WakeOnEvents(context.waker());
}

absl::Status Producer::Stopped() const { return Cancelled("kafka sink: the task is to stop"); }

absl::Status Producer::AwaitTopic() {
  const bool go_on = context_->WaitUntil("the Kafka topic", [this] {
    if (probe_->found()) return true;
    ShowNote(probe_->note());
    return false;
  });
  if (!go_on) return Stopped();
  probe_.reset();
  ShowNote("");
  return absl::OkStatus();
}

absl::Status Producer::Send(const Outgoing& record) {
  if (probe_ != nullptr) PENSTOCK_RETURN_IF_ERROR(AwaitTopic());
  if (sender_->has_events()) sender_->Serve();
  if (!sender_->failure().ok()) return sender_->failure();
  Sender::Sent sent = sender_->TrySend(record);
  if (sent == Sender::Sent::kQueueFull) {
    const bool go_on = context_->WaitUntil("room in the Kafka queue", [&] {
      sender_->Serve();
      ShowNote(sender_->trouble());
      if (!sender_->failure().ok()) return true;
      sent = sender_->TrySend(record);
      return sent != Sender::Sent::kQueueFull;
    });
    if (!go_on) return Stopped();
  }
  return sender_->failure();
}

absl::Status Producer::Flush() {
  if (sender_ == nullptr) return absl::OkStatus();
  const bool go_on = context_->WaitUntil("deliveries to Kafka", [this] {
    sender_->Serve();
    ShowNote(sender_->trouble());
    return sender_->in_flight() == 0 || !sender_->failure().ok();
  });
  if (!go_on) return Stopped();
  return sender_->failure();
}

void Producer::ShowNote(std::string note) {
  if (note == note_) return;
  if (!note.empty()) context_->log_warn(note);
  note_ = note;
  context_->set_status_note(std::move(note));
}

void Producer::Abandon() { Sender::Abandon(std::move(sender_)); }

void Producer::Close() {
  probe_.reset();
  sender_.reset();
}

}  // namespace penstock::kafka
