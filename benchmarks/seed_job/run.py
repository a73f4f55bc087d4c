#!/usr/bin/env python3
"""The seed job as a benchmark: events per second on one core, with the broker on the other.

  benchmarks/seed_job/run.py [--events 4000000] [--engine cluster|alone] [--json FILE]
  benchmarks/seed_job/run.py --skip-bare --compare memory,rocksdb-1s [--rounds 2]

Starts a real Kafka pinned to core 1, preloads the events, runs the bare loops (what a core can do without an engine)
and then the job, pinned to core 0: as a cluster (JobManager, one TaskManager, submitted through the CLI) or alone (the
job program on its own). The output is compared with the independent count. Two rates are printed:
  submit to last row    all events / time from the submit command to the last output row at the broker
  first to last row     the events after the first window / time from the first output row to the last
--compare runs variants of the job in turn, each with a cluster and an output topic of its own, and prints their ratios to the
first one (medians of the rounds).
"""
import argparse
import json
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
KAFKA = os.path.join(ROOT, "tests", "support", "kafka", "kafka.py")
TICKS = os.sysconf("SC_CLK_TCK")
START_DEADLINE_S = 30
POLL_S = 0.2

# name: (delivery, checkpoint interval or None, configuration)
VARIANTS = {
    "memory": ("at-least-once", None, []),
    "memory-1s": ("at-least-once", "1 s", ["state.backend.type=hashmap"]),
    "memory-100ms": ("at-least-once", "100 ms", ["state.backend.type=hashmap"]),
    "rocksdb-alo-1s": ("at-least-once", "1 s", []),
    "rocksdb-alo-100ms": ("at-least-once", "100 ms", []),
    "memory-eo-1s": ("exactly-once", "1 s", ["state.backend.type=hashmap"]),
    "rocksdb-1s": ("exactly-once", "1 s", []),
    "rocksdb-100ms": ("exactly-once", "100 ms", []),
}


def fail(text):
    raise SystemExit(f"run.py: {text}")


def find(build, name):
    """The program of that name in the build directory."""
    for folder, _, files in os.walk(build):
        path = os.path.join(folder, name)
        if name in files and os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    fail(f"{name} is not in {build}: build it first (cmake --build --preset release)")


def run(*command, capture=False, cpu=None):
    prefix = ["taskset", "-c", str(cpu)] if cpu is not None else []
    done = subprocess.run(prefix + list(command), stdout=subprocess.PIPE if capture else None, text=True)
    if done.returncode != 0:
        fail(f"{' '.join(command)} ended with {done.returncode}")
    return done.stdout


class Processes:
    """What this script started, ended in reverse order by pid."""

    def __init__(self, log_dir):
        self.log_dir = log_dir
        self.started = []

    def start(self, name, command, cpu, env=None):
        log = open(os.path.join(self.log_dir, name + ".log"), "wb")
        process = subprocess.Popen(["taskset", "-c", str(cpu)] + command, stdin=subprocess.DEVNULL, stdout=log,
                                   stderr=log, env=env, cwd=self.log_dir)
        self.started.append((name, process))
        return process

    def stop(self):
        for _, process in reversed(self.started):
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                try:
                    process.wait(timeout=20)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
        self.started = []


def stat_fields(pid):
    with open(f"/proc/{pid}/stat") as file:
        return file.read().rsplit(")", 1)[1].split()


def family(pids):
    """Those processes and all that come from them."""
    parents = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                parents[int(entry)] = int(stat_fields(entry)[1])
            except OSError:
                pass
    members = set(pids)
    grown = True
    while grown:
        grown = {child for child, parent in parents.items() if parent in members} - members
        members |= grown
    return members


def usage(pids):
    """CPU seconds and the sum of the peak RSS in MB of those processes and their children."""
    cpu, rss = 0.0, 0.0
    for pid in family(pids):
        try:
            fields = stat_fields(pid)
            cpu += (int(fields[11]) + int(fields[12])) / TICKS
            with open(f"/proc/{pid}/status") as file:
                for line in file:
                    if line.startswith("VmHWM:"):
                        rss += int(line.split()[1]) / 1024
        except OSError:
            pass
    return cpu, rss


def read_ports(path, process):
    deadline = time.monotonic() + START_DEADLINE_S
    while not os.path.exists(path):
        if process.poll() is not None or time.monotonic() > deadline:
            fail(f"a process did not start; see {os.path.dirname(path)}")
        time.sleep(0.05)
    with open(path) as file:
        return dict(line.strip().split("=", 1) for line in file if "=" in line)


