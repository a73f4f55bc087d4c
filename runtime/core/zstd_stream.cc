#include "runtime/core/zstd_stream.h"

#include <zstd.h>

#include <fstream>
#include <vector>

#include "runtime/core/status.h"

namespace penstock {
namespace {

constexpr int kLevel = 3;

}  // namespace

struct ZstdWriter::State {
  explicit State(const std::string& p)
      : path(p), file(p, std::ios::binary | std::ios::trunc), zstd(ZSTD_createCCtx()), out(ZSTD_CStreamOutSize()) {
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_compressionLevel, kLevel);
    ZSTD_CCtx_setParameter(zstd, ZSTD_c_checksumFlag, 1);
  }
  ~State() { ZSTD_freeCCtx(zstd); }

  const std::string path;
  std::ofstream file;
  ZSTD_CCtx* const zstd;
  std::vector<char> out;
};

ZstdWriter::ZstdWriter(const std::string& path) : state_(std::make_unique<State>(path)) {}
ZstdWriter::~ZstdWriter() = default;

absl::Status ZstdWriter::Push(std::string_view bytes, bool end) {
  ZSTD_inBuffer input{bytes.data(), bytes.size(), 0};
  while (true) {
    ZSTD_outBuffer output{state_->out.data(), state_->out.size(), 0};
    const size_t left = ZSTD_compressStream2(state_->zstd, &output, &input, end ? ZSTD_e_end : ZSTD_e_continue);
    if (ZSTD_isError(left)) return Internal("zstd: {}", ZSTD_getErrorName(left));
    state_->file.write(state_->out.data(), static_cast<std::streamsize>(output.pos));
    if (end ? left == 0 : input.pos == input.size) break;
  }
  if (!state_->file) return Unavailable("can't write '{}'", state_->path);
  return absl::OkStatus();
}

absl::Status ZstdWriter::Write(std::string_view bytes) { return Push(bytes, false); }

absl::Status ZstdWriter::Close() {
  PENSTOCK_RETURN_IF_ERROR(Push({}, true));
  state_->file.close();
  if (!state_->file) return Unavailable("can't write '{}'", state_->path);
  return absl::OkStatus();
}

struct ZstdReader::State {
  explicit State(const std::string& p)
      : path(p), file(p, std::ios::binary), zstd(ZSTD_createDCtx()), in(ZSTD_DStreamInSize()) {}
  ~State() { ZSTD_freeDCtx(zstd); }

  const std::string path;
  std::ifstream file;
  ZSTD_DCtx* const zstd;
  std::vector<char> in;
  ZSTD_inBuffer input{nullptr, 0, 0};
  bool frame_open = false;
};

ZstdReader::ZstdReader(const std::string& path) : state_(std::make_unique<State>(path)) {}
ZstdReader::~ZstdReader() = default;

absl::StatusOr<size_t> ZstdReader::Read(char* out, size_t size) {
  ZSTD_outBuffer output{out, size, 0};
  while (output.pos < size) {
    if (state_->input.pos == state_->input.size) {
      state_->file.read(state_->in.data(), static_cast<std::streamsize>(state_->in.size()));
      state_->input = {state_->in.data(), static_cast<size_t>(state_->file.gcount()), 0};
    }
    const bool at_end = state_->input.size == 0;
    if (at_end && !state_->frame_open) break;
    const size_t before = output.pos;
    const size_t left = ZSTD_decompressStream(state_->zstd, &output, &state_->input);
    if (ZSTD_isError(left)) return DataLoss("'{}' is damaged: {}", state_->path, ZSTD_getErrorName(left));
    state_->frame_open = left != 0;
    if (at_end && output.pos == before) return DataLoss("'{}' is cut off", state_->path);
  }
  return output.pos;
}

}  // namespace penstock
