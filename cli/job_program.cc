#include "cli/job_program.h"

#include <elf.h>
#include <google/protobuf/util/json_util.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "cli/child.h"
#include "runtime/core/bundle.h"
#include "runtime/core/status.h"
#include "runtime/core/version.h"

namespace penstock::cli {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int64_t kLoaderTimeoutMs = 10'000;
constexpr char kLoaderComplaint[] = "error while loading shared libraries: ";
constexpr char kGraphErrors[] = "the job graph has ";
// Parts of the C library: they belong to the kernel and machine a program runs on, and never travel with it.
constexpr std::string_view kSystemLibraries[] = {"linux-vdso.so", "ld-linux",  "libc.so",  "libm.so",
                                                 "libpthread.so", "libdl.so",  "librt.so", "libresolv.so",
                                                 "libnss_",       "libutil.so"};

std::string MachineName(uint16_t machine) {
  switch (machine) {
    case EM_X86_64:
      return "x86_64";
    case EM_AARCH64:
      return "aarch64";
    case EM_386:
      return "i386";
    case EM_ARM:
      return "arm";
    case EM_RISCV:
      return "riscv";
    default:
      return fmt::format("ELF machine {}", machine);
  }
}

// A directory that goes with its content.
class ScratchFolder {
 public:
  ScratchFolder() {
    std::string pattern = (fs::temp_directory_path() / "penstock-plan-XXXXXX").string();
    if (mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string LastLines(const std::string& text) {
  constexpr size_t kShownBytes = 4000;
  std::string tail = text.size() > kShownBytes ? "..." + text.substr(text.size() - kShownBytes) : text;
  while (!tail.empty() && tail.back() == '\n') tail.pop_back();
  return tail;
}

absl::Status CheckOutcome(const PlanRequest& request, const ChildResult& result) {
  const std::string said = result.err.empty() ? "" : "; it said:\n" + LastLines(result.err);
  if (result.timed_out) {
    return FailedPrecondition("'{} plan' did not end within {} ms{}", request.program, request.timeout_ms, said);
  }
  if (result.signal != 0) {
    return FailedPrecondition("'{} plan' crashed with signal {} ({}){}", request.program, result.signal,
                              strsignal(result.signal), said);
  }
  if (const size_t at = result.err.find(kLoaderComplaint); result.exit_code == 127 && at != std::string::npos) {
    const size_t name = at + std::strlen(kLoaderComplaint);
    return FailedPrecondition("'{}' can't be loaded here: {}", request.program,
                              result.err.substr(name, result.err.find('\n', name) - name));
  }
  if (result.exit_code != 0) {
    // A job program that refuses its own graph says so itself.
    const bool knows_plans = result.err.find(kGraphErrors) != std::string::npos;
    return FailedPrecondition("'{} plan' failed with exit code {}{}{}", request.program, result.exit_code,
                              knows_plans ? "" : " (is it a job program, made with PENSTOCK_JOB?)", said);
  }
  return absl::OkStatus();
}

absl::StatusOr<Plan> ReadPlan(const PlanRequest& request, const ChildResult& result) {
  Plan plan{.json = json::parse(result.out, nullptr, false), .graph = {}, .messages = result.err};
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  const bool graph_like = plan.json.is_object() && (plan.json.contains("vertices") || plan.json.contains("name"));
  if (!graph_like || !google::protobuf::util::JsonStringToMessage(result.out, &plan.graph, options).ok() ||
      plan.graph.vertices_size() == 0) {
    return FailedPrecondition("'{}' is no job program: its 'plan' printed no job graph (build it with PENSTOCK_JOB)",
                              request.program);
  }
  return plan;
}

}  // namespace

absl::Status CheckProgram(const std::string& path) {
  std::error_code error;
  if (!fs::exists(path, error)) return FailedPrecondition("'{}' does not exist", path);
  if (!fs::is_regular_file(path, error)) return FailedPrecondition("'{}' is no file", path);
  Elf64_Ehdr header{};
  std::ifstream file(path, std::ios::binary);
  file.read(reinterpret_cast<char*>(&header), sizeof(header));
  if (!file || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
    return FailedPrecondition("'{}' is no executable program (not ELF): a job is a compiled program", path);
  }
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN) {
    return FailedPrecondition("'{}' is an object or core file, not a program", path);
  }
  if (const std::string machine = MachineName(header.e_machine); machine != kMachine) {
    return FailedPrecondition("'{}' is a program for {}, this machine is {}", path, machine, kMachine);
  }
  if (access(path.c_str(), X_OK) != 0) return FailedPrecondition("'{}' is not executable; chmod +x it", path);
  return absl::OkStatus();
}

absl::StatusOr<Plan> MakePlan(const PlanRequest& request) {
  ScratchFolder scratch;
  ChildSpec child{.command = {request.program, "plan"}, .timeout_ms = request.timeout_ms};
  if (LooksLikeBundle(request.program)) {
    PENSTOCK_RETURN_IF_ERROR(ExtractBundle(request.program, scratch.path()).status());
    child.command[0] = scratch.path() + "/" + kBundleProgram;
    child.environment["LD_LIBRARY_PATH"] = scratch.path() + "/lib";
  }
  PENSTOCK_RETURN_IF_ERROR(CheckProgram(child.command[0]));
  // On standard input: a command line can be read by every user of the machine.
  child.input =
      json{{"arguments", request.arguments}, {"parallelism", request.parallelism}, {"key_groups", request.key_groups}}
          .dump();
  child.command[0] = fs::absolute(child.command[0]).string();
  PENSTOCK_ASSIGN_OR_RETURN(const ChildResult result, RunChild(child));
  PENSTOCK_RETURN_IF_ERROR(CheckOutcome(request, result));
  return ReadPlan(request, result);
}

absl::StatusOr<std::vector<Library>> FindLibraries(const std::string& program) {
  PENSTOCK_RETURN_IF_ERROR(CheckProgram(program));
  // The loader prints what it would load in place of running the program: what ldd does.
  PENSTOCK_ASSIGN_OR_RETURN(const ChildResult result, RunChild({.command = {fs::absolute(program).string()},
                                                                .environment = {{"LD_TRACE_LOADED_OBJECTS", "1"}},
                                                                .timeout_ms = kLoaderTimeoutMs}));
  std::vector<Library> libraries;
  std::istringstream lines(result.out);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name;
    std::string arrow;
    std::string path;
    words >> name >> arrow >> path;
    if (arrow != "=>") continue;
    if (path == "not") return FailedPrecondition("'{}' needs {}, which this machine lacks", program, name);
    const bool system = std::any_of(std::begin(kSystemLibraries), std::end(kSystemLibraries),
                                    [&](std::string_view prefix) { return name.starts_with(prefix); });
    if (!system) libraries.push_back({name, path});
  }
  return libraries;
}

}  // namespace penstock::cli