def start_cluster(args, processes, work):
    ports_file = os.path.join(work, "jobmanager.ports")
    env = dict(os.environ, PENSTOCK_RUN_DIR=work)
    manager = processes.start("jobmanager", [find(args.build, "penstock-jobmanager"), "-D", "rest.port=0", "-D",
                                             "jobmanager.rpc.port=0", "-D", f"io.ports-file={ports_file}"], args.cpu,
                              env)
    ports = read_ports(ports_file, manager)
    host_file = os.path.join(work, "taskmanager.ports")
    host = processes.start("taskmanager", [find(args.build, "penstock-taskmanager"), "-D",
                                           f"jobmanager.rpc.port={ports['rpc'].rsplit(':', 1)[1]}", "-D",
                                           f"taskmanager.numberOfTaskSlots={args.parallelism}", "-D",
                                           f"taskmanager.tmp.dir={work}/taskmanager", "-D",
                                           f"io.ports-file={host_file}"], args.cpu, env)
    read_ports(host_file, host)
    return [manager.pid, host.pid], ports["rest"], env


def submit(args, processes, work, brokers, output):
    """Starts the job; returns the pids whose use counts and the time of submission in ms."""
    job = find(args.build, "realtime_aggregator")
    arguments = ["--brokers", brokers, "--output", output, "--delivery", args.delivery]
    if args.engine == "alone":
        submitted_ms = time.time() * 1000
        process = processes.start("job", [job, "-p", str(args.parallelism)] + arguments, args.cpu)
        return [process.pid], submitted_ms
    pids, rest, env = start_cluster(args, processes, work)
    submitted_ms = time.time() * 1000
    config = [f"-D{entry}" for entry in args.config]
    if args.checkpoints:
        config += [f"-Dexecution.checkpointing.dir={work}/checkpoints",
                   f"-Dexecution.checkpointing.interval={args.checkpoints}"]
    command = [find(args.build, "penstock"), "run", "-d", "-p", str(args.parallelism), "-m", rest] + config + [
        job, "--"] + arguments
    done = subprocess.run(["taskset", "-c", str(args.cpu)] + command, env=env)
    if done.returncode != 0:
        fail(f"submitting the job failed with {done.returncode}; logs in {work}")
    return pids, submitted_ms


def await_output(args, events_tool, brokers, output, expected_rows, processes):
    deadline = time.monotonic() + args.timeout
    while time.monotonic() < deadline:
        rows = int(run(events_tool, "count", "--brokers", brokers, "--topic", output, capture=True,
                       cpu=args.broker_cpu).split()[1])
        if rows >= expected_rows:
            return
        for name, process in processes.started:
            if process.poll() is not None:
                fail(f"{name} ended with {process.returncode}; logs in {processes.log_dir}")
        time.sleep(POLL_S)
    fail(f"{rows} of {expected_rows} rows after {args.timeout} s; logs in {processes.log_dir}")


def run_job(args, events_tool, brokers, expected, work, name):
    output = f"sessions-aggregated-{name}"
    os.makedirs(work)
    run(events_tool, "create", "--brokers", brokers, "--topic", output, "--partitions", "4")
    with open(expected) as file:
        expected_rows = sum(1 for _ in file)
    processes = Processes(work)
    try:
        pids, submitted_ms = submit(args, processes, work, brokers, output)
        await_output(args, events_tool, brokers, output, expected_rows, processes)
        cpu, rss = usage(pids)
        figures_file = os.path.join(work, "verify.json")
        repeats = ["--at-least-once"] if args.delivery == "at-least-once" else []
        verified = subprocess.run([events_tool, "verify", "--brokers", brokers, "--expected", expected, "--topic",
                                   output, "--json", figures_file] + repeats)
        with open(figures_file) as file:
            figures = json.load(file)
        total_s = (figures["last_row_ms"] - submitted_ms) / 1000
        rows_s = max(0.001, (figures["last_row_ms"] - figures["first_row_ms"]) / 1000)
        return {
            "mode": f"penstock {args.engine}, parallelism {args.parallelism}" if name == "job" else name,
            "events": args.events,
            "seconds": total_s,
            "events_per_s": args.events / total_s,
            "events_per_s_first_to_last_row": args.events * (args.windows - 1) / args.windows / rows_s,
            "cpu_seconds": cpu,
            "events_per_cpu_s": args.events / cpu,
            "rss_mb": rss,
            "rows": figures["rows"],
            "checksum": figures["checksum"],
            "equal": verified.returncode == 0,
        }
    finally:
        processes.stop()


def bare_loops(args, brokers):
    rows = []
    for mode in ("consume", "source", "parse", "count"):
        text = run(find(args.build, "bare_loop"), "--brokers", brokers, "--mode", mode, capture=True, cpu=args.cpu)
        row = json.loads(text)
        row["mode"] = f"bare loop: {mode}"
        row["events_per_s"] = row["events"] / row["seconds"]
        row["events_per_cpu_s"] = row["events"] / row["cpu_seconds"]
        rows.append(row)
    return rows


