#include "runtime/core/bundle.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

#include "runtime/core/status.h"
#include "runtime/core/zstd_stream.h"

namespace penstock {
namespace {

namespace fs = std::filesystem;

constexpr size_t kBlockBytes = 512;
constexpr size_t kPieceBytes = 256 << 10;
constexpr unsigned char kZstdMagic[] = {0x28, 0xb5, 0x2f, 0xfd};

// The ustar header, as POSIX draws it. Numbers are octal text.
struct TarHeader {
  char name[100];
  char mode[8];
  char uid[8];
  char gid[8];
  char size[12];
  char mtime[12];
  char checksum[8];
  char type;
  char link_name[100];
  char magic[6];
  char version[2];
  char user[32];
  char group[32];
  char device_major[8];
  char device_minor[8];
  char prefix[155];
  char padding[12];
};
static_assert(sizeof(TarHeader) == kBlockBytes);

void PutText(char* field, size_t size, std::string_view text) {
  std::memcpy(field, text.data(), std::min(size, text.size()));
}

void PutOctal(char* field, size_t size, int64_t value) {
  PutText(field, size, fmt::format("{:0{}o}", value, size - 1));
}

// The sum of all bytes with the checksum field taken as blanks.
int64_t ChecksumOf(TarHeader header) {
  std::memset(header.checksum, ' ', sizeof(header.checksum));
  const auto* bytes = reinterpret_cast<const unsigned char*>(&header);
  int64_t sum = 0;
  for (size_t i = 0; i < sizeof(header); ++i) sum += bytes[i];
  return sum;
}

std::string TextOf(const char* field, size_t size) { return std::string(field, strnlen(field, size)); }

absl::StatusOr<int64_t> OctalOf(const char* field, size_t size) {
  const std::string text = TextOf(field, size);
  char* end = nullptr;
  const int64_t value = std::strtoll(text.c_str(), &end, 8);
  if (text.empty() || (*end != '\0' && *end != ' ') || value < 0) {
    return DataLoss("a header field of the bundle is no number");
  }
  return value;
}

absl::Status CheckName(const std::string& name) {
  const fs::path path(name);
  const bool plain = !name.empty() && path.is_relative() && name.back() != '/' &&
                     std::none_of(path.begin(), path.end(),
                                  [](const fs::path& part) { return part.empty() || part == "." || part == ".."; });
  if (!plain) return InvalidArgument("'{}' is no name for a file in a bundle: it must be relative, without '..'", name);
  return absl::OkStatus();
}

// ustar splits a long name at a slash into a prefix and the rest.
absl::Status PutName(const std::string& name, TarHeader* header) {
  if (name.size() <= sizeof(header->name)) {
    PutText(header->name, sizeof(header->name), name);
    return absl::OkStatus();
  }
  const size_t slash = name.find('/', name.size() - sizeof(header->name) - 1);
  if (slash == std::string::npos || slash > sizeof(header->prefix)) {
    return InvalidArgument("'{}' is too long a name for a bundle", name);
  }
  PutText(header->prefix, sizeof(header->prefix), name.substr(0, slash));
  PutText(header->name, sizeof(header->name), name.substr(slash + 1));
  return absl::OkStatus();
}

std::string_view BytesOf(const TarHeader& header) {
  return std::string_view(reinterpret_cast<const char*>(&header), sizeof(header));
}

absl::Status WriteFile(const BundleFile& file, ZstdWriter* writer) {
  std::error_code error;
  const auto size = static_cast<int64_t>(fs::file_size(file.source, error));
  std::ifstream source(file.source, std::ios::binary);
  if (error || !source) return NotFound("can't read '{}' for the bundle", file.source);
  TarHeader header{};
  PENSTOCK_RETURN_IF_ERROR(PutName(file.name, &header));
  PutOctal(header.mode, sizeof(header.mode), file.executable ? 0755 : 0644);
  PutOctal(header.uid, sizeof(header.uid), 0);
  PutOctal(header.gid, sizeof(header.gid), 0);
  PutOctal(header.size, sizeof(header.size), size);
  PutOctal(header.mtime, sizeof(header.mtime), 0);
  header.type = '0';
  PutText(header.magic, sizeof(header.magic), std::string_view("ustar\0", 6));
  PutText(header.version, sizeof(header.version), "00");
  PutOctal(header.checksum, sizeof(header.checksum) - 1, ChecksumOf(header));
  header.checksum[7] = ' ';
  PENSTOCK_RETURN_IF_ERROR(writer->Write(BytesOf(header)));

  std::vector<char> piece(kPieceBytes);
  int64_t left = size;
  while (left > 0) {
    source.read(piece.data(), static_cast<std::streamsize>(std::min<int64_t>(left, kPieceBytes)));
    const auto count = static_cast<size_t>(source.gcount());
    if (count == 0) return DataLoss("'{}' became shorter while it was read", file.source);
    PENSTOCK_RETURN_IF_ERROR(writer->Write(std::string_view(piece.data(), count)));
    left -= static_cast<int64_t>(count);
  }
  const size_t padding = (kBlockBytes - static_cast<size_t>(size) % kBlockBytes) % kBlockBytes;
  return writer->Write(std::string(padding, '\0'));
}

absl::Status ReadExactly(ZstdReader* reader, char* out, size_t size) {
  PENSTOCK_ASSIGN_OR_RETURN(const size_t count, reader->Read(out, size));
  if (count != size) return DataLoss("the bundle is cut off");
  return absl::OkStatus();
}

struct Entry {
  std::string name;
  int64_t size = 0;
  bool executable = false;
};

// Nothing at the two zero blocks that end an archive.
absl::StatusOr<bool> ReadHeader(ZstdReader* reader, Entry* entry) {
  TarHeader header;
  PENSTOCK_RETURN_IF_ERROR(ReadExactly(reader, reinterpret_cast<char*>(&header), sizeof(header)));
  if (header.name[0] == '\0' && header.magic[0] == '\0') return false;
  PENSTOCK_ASSIGN_OR_RETURN(const int64_t checksum, OctalOf(header.checksum, sizeof(header.checksum)));
  if (checksum != ChecksumOf(header) || std::memcmp(header.magic, "ustar", 5) != 0) {
    return DataLoss("the bundle has a damaged header");
  }
  entry->name = TextOf(header.name, sizeof(header.name));
  const std::string prefix = TextOf(header.prefix, sizeof(header.prefix));
  if (!prefix.empty()) entry->name = prefix + "/" + entry->name;
  PENSTOCK_RETURN_IF_ERROR(CheckName(entry->name));
  if (header.type != '0') {
    return InvalidArgument("'{}' in the bundle is no plain file; links and others are not allowed", entry->name);
  }
  PENSTOCK_ASSIGN_OR_RETURN(entry->size, OctalOf(header.size, sizeof(header.size)));
  PENSTOCK_ASSIGN_OR_RETURN(const int64_t mode, OctalOf(header.mode, sizeof(header.mode)));
  entry->executable = (mode & 0100) != 0;
  return true;
}

// Reads on to the end, so that zstd compares its checksum.
absl::Status CheckEnd(ZstdReader* reader, const std::string& path) {
  std::array<char, kBlockBytes> block;
  PENSTOCK_RETURN_IF_ERROR(ReadExactly(reader, block.data(), block.size()));
  PENSTOCK_ASSIGN_OR_RETURN(const size_t more, reader->Read(block.data(), 1));
  if (more != 0) return DataLoss("bundle '{}' goes on after its end", path);
  return absl::OkStatus();
}

absl::Status ExtractFile(ZstdReader* reader, const Entry& entry, const fs::path& directory) {
  const fs::path target = directory / entry.name;
  std::error_code error;
  fs::create_directories(target.parent_path(), error);
  std::ofstream file(target, std::ios::binary | std::ios::trunc);
  std::vector<char> piece(kPieceBytes);
  for (int64_t left = entry.size; left > 0;) {
    const auto count = static_cast<size_t>(std::min<int64_t>(left, kPieceBytes));
    PENSTOCK_RETURN_IF_ERROR(ReadExactly(reader, piece.data(), count));
    file.write(piece.data(), static_cast<std::streamsize>(count));
    left -= static_cast<int64_t>(count);
  }
  file.close();
  if (!file) return Unavailable("can't write '{}': {}", target.string(), std::strerror(errno));
  fs::permissions(target, entry.executable ? fs::perms::owner_all : fs::perms::owner_read | fs::perms::owner_write,
                  error);
  const size_t padding = (kBlockBytes - static_cast<size_t>(entry.size) % kBlockBytes) % kBlockBytes;
  std::array<char, kBlockBytes> ignored;
  return ReadExactly(reader, ignored.data(), padding);
}

}  // namespace

absl::Status WriteBundle(const std::string& path, const std::vector<BundleFile>& files) {
  if (files.empty() || files.front().name != kBundleProgram) {
    return InvalidArgument("the first file of a bundle must be '{}'", kBundleProgram);
  }
  if (files.size() > kBundleFilesMax) {
    return InvalidArgument("{} files are too many for a bundle (at most {})", files.size(), kBundleFilesMax);
  }
  std::set<std::string> names;
  for (const BundleFile& file : files) {
    PENSTOCK_RETURN_IF_ERROR(CheckName(file.name));
    if (!names.insert(file.name).second) return InvalidArgument("'{}' is in the bundle twice", file.name);
  }
  ZstdWriter writer(path);
  for (const BundleFile& file : files) PENSTOCK_RETURN_IF_ERROR(WriteFile(file, &writer));
  PENSTOCK_RETURN_IF_ERROR(writer.Write(std::string(2 * kBlockBytes, '\0')));
  return writer.Close();
}

absl::StatusOr<std::vector<std::string>> ExtractBundle(const std::string& path, const std::string& directory,
                                                       const BundleLimits& limits) {
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return NotFound("there is no bundle '{}'", path);
  fs::create_directories(directory, error);
  ZstdReader reader(path);
  std::vector<std::string> names;
  int64_t bytes = 0;
  while (true) {
    Entry entry;
    PENSTOCK_ASSIGN_OR_RETURN(const bool more, ReadHeader(&reader, &entry));
    if (!more) break;
    bytes += entry.size;
    if (static_cast<int>(names.size()) >= limits.files_max || bytes > limits.bytes_max) {
      return InvalidArgument("bundle '{}' holds more than {} files or {} bytes", path, limits.files_max,
                             limits.bytes_max);
    }
    if (std::find(names.begin(), names.end(), entry.name) != names.end()) {
      return InvalidArgument("'{}' is in the bundle twice", entry.name);
    }
    PENSTOCK_RETURN_IF_ERROR(ExtractFile(&reader, entry, directory));
    names.push_back(entry.name);
  }
  PENSTOCK_RETURN_IF_ERROR(CheckEnd(&reader, path));
  if (names.empty() || names.front() != kBundleProgram) {
    return InvalidArgument("'{}' is no bundle: its first file is not '{}'", path, kBundleProgram);
  }
  return names;
}

bool LooksLikeBundle(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  char magic[sizeof(kZstdMagic)] = {};
  file.read(magic, sizeof(magic));
  return file && std::memcmp(magic, kZstdMagic, sizeof(magic)) == 0;
}

}  // namespace penstock
