#include "runtime/core/crash_handler.h"

#include <fcntl.h>
#include <link.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>

#include "runtime/core/status.h"

namespace penstock {
namespace {

constexpr size_t kStackBytes = 64 << 10;
constexpr int kModulesMax = 256;
constexpr size_t kModulePathMax = 512;
constexpr std::array kSignals{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

struct Module {
  uintptr_t base;
  uintptr_t begin;
  uintptr_t end;
  char path[kModulePathMax];
};

// Written by InstallCrashHandler before the handler can run, then only read.
std::array<Module, kModulesMax> modules;
int modules_count = 0;
std::atomic<int> crash_fd{-1};
std::atomic<bool> crashed{false};

int AddModule(struct dl_phdr_info* info, size_t, void*) {
  if (modules_count == kModulesMax) return 1;
  Module& module = modules[static_cast<size_t>(modules_count)];
  module.base = info->dlpi_addr;
  module.begin = UINTPTR_MAX;
  module.end = 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& header = info->dlpi_phdr[i];
    if (header.p_type != PT_LOAD) continue;
    const uintptr_t begin = info->dlpi_addr + header.p_vaddr;
    if (begin < module.begin) module.begin = begin;
    if (begin + header.p_memsz > module.end) module.end = begin + header.p_memsz;
  }
  if (info->dlpi_name[0] == '\0') {  // the program itself
    const ssize_t bytes = readlink("/proc/self/exe", module.path, kModulePathMax - 1);
    module.path[bytes > 0 ? bytes : 0] = '\0';
  } else {
    std::strncpy(module.path, info->dlpi_name, kModulePathMax - 1);
  }
  ++modules_count;
  return 0;
}

const Module* FindModule(uintptr_t pc) {
  for (int i = 0; i < modules_count; ++i) {
    const Module& module = modules[static_cast<size_t>(i)];
    if (pc >= module.begin && pc < module.end) return &module;
  }
  return nullptr;
}

// One line of the report; formatted by hand, because printf is not async-signal-safe.
class Line {
 public:
  Line& Text(const char* text) {
    while (*text != '\0' && size_ < sizeof(bytes_)) bytes_[size_++] = *text++;
    return *this;
  }
  Line& Number(uint64_t value, unsigned base) {
    char digits[20];
    int count = 0;
    do {
      digits[count++] = "0123456789abcdef"[value % base];
      value /= base;
    } while (value != 0);
    while (count > 0 && size_ < sizeof(bytes_)) bytes_[size_++] = digits[--count];
    return *this;
  }
  void Write(int fd) {
    size_t done = 0;
    while (done < size_) {
      const ssize_t wrote = write(fd, bytes_ + done, size_ - done);
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote <= 0) return;
      done += static_cast<size_t>(wrote);
    }
  }

