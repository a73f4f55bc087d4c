// Protobuf messages, one per record.
//
//   events.flat_map(protobuf::parse<shop::Order>())      // Bytes, std::string, kafka::Record → shop::Order
//   orders.map(protobuf::write<shop::Order>())           // → std::string
//
// A message of the stream needs nothing else: there is a Serde for messages. Protobuf does not say at which byte a
// message is broken; errors name the message type and the size.
#ifndef PENSTOCK_FORMATS_PROTOBUF_H_
#define PENSTOCK_FORMATS_PROTOBUF_H_

#include <penstock/formats/payload.h>

#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "runtime/record/serde.h"

namespace penstock::protobuf {

template <ProtobufMessage M>
absl::StatusOr<M> Decode(std::string_view bytes) {
  absl::StatusOr<M> message{M()};
  const bool fits = bytes.size() <= static_cast<size_t>(std::numeric_limits<int>::max());
  if (fits && message->ParsePartialFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    if (message->IsInitialized()) return message;
    return absl::InvalidArgumentError("protobuf: " + M::descriptor()->full_name() +
                                      " lacks required fields: " + message->InitializationErrorString());
  }
  return absl::InvalidArgumentError("protobuf: " + std::to_string(bytes.size()) + " bytes are no " +
                                    M::descriptor()->full_name());
}

template <ProtobufMessage M>
struct Parser {
  template <Payload P>
  absl::StatusOr<M> operator()(const P& payload) const {
    const std::optional<std::string_view> bytes = PayloadOf(payload);
    if (!bytes) return NoValue();
    return Decode<M>(*bytes);
  }
};
template <ProtobufMessage M>
Parser<M> parse() {
  return {};
}

template <ProtobufMessage M>
struct Writer {
  std::string operator()(const M& message) const { return message.SerializeAsString(); }
};
template <ProtobufMessage M>
Writer<M> write() {
  return {};
}

}  // namespace penstock::protobuf

#endif  // PENSTOCK_FORMATS_PROTOBUF_H_
