// What comes over the exchange: frames, barriers, hellos, the items of a message, records.
#include <map>
#include <optional>

#include "runtime/checkpoint/barrier.h"
#include "runtime/exchange/wire.h"
#include "runtime/record/frame.h"
#include "runtime/record/serde.h"
#include "tests/fuzz/target.h"

namespace penstock::fuzz {
namespace {

using Nested = std::map<std::string, std::vector<std::optional<std::pair<int64_t, std::string>>>>;

void RunFrames(std::string_view bytes) {
  FrameReader reader(bytes.data(), bytes.size());
  Frame frame;
  size_t payload = 0;
  while (reader.Next(frame) == FrameResult::kFrame) payload += frame.payload.size();
  if (payload > bytes.size()) __builtin_trap();
}

void RunBarrier(std::string_view bytes) {
  const std::optional<Barrier> barrier = DecodeBarrier(bytes);
  if (barrier && EncodeBarrier(*barrier) != bytes) __builtin_trap();  // one barrier, one encoding
}

void RunHello(std::string_view bytes) { (void)wire::DecodeHello(bytes); }

// As a peer link reads a message that came in two pieces.
void RunItems(std::string_view bytes) {
  wire::Cursor cursor({bytes.substr(0, bytes.size() / 3), bytes.substr(bytes.size() / 3)});
  uint8_t type = 0;
  std::string buffer;
  while (cursor.Get(type)) {
    uint32_t channel = 0;
    uint32_t credits = 0;
    if (type == static_cast<uint8_t>(wire::ItemType::kCredits)) {
      if (!cursor.Get(channel) || !cursor.Get(credits)) return;
      continue;
    }
    uint32_t sequence = 0;
    uint32_t backlog = 0;
    uint32_t size = 0;
    if (!cursor.Get(channel) || !cursor.Get(sequence) || !cursor.Get(backlog) || !cursor.Get(size)) return;
    if (size > cursor.remaining()) return;
    buffer.resize(size);
    if (!cursor.Copy(buffer.data(), size)) __builtin_trap();
  }
}

void RunRecord(std::string_view bytes) {
  ByteReader in(bytes);
  Nested value;
  if (!Serde<Nested>::Read(in, value)) return;
  ByteWriter out;
  Serde<Nested>::Write(value, out);
}

std::vector<std::string> FrameSeeds() {
  std::string bytes;
  for (const auto& [kind, payload] :
       {std::pair(FrameKind::kRecord, std::string("12345678abc")),
        std::pair(FrameKind::kWatermark, std::string(8, 'w')), std::pair(FrameKind::kEnd, std::string(1, '\1'))}) {
    const uint32_t header = EncodeFrameHeader(kind, static_cast<uint32_t>(payload.size()), kind == FrameKind::kRecord);
    bytes.append(reinterpret_cast<const char*>(&header), sizeof header);
    bytes += payload;
  }
  return {bytes, ""};
}
std::vector<std::string> BarrierSeeds() { return {EncodeBarrier({.id = 7, .last_decided = 6, .trigger_ms = 99}), ""}; }
std::vector<std::string> HelloSeeds() { return {wire::EncodeHello({.from = 1, .to = 2})}; }
std::vector<std::string> ItemSeeds() {
  std::string bytes;
  wire::AppendCredits(3, 4, bytes);
  wire::AppendBufferHeader({.channel = 1, .sequence = 2, .backlog = 3, .size = 5}, bytes);
  return {bytes + "hello"};
}
std::vector<std::string> RecordSeeds() {
  ByteWriter out;
  Serde<Nested>::Write({{"key", {std::pair<int64_t, std::string>{-1, "x"}, std::nullopt}}, {"", {}}}, out);
  return {std::string(out.view())};
}

}  // namespace

const Target kWireTargets[] = {{"frames", RunFrames, FrameSeeds},
                               {"barrier", RunBarrier, BarrierSeeds},
                               {"hello", RunHello, HelloSeeds},
                               {"items", RunItems, ItemSeeds},
                               {"record", RunRecord, RecordSeeds}};
const size_t kWireTargetCount = std::size(kWireTargets);

}  // namespace penstock::fuzz
