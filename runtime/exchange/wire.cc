#include "runtime/exchange/wire.h"

#include "runtime/core/status.h"

namespace penstock::wire {
namespace {

constexpr std::string_view kMagic = "PNSX";
constexpr size_t kHelloBytes = 4 + 2 + 16 + 4 + 4 + 4;

template <class T>
void Put(T value, std::string& out) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

}  // namespace

std::string EncodeHello(const Hello& hello) {
  std::string out(kMagic);
  Put(hello.version, out);
  Put(hello.job.high(), out);
  Put(hello.job.low(), out);
  Put(hello.attempt.value, out);
  Put(hello.from, out);
  Put(hello.to, out);
  return out;
}

absl::StatusOr<Hello> DecodeHello(std::string_view bytes) {
  if (bytes.size() < kMagic.size() + 2 || bytes.substr(0, kMagic.size()) != kMagic) {
    return InvalidArgument("the first message of an exchange stream is no hello: the peer is not a penstock worker");
  }
  Cursor cursor({bytes.substr(kMagic.size())});
  Hello hello;
  cursor.Get(hello.version);
  if (hello.version != kExchangeVersion) {
    return FailedPrecondition("the peer speaks exchange version {}, this worker version {}", hello.version,
                              kExchangeVersion);
  }
  if (bytes.size() != kHelloBytes)
    return InvalidArgument("an exchange hello has {} bytes, not {}", bytes.size(), kHelloBytes);
  uint64_t high = 0;
  uint64_t low = 0;
  cursor.Get(high);
  cursor.Get(low);
  cursor.Get(hello.attempt.value);
  cursor.Get(hello.from);
  cursor.Get(hello.to);
  hello.job = JobId(high, low);
  return hello;
}

void AppendBufferHeader(const BufferHeader& header, std::string& out) {
  Put(ItemType::kBuffer, out);
  Put(header.channel, out);
  Put(header.sequence, out);
  Put(header.backlog, out);
  Put(header.size, out);
}

void AppendCredits(uint32_t channel, uint32_t credits, std::string& out) {
  Put(ItemType::kCredits, out);
  Put(channel, out);
  Put(credits, out);
}

void AppendLimit(uint32_t channel, const ChannelLimit& limit, std::string& out) {
  Put(ItemType::kLimit, out);
  Put(channel, out);
  Put(limit.buffer_bytes, out);
  Put(static_cast<uint32_t>(std::max(1, limit.sender_buffers)), out);
}

bool Cursor::Copy(void* to, size_t size) {
  if (remaining_ < size) return false;
  remaining_ -= size;
  char* out = static_cast<char*>(to);
  while (size > 0) {
    const std::string_view piece = pieces_[index_].substr(offset_);
    const size_t part = std::min(size, piece.size());
    std::memcpy(out, piece.data(), part);
    out += part;
    size -= part;
    offset_ += part;
    if (offset_ == pieces_[index_].size()) {
      ++index_;
      offset_ = 0;
    }
  }
  return true;
}

}  // namespace penstock::wire
