// PeerStream over a gRPC stream of raw byte buffers, for both ends of it. Private to the exchange's .cc files.
#ifndef PENSTOCK_RUNTIME_EXCHANGE_GRPC_PEER_STREAM_H_
#define PENSTOCK_RUNTIME_EXCHANGE_GRPC_PEER_STREAM_H_

#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include <functional>
#include <utility>
#include <vector>

#include "runtime/exchange/peer_link.h"

namespace penstock {

inline constexpr char kExchangeMethod[] = "/penstock.exchange.v1.Exchange/Stream";

// Headers are copied into small slices; buffers are lent to gRPC, which gives them back when they are on the wire.
inline grpc::ByteBuffer ToByteBuffer(OutMessage message) {
  std::vector<grpc::Slice> slices;
  slices.reserve(message.parts.size() * 2);
  for (OutMessage::Part& part : message.parts) {
    slices.emplace_back(part.header);
    if (!part.buffer) continue;
    auto* lent = new Buffer(std::move(part.buffer));
    slices.emplace_back(
        lent->data(), lent->size(), [](void* buffer) { delete static_cast<Buffer*>(buffer); }, lent);
  }
  return grpc::ByteBuffer(slices.data(), slices.size());
}

template <class GrpcStream>  // ServerReaderWriter or ClientReaderWriter of ByteBuffer
class GrpcPeerStream final : public PeerStream {
 public:
  GrpcPeerStream(GrpcStream& stream, std::function<void()> cancel) : stream_(stream), cancel_(std::move(cancel)) {}

  bool Write(OutMessage message) override { return stream_.Write(ToByteBuffer(std::move(message))); }

  bool Read(const std::function<absl::Status(wire::Cursor&)>& on_message) override {
    grpc::ByteBuffer received;
    while (stream_.Read(&received)) {
      std::vector<grpc::Slice> slices;
      if (!received.Dump(&slices).ok()) return false;
      std::vector<std::string_view> pieces;
      pieces.reserve(slices.size());
      for (const grpc::Slice& slice : slices) {
        pieces.emplace_back(reinterpret_cast<const char*>(slice.begin()), slice.size());
      }
      wire::Cursor cursor(std::move(pieces));
      if (!on_message(cursor).ok()) return true;  // told already
      received.Clear();
    }
    return false;
  }

  void Cancel() override { cancel_(); }

 private:
  GrpcStream& stream_;
  const std::function<void()> cancel_;
};

}  // namespace penstock

#endif  // PENSTOCK_RUNTIME_EXCHANGE_GRPC_PEER_STREAM_H_
