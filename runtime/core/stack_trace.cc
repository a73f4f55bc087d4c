#include "runtime/core/stack_trace.h"

#include <backtrace.h>
#include <cxxabi.h>
#include <elf.h>
#include <fmt/format.h>
#include <link.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>

namespace penstock {
namespace {

std::atomic<ThrowStackFunction> throw_stack_function{nullptr};

void IgnoreError(void*, const char*, int) {}

std::string Demangle(const char* name) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(abi::__cxa_demangle(name, nullptr, nullptr, &status),
                                                         std::free);
  return status == 0 && text != nullptr ? text.get() : name;
}

struct Lines {
  std::string text;
  int frame = 0;
  bool any = false;

  void Add(const std::string& function, const char* file, int line) {
    any = true;
    text += fmt::format("#{} {}", frame++, function);
    if (file != nullptr) text += fmt::format(" at {}:{}", file, line);
    text += '\n';
  }
};

int OnLine(void* data, uintptr_t, const char* file, int line, const char* function) {
  Lines& lines = *static_cast<Lines*>(data);
  if (function != nullptr) lines.Add(Demangle(function), file, line);
  return 0;
}

void OnSymbol(void* data, uintptr_t, const char* symbol, uintptr_t, uintptr_t) {
  if (symbol != nullptr) static_cast<Lines*>(data)->Add(Demangle(symbol), nullptr, 0);
}

void AddFrame(backtrace_state* state, uintptr_t pc, const std::string& otherwise, Lines* lines) {
  lines->any = false;
  if (state != nullptr) {
    backtrace_pcinfo(state, pc, OnLine, IgnoreError, lines);
    if (!lines->any) backtrace_syminfo(state, pc, OnSymbol, IgnoreError, lines);
  }
  if (!lines->any) lines->Add(otherwise, nullptr, 0);
}

int FirstModuleBase(dl_phdr_info* info, size_t, void* base) {
  *static_cast<uintptr_t*>(base) = info->dlpi_addr;
  return 1;
}

// A program file seen as if it were loaded here. libbacktrace takes a position-independent file that it is told is
// "the program" to lie where this process's own program lies.
class ForeignFile {
 public:
  explicit ForeignFile(const std::string& path) : path_(path) {
    Elf64_Ehdr header{};
    std::ifstream in(path, std::ios::binary);
    in.read(reinterpret_cast<char*>(&header), sizeof(header));
    if (!in || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return;
    if (header.e_type == ET_DYN) dl_iterate_phdr(FirstModuleBase, &base_);
    state_ = backtrace_create_state(path_.c_str(), 0, IgnoreError, nullptr);
  }
  backtrace_state* state() const { return state_; }
  uintptr_t PcOf(uintptr_t offset) const { return base_ + offset; }

 private:
  const std::string path_;  // libbacktrace keeps the pointer
  uintptr_t base_ = 0;
  backtrace_state* state_ = nullptr;
};

}  // namespace

std::string SymbolizeHere(const std::vector<void*>& frames) {
  static backtrace_state* const state = backtrace_create_state(nullptr, 1, IgnoreError, nullptr);
  Lines lines;
  for (void* frame : frames) {
    const auto pc = reinterpret_cast<uintptr_t>(frame);
    AddFrame(state, pc - 1, fmt::format("{:#x}", pc), &lines);  // a return address is behind its call
  }
  return lines.text;
}

std::string SymbolizeCrashFile(const std::string& crash_text) {
  std::map<std::string, std::unique_ptr<ForeignFile>> files;
  std::istringstream in(crash_text);
  std::string header;
  Lines lines;
  std::string line;
  while (std::getline(in, line)) {
    std::istringstream words(line);
    std::string kind;
    words >> kind;
    if (kind == "signal") {
      int number = 0;
      int64_t code = 0;
      uint64_t address = 0;
      words >> number >> code >> std::hex >> address;
      const char* name = sigabbrev_np(number);
      header = fmt::format("SIG{} at address {:#x}\n", name == nullptr ? "?" : name, address);
    } else if (kind == "frame") {
      uintptr_t pc = 0;
      uintptr_t offset = 0;
      std::string path;
      words >> std::hex >> pc >> offset;
      std::getline(words >> std::ws, path);
      auto& file = files[path];
      if (file == nullptr) file = std::make_unique<ForeignFile>(path);
      AddFrame(file->state(), file->PcOf(offset), fmt::format("{:#x} in {}", pc, path), &lines);
    }
  }
  return header + lines.text;
}

std::vector<void*> LastThrowStack() {
  const ThrowStackFunction function = throw_stack_function.load();
  return function == nullptr ? std::vector<void*>() : function();
}

void SetThrowStackFunction(ThrowStackFunction function) { throw_stack_function = function; }

}  // namespace penstock
