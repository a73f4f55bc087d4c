#!/usr/bin/env python3
"""The style rules that a program can check, over the files git knows. Prints each finding as path:line: text."""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FILE_LINES_MAX = 600
FUNCTION_LINES_MAX = 70
# A structured binding cannot take a pack: one branch per number of members.
# The table of configuration keys is one expression.
LONG_FUNCTIONS = {("runtime/record/reflect.h", "VisitMembers"), ("runtime/core/config_keys.cc", "ConfigKeys()")}
LINE_CHARS_MAX = 120

# Who may include whom: docs/ARCHITECTURE.md. The contract headers of task stand for themselves.
# schema is the part of state that needs no RocksDB.
RUNTIME_BELOW_TASK = {"schema", "core", "metrics", "graph", "record", "exchange", "time", "state", "checkpoint"}
CONTRACT = {"operator.h", "operator_state.h", "source.h", "sink.h", "function_context.h", "factories.h", "attempt_origin.h", "sink_log.h",
            "committer.h", "two_phase_sink.h", "sink_admin.h"}
MAY_INCLUDE = {
    "proto": set(),
    "runtime/core": set(),
    "runtime/metrics": {"core"},
    "runtime/graph": {"core", "proto"},
    "runtime/record": {"core"},
    "runtime/exchange": {"core", "metrics", "record"},
    "runtime/time": {"core", "record"},
    "runtime/state": {"core", "record", "schema"},
    "runtime/checkpoint": {"core", "record", "proto", "schema"},
    "runtime/operators": {"schema", "core", "metrics", "record", "time", "state", "exchange", "graph", "checkpoint", "contract"},
    "runtime/task": RUNTIME_BELOW_TASK | {"contract", "proto"},
    "api": {"core", "metrics", "record", "time", "operators", "graph", "contract"},
    "connectors": {"core", "metrics", "record", "contract", "api"},
    "jobmanager": {"core", "metrics", "graph", "checkpoint", "proto", "jobmanager"},
    "taskmanager/host": {"core", "metrics", "proto", "taskmanager"},
    "taskmanager/rpc": {"core", "proto", "taskmanager"},
    "taskmanager/worker": RUNTIME_BELOW_TASK | {"task", "contract", "proto", "taskmanager"},
    "taskmanager/program": RUNTIME_BELOW_TASK | {"task", "contract", "proto", "taskmanager", "jobmanager", "api"},
    "cli": {"core", "graph", "checkpoint", "proto", "cli"},
}
# What stands for time, chance and locks elsewhere, and where the real thing is allowed.
BANNED = [
    (r"\b(system_clock|steady_clock|high_resolution_clock)::now\(", "use runtime/core/clock.h", {"runtime/core/clock.cc"}),
    (r"\bsleep_for\(|\busleep\(|\bnanosleep\(", "wait for a condition instead of sleeping", 
     {"tests/support/kafka_fixture.cc", "tests/support/database_fixture.cc", "tests/support/s3_fixture.cc",
      "tests/support/registry_fixture.cc", "tests/system/jobs/slow.cc", "examples/async_enrichment/directory.cc"}),
    (r"\babsl::Mutex\b", "use runtime/core/mutex.h", set()),
    (r"\bstd::mutex\b", "use runtime/core/mutex.h", {"runtime/core/mutex.h", "examples/async_enrichment/directory.h",
      "examples/async_enrichment/directory.cc"}),
    (r"\brand\(\)|\bsrand\(", "use a seeded engine that is passed in", set()),
    (r"\b(TODO|FIXME|XXX|HACK)\b", "finish it or write it into an issue", set()),
    (r"std::cout\b", "log, or print in a main", set()),
]
THIRD_PARTY = [
    (r"#include <(grpcpp|grpc)/", ("runtime/exchange", "jobmanager/rpc", "taskmanager/rpc"), "gRPC stays in rpc/ and exchange"),
    (r"#include <rocksdb/", ("runtime/state", "benchmarks"), "RocksDB stays in state"),
    (r"#include <librdkafka/", ("connectors/kafka", "benchmarks"), "librdkafka stays in connectors/kafka"),
    (r"#include <spdlog/", ("runtime/core",), "spdlog stays in core/log"),
    (r"#include <boost/", ("runtime/core/http",), "Boost.Beast stays in core/http"),
    (r"#include <curl/", ("runtime/core/storage", "connectors/webhook", "connectors/schema_registry"),
     "libcurl stays in core/storage, connectors/webhook and connectors/schema_registry"),
    (r"#include <libpq", ("connectors/postgres",), "libpq stays in connectors/postgres"),
    (r"#include <hiredis/", ("connectors/redis",), "hiredis stays in connectors/redis"),
    (r"#include <pugixml", ("runtime/core/storage",), "pugixml stays in core/storage"),
    (r"#include <simdjson", ("connectors/formats/json", "examples", "benchmarks"), "simdjson stays in connectors/formats/json"),
    (r"#include <httplib", ("cli",), "httplib stays in cli"),
]

