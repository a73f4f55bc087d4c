// A record as it stands in a sink's log: everything that is needed to write it again.
//
// u8 flags, then what they say is there, in this order: i64 timestamp, i32 partition, key and value (each a u32 length
// and its bytes), u16 count of headers (each a u32 length and name, a u32 length and value). Little-endian.
#ifndef PENSTOCK_CONNECTORS_KAFKA_EXACTLY_ONCE_LOG_RECORD_H_
#define PENSTOCK_CONNECTORS_KAFKA_EXACTLY_ONCE_LOG_RECORD_H_

#include <string>
#include <string_view>

#include "connectors/kafka/sender.h"

namespace penstock::kafka {

// Replaces what stands in `out`.
void EncodeLogRecord(const Outgoing& record, std::string& out);

// The headers are kept here, the rest are views into `bytes`.
struct LogRecord {
  Outgoing record;
  HeaderList headers;
};
// False: the bytes are no record. `record.record.headers` points into `record`.
bool DecodeLogRecord(std::string_view bytes, LogRecord& record);

}  // namespace penstock::kafka

#endif  // PENSTOCK_CONNECTORS_KAFKA_EXACTLY_ONCE_LOG_RECORD_H_