def compare(args, events_tool, brokers, expected, work):
    """Every variant once per round; prints a line for each run and the medians as ratios to the first variant."""
    names = args.compare.split(",")
    unknown = [name for name in names if name not in VARIANTS]
    if unknown:
        fail(f"no variant is called {unknown[0]}; there are {', '.join(VARIANTS)}")
    rows = []
    for number in range(args.rounds):
        for name in names:
            args.delivery, args.checkpoints, args.config = VARIANTS[name]
            rows.append(run_job(args, events_tool, brokers, expected, os.path.join(work, f"{name}-{number}"),
                                f"{name}-{number}"))
            rows[-1]["mode"] = name
    show(rows)
    print(f"\n{'medians of ' + str(args.rounds):36}{'events/s':>12}{'ratio':>8}{'per CPU-s':>12}{'ratio':>8}")
    first = None
    for name in names:
        rate, per_cpu = (statistics.median(row[key] for row in rows if row["mode"] == name)
                         for key in ("events_per_s", "events_per_cpu_s"))
        first = first or (rate, per_cpu)
        print(f"{name:36}{rate:12,.0f}{rate / first[0]:8.2f}{per_cpu:12,.0f}{per_cpu / first[1]:8.2f}")
    return rows


def show(rows):
    print(f"\n{'':36}{'events/s':>12}{'per CPU-s':>12}{'seconds':>9}{'CPU s':>8}{'RSS MB':>8}{'rows':>10}")
    for row in rows:
        print(f"{row['mode']:36}{row['events_per_s']:12,.0f}{row['events_per_cpu_s']:12,.0f}{row['seconds']:9.2f}"
              f"{row['cpu_seconds']:8.2f}{row['rss_mb']:8.0f}{row['rows']:10}")
    last = rows[-1]
    if "checksum" in last:
        print(f"\nfirst to last row: {last['events_per_s_first_to_last_row']:,.0f} events/s; "
              f"checksum {last['checksum']}; output {'EQUAL' if last['equal'] else 'DIFFERENT'}")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--events", type=int, default=4_000_000)
    parser.add_argument("--sessions", type=int, default=100_000)
    parser.add_argument("--windows", type=int, default=12)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--parallelism", type=int, default=1)
    parser.add_argument("--engine", choices=["cluster", "alone"], default="cluster")
    parser.add_argument("--cpu", type=int, default=0, help="core of the engine")
    parser.add_argument("--broker-cpu", type=int, default=1)
    parser.add_argument("--build", default=os.path.join(ROOT, "build", "release"))
    parser.add_argument("--checkpoints", metavar="INTERVAL", help="take checkpoints, such as every '1 s'")
    parser.add_argument("--config", metavar="KEY=VALUE", action="append", default=[], help="of the job; cluster only")
    parser.add_argument("--delivery", choices=["at-least-once", "exactly-once"], default="at-least-once")
    parser.add_argument("--compare", metavar="VARIANT,...", help=f"of {', '.join(VARIANTS)}; cluster only")
    parser.add_argument("--rounds", type=int, default=1, help="of --compare")
    parser.add_argument("--skip-bare", action="store_true")
    parser.add_argument("--timeout", type=float, default=300, help="seconds for the job's output")
    parser.add_argument("--json", help="file for the figures")
    parser.add_argument("--keep-logs", action="store_true")
    return parser.parse_args()


def main():
    args = parse_arguments()
    events_tool = find(args.build, "penstock-events")
    work = tempfile.mkdtemp(prefix="penstock-bench-")
    broker_dir = os.path.join(work, "kafka")
    rows, ok = [], False
    try:
        brokers = run(KAFKA, "start", "--dir", broker_dir, "--cpu", str(args.broker_cpu), "--heap", "1g",
                      capture=True).strip()
        expected = os.path.join(work, "expected")
        run(events_tool, "publish", "--brokers", brokers, "--create", str(args.partitions), "--count",
            str(args.events), "--sessions", str(args.sessions), "--windows", str(args.windows), "--expected", expected)
        if not args.skip_bare:
            rows += bare_loops(args, brokers)
        if args.compare:
            rows += compare(args, events_tool, brokers, expected, work)
        else:
            rows.append(run_job(args, events_tool, brokers, expected, os.path.join(work, "job"), "job"))
            show(rows)
        ok = all(row.get("equal", True) for row in rows)
        if args.json:
            with open(args.json, "w") as file:
                json.dump(rows, file, indent=2)
    finally:
        subprocess.run([KAFKA, "stop", "--dir", broker_dir])
        if ok and not args.keep_logs:
            shutil.rmtree(work, ignore_errors=True)
        else:
            print(f"logs are in {work}", file=sys.stderr)
    sys.exit(0 if ok else 1)


if __name__ == "__main__":
    main()