findings = []


def found(path, line, text):
    findings.append(f"{path}:{line}: {text}")


def tracked(*suffixes):
    out = subprocess.run(["git", "ls-files", "--cached", "--others", "--exclude-standard"], cwd=ROOT, check=True,
                         capture_output=True, text=True).stdout
    return [p for p in out.split("\n") if p.endswith(suffixes) and (ROOT / p).is_file()]


def folder_of(path):
    """The folder a file counts as in the include table, or None."""
    for length in (2, 1):
        folder = "/".join(path.split("/")[:length])
        if folder in MAY_INCLUDE:
            return folder
    return None


def target_of(include):
    """What an include counts as on the right side of the table."""
    parts = include.split("/")
    if parts[0] == "penstock":
        return "contract" if parts[-1] in ("source.h", "sink.h") else "api"
    if parts[0] == "runtime" and len(parts) > 2:
        if parts[1] == "state" and parts[-1] in ("schema.h", "schema_resolver.h"):
            return "schema"
        return "contract" if parts[1] == "task" and parts[-1] in CONTRACT else parts[1]
    if parts[0] in ("proto", "jobmanager", "taskmanager", "cli", "connectors", "examples"):
        return parts[0]
    return None


def check_includes(path, lines):
    folder = folder_of(path)
    is_test = path.endswith("_test.cc") or "fixture" in path or "/testing/" in path
    if folder is None or is_test or "/devbroker/" in path:
        return
    own = folder.split("/")[-1]
    for number, line in enumerate(lines, 1):
        match = re.match(r'#include ["<]([^">]+)[">]', line)
        if not match:
            continue
        target = target_of(match.group(1))
        same = target == own or (target == folder.split("/")[0])
        if target and not same and target not in MAY_INCLUDE[folder]:
            found(path, number, f"{folder} may not include {match.group(1)} (docs/ARCHITECTURE.md has the table)")


def check_text(path, lines):
    if len(lines) > FILE_LINES_MAX:
        found(path, 1, f"{len(lines)} lines; at most {FILE_LINES_MAX}: one file, one idea")
    is_test = path.endswith("_test.cc") or path.startswith("tests/")
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_CHARS_MAX:
            found(path, number, f"{len(line)} characters; at most {LINE_CHARS_MAX}")
        code = line.split("//")[0] if "TODO" not in line else line
        for pattern, advice, allowed in BANNED:
            if re.search(pattern, code) and path not in allowed and not (is_test and "clock" in pattern):
                found(path, number, f"{re.search(pattern, code).group(0)}: {advice}")
        for pattern, folders, advice in THIRD_PARTY:
            if re.match(pattern, line) and not path.startswith(folders):
                found(path, number, advice)


def check_functions(path, lines):
    """Function bodies, recognised by their braces in formatted code: a line that ends in ') {' or the like."""
    start = None
    indent = 0
    for number, line in enumerate(lines, 1):
        text = line.rstrip()
        opens = re.match(r"^( *)[A-Za-z~].*\)( const| noexcept| override| final|( -> [\w:<>,& *]+))* \{$", text)
        if start is None and opens and not re.match(r"^ *(if|for|while|switch|return|else|do)\b", text):
            start, indent = number, len(opens.group(1))
        elif start is not None and re.match(rf"^ {{0,{indent}}}}}$", text):  # less after a list of initializers
            exempt = any(p == path and f in lines[start - 1] for p, f in LONG_FUNCTIONS)
            if number - start - 1 > FUNCTION_LINES_MAX and not exempt and not path.endswith("_test.cc"):
                found(path, start, f"a function of {number - start - 1} lines; at most {FUNCTION_LINES_MAX}")
            start = None


def check_dead_files(sources):
    """Every .cc is named by a CMakeLists.txt, every .h included by something."""
    cmake = "\n".join((ROOT / p).read_text() for p in tracked("CMakeLists.txt", ".cmake"))
    code = "\n".join((ROOT / p).read_text() for p in sources)
    for path in sources:
        name = Path(path).name
        if path.endswith(".cc") and name not in cmake:
            found(path, 1, "no CMakeLists.txt names this file")
        if path.endswith(".h") and not re.search(rf'["/]{re.escape(name)}[">]', code):
            found(path, 1, "nothing includes this header")


def check_readmes(sources):
    for folder in sorted({str(Path(p).parent) for p in sources}):
        if not (ROOT / folder / "README.md").is_file():
            found(folder, 1, "no README.md: a few lines that say what is here")


def main():
    sources = tracked(".h", ".cc")
    for path in sources:
        lines = (ROOT / path).read_text().split("\n")
        check_includes(path, lines)
        check_text(path, lines)
        check_functions(path, lines)
    check_dead_files(sources)
    check_readmes(sources)
    print("\n".join(findings) if findings else f"tidy: {len(sources)} files, nothing found")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