 private:
  char bytes_[kModulePathMax + 80];
  size_t size_ = 0;
};

void WriteFrame(uintptr_t pc) {
  const Module* module = FindModule(pc);
  Line line;
  line.Text("frame ").Number(pc, 16).Text(" ").Number(module == nullptr ? 0 : pc - module->base, 16).Text(" ");
  line.Text(module == nullptr ? "?" : module->path).Text("\n").Write(crash_fd);
}

// False when the address is not readable: the stack may be the thing that is broken.
bool ReadWord(uintptr_t address, uintptr_t* word) {
  iovec local{word, sizeof(*word)};
  iovec remote{reinterpret_cast<void*>(address), sizeof(*word)};
  return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == static_cast<ssize_t>(sizeof(*word));
}

struct Registers {
  uintptr_t pc;
  uintptr_t sp;
  uintptr_t fp;
};

Registers RegistersOf(const ucontext_t* context) {
#if defined(__x86_64__)
  return {static_cast<uintptr_t>(context->uc_mcontext.gregs[REG_RIP]),
          static_cast<uintptr_t>(context->uc_mcontext.gregs[REG_RSP]),
          static_cast<uintptr_t>(context->uc_mcontext.gregs[REG_RBP])};
#else
  return {context->uc_mcontext.pc, context->uc_mcontext.sp, context->uc_mcontext.regs[29]};
#endif
}

struct Walk {
  uintptr_t from_pc;  // frames before this one are the handler's own
  bool begun = false;
  int frames = 0;
};

_Unwind_Reason_Code OnUnwoundFrame(_Unwind_Context* context, void* argument) {
  Walk& walk = *static_cast<Walk*>(argument);
  int before_instruction = 0;
  const uintptr_t pc = _Unwind_GetIPInfo(context, &before_instruction);
  if (pc == walk.from_pc) {
    walk.begun = true;
  } else if (walk.begun && pc != 0) {
    // A return address is behind its call: step back so that the line is the call's.
    WriteFrame(before_instruction != 0 ? pc : pc - 1);
    ++walk.frames;
  }
  return walk.frames < kCrashFramesMax ? _URC_NO_REASON : _URC_END_OF_STACK;
}

// For a pc without unwind information, such as a call of a null pointer.
void WalkFramePointers(const Registers& registers) {
  uintptr_t return_address = 0;
  if (FindModule(registers.pc) == nullptr && ReadWord(registers.sp, &return_address) && FindModule(return_address)) {
    WriteFrame(return_address - 1);
  }
  uintptr_t frame = registers.fp;
  for (int i = 0; i < kCrashFramesMax; ++i) {
    uintptr_t next = 0;
    if (!ReadWord(frame, &next) || !ReadWord(frame + sizeof(uintptr_t), &return_address)) return;
    if (FindModule(return_address) == nullptr) return;
    WriteFrame(return_address - 1);
    if (next <= frame) return;
    frame = next;
  }
}

// Last, because it reads memory that the crash may have spoiled.
void WritePlace() {
  const CrashPlace place = crash_place;
  if (place.task != nullptr) Line().Text("task ").Text(place.task).Text("\n").Write(crash_fd);
  if (place.where == nullptr || place.name_of == nullptr) return;
  Line().Text("operator ").Text(place.name_of(place.where)).Text("\n").Write(crash_fd);
}

void OnCrash(int signal_number, siginfo_t* info, void* context) {
  if (!crashed.exchange(true)) {  // the first thread that crashes tells its story; a crash in here ends it at once
    const Registers registers = RegistersOf(static_cast<const ucontext_t*>(context));
    Line line;
    line.Text("signal ").Number(static_cast<uint64_t>(signal_number), 10).Text(" ");
    line.Number(static_cast<uint32_t>(info->si_code), 10).Text(" ");
    line.Number(reinterpret_cast<uintptr_t>(info->si_addr), 16).Text("\n").Write(crash_fd);
    WriteFrame(registers.pc);
    Walk walk{registers.pc};
    if (FindModule(registers.pc) != nullptr) _Unwind_Backtrace(OnUnwoundFrame, &walk);
    if (walk.frames == 0) WalkFramePointers(registers);
    WritePlace();
  }
  signal(signal_number, SIG_DFL);
  raise(signal_number);  // is delivered when this handler returns
}

// Loads the unwinder now: its first use may allocate.
_Unwind_Reason_Code StopAtOnce(_Unwind_Context*, void*) { return _URC_END_OF_STACK; }

}  // namespace

absl::Status InstallCrashHandler(const std::string& path) {
  if (crash_fd.load() >= 0) return FailedPrecondition("the crash handler is installed already");
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return FailedPrecondition("cannot create the crash file {}: {}", path, std::strerror(errno));
  crash_fd = fd;
  dl_iterate_phdr(AddModule, nullptr);
  _Unwind_Backtrace(StopAtOnce, nullptr);
  // Lives as long as the process; volatile, so that leak checkers find it.
  [[maybe_unused]] static const ThreadCrashStack* volatile main_stack = nullptr;
  main_stack = new ThreadCrashStack();
  struct sigaction action {};
  action.sa_sigaction = OnCrash;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  for (const int signal_number : kSignals) sigaction(signal_number, &action, nullptr);
  return absl::OkStatus();
}

ThreadCrashStack::ThreadCrashStack() : memory_(new char[kStackBytes]) {
  stack_t stack{};
  stack.ss_sp = memory_.get();
  stack.ss_size = kStackBytes;
  sigaltstack(&stack, &before_);
}

ThreadCrashStack::~ThreadCrashStack() { sigaltstack(&before_, nullptr); }

}  // namespace penstock
