#!/usr/bin/env python3
"""A real Apache Kafka broker (KRaft, one node) on free loopback ports, for tests and benchmarks.

  kafka.py fetch                                  bring the jars into the cache, once
  kafka.py run   --dir D [--port-file F] [...]    in the foreground until SIGTERM
  kafka.py start --dir D [--port-file F] [...]    in the background; returns when the broker answers
  kafka.py stop  --dir D [--keep]                 ends it and removes D

A directory that was used before is started again with its data and its port. --port-file receives HOST:PORT once the
broker answers metadata requests. --cpu N pins the broker; --with-parent ends it when the caller dies.
"""
import argparse
import ctypes
import fcntl
import os
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time

VERSION = "4.1.1"
HERE = os.path.dirname(os.path.abspath(__file__))
START_DEADLINE_S = 120
START_ATTEMPTS_MAX = 3  # a port chosen free may be taken by another process before the broker binds it
STOP_DEADLINE_S = 20
PR_SET_PDEATHSIG = 1

CONFIG = """process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
transaction.abort.timed.out.transaction.cleanup.interval.ms=500
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
log.retention.hours=-1
log.cleaner.dedupe.buffer.size=8388608
message.max.bytes=16777216
replica.fetch.max.bytes=16777216
num.network.threads=2
num.io.threads=4
"""


def fail(text):
    print(f"kafka.py: {text}", file=sys.stderr)
    sys.exit(1)


def cache_dir():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "penstock", f"kafka-{VERSION}")


def fetch():
    """The directory of the jars; downloads them by Maven when they are not there. Safe to run many at a time."""
    root = cache_dir()
    libs = os.path.join(root, "libs")
    os.makedirs(root, exist_ok=True)
    with open(os.path.join(root, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.isdir(libs):
            return libs
        if not shutil.which("mvn"):
            fail("Maven is missing (apt install maven); it brings Apache Kafka from Maven Central")
        partial = libs + ".partial"
        shutil.rmtree(partial, ignore_errors=True)
        # A copy of the pom: Maven writes a target folder beside it.
        shutil.copy(os.path.join(HERE, "pom.xml"), os.path.join(root, "pom.xml"))
        done = subprocess.run(["mvn", "-q", "-B", "-f", os.path.join(root, "pom.xml"), "dependency:copy-dependencies",
                               "-DincludeScope=runtime", f"-DoutputDirectory={partial}"])
        if done.returncode != 0:
            fail(f"Maven could not bring Apache Kafka {VERSION} (exit code {done.returncode})")
        os.rename(partial, libs)
    return libs


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def java(libs, heap, main, *arguments):
    return ["java", f"-Xmx{heap}", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Djava.awt.headless=true",
            "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", os.path.join(libs, "*"), main, *arguments]


def prepare(directory, libs, settings):
    """Writes the configuration; formats the storage, unless that was done before. Returns the port."""
    config = os.path.join(directory, "server.properties")
    port_path = os.path.join(directory, "port")
    data = os.path.join(directory, "data")
    used_before = os.path.exists(port_path)
    if used_before:
        with open(port_path) as file:
            port, controller_port = map(int, file.read().split())
    else:
        port, controller_port = free_ports(2)
        os.makedirs(directory, exist_ok=True)
        shutil.rmtree(data, ignore_errors=True)
    with open(config, "w") as file:
        file.write(CONFIG.format(port=port, controller_port=controller_port, data=data))
        file.writelines(f"{setting}\n" for setting in settings)
    if used_before:
        return port
    formatted = subprocess.run(java(libs, "256m", "kafka.tools.StorageTool", "format", "-t", "MkU3OEVBNTcwNTJENDM2Qg",
                                    "-c", config), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if formatted.returncode != 0:
        fail(f"formatting the storage failed:\n{formatted.stdout}")
    with open(port_path, "w") as file:
        file.write(f"{port} {controller_port}")
    return port


def answers(port):
    """True when a metadata request (version 4) is answered with at least one broker."""
    body = struct.pack(">hhih", 3, 4, 1, -1) + struct.pack(">ib", 0, 0)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
            connection.sendall(struct.pack(">i", len(body)) + body)
            reply = b""
            while len(reply) < 16:  # length, correlation id, throttle time, number of brokers
                part = connection.recv(4096)
                if not part:
                    return False
                reply += part
            return struct.unpack(">i", reply[12:16])[0] >= 1
    except OSError:
        return False


def die_with_parent(sig):
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, sig)


def launch(args, libs):
    """Starts the broker and waits until it answers. Returns the process and its port."""
    log_path = os.path.join(args.dir, "broker.log")
    for attempt in range(START_ATTEMPTS_MAX):
        port = prepare(args.dir, libs, args.set)
        command = java(libs, args.heap, "kafka.Kafka", os.path.join(args.dir, "server.properties"))
        if args.cpu is not None:
            command = ["taskset", "-c", str(args.cpu)] + command
        with open(log_path, "ab") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       start_new_session=True, cwd=args.dir,
                                       preexec_fn=(lambda: die_with_parent(signal.SIGKILL)) if args.bound else None)
        deadline = time.monotonic() + START_DEADLINE_S
        while process.poll() is None and time.monotonic() < deadline:
            if answers(port):
                return process, port
            time.sleep(0.1)
        if process.poll() is None:
            process.kill()
            process.wait()
        with open(log_path, errors="replace") as log:
            tail = log.read()[-3000:]
        if "BindException" not in tail or args.restarted or attempt + 1 == START_ATTEMPTS_MAX:
            fail(f"the broker did not come up (exit code {process.returncode}); end of {log_path}:\n{tail}")
        os.remove(os.path.join(args.dir, "port"))
    raise AssertionError("unreachable")


def announce(args, process, port):
    with open(os.path.join(args.dir, "pid"), "w") as file:
        file.write(str(process.pid))
    if args.port_file:
        with open(args.port_file + ".partial", "w") as file:
            file.write(f"127.0.0.1:{port}\n")
        os.rename(args.port_file + ".partial", args.port_file)
    else:
        print(f"127.0.0.1:{port}", flush=True)


def run(args):
    def on_term(signum, frame):
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, on_term)
    signal.signal(signal.SIGINT, on_term)
    if args.with_parent:
        parent = os.getppid()
        die_with_parent(signal.SIGTERM)
        if os.getppid() != parent:
            sys.exit(1)
    process = None
    try:
        process, port = launch(args, fetch())
        announce(args, process, port)
        code = process.wait()
        fail(f"the broker ended by itself with exit code {code}; see {args.dir}/broker.log")
    finally:
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=STOP_DEADLINE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def start(args):
    process, port = launch(args, fetch())
    announce(args, process, port)


def is_our_broker(pid):
    try:
        with open(f"/proc/{pid}/cmdline") as file:
            return "kafka.Kafka" in file.read()
    except OSError:
        return False


def stop(args):
    pid_path = os.path.join(args.dir, "pid")
    if os.path.exists(pid_path):
        with open(pid_path) as file:
            pid = int(file.read())
        deadline = time.monotonic() + STOP_DEADLINE_S
        if is_our_broker(pid):
            os.kill(pid, signal.SIGTERM)
        while is_our_broker(pid):
            if time.monotonic() > deadline:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.1)
        os.remove(pid_path)
    if not args.keep:
        shutil.rmtree(args.dir, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("fetch")
    for name in ("run", "start"):
        each = commands.add_parser(name)
        each.add_argument("--dir", required=True)
        each.add_argument("--port-file")
        each.add_argument("--cpu", type=int)
        each.add_argument("--heap", default="512m")
        each.add_argument("--with-parent", action="store_true")
        each.add_argument("--set", action="append", default=[], metavar="key=value", help="of the broker's configuration")
    each = commands.add_parser("stop")
    each.add_argument("--dir", required=True)
    each.add_argument("--keep", action="store_true")
    args = parser.parse_args()
    if args.command == "fetch":
        print(fetch())
        return
    args.dir = os.path.abspath(args.dir)
    if args.command == "stop":
        stop(args)
        return
    args.bound = args.command == "run"
    args.restarted = os.path.exists(os.path.join(args.dir, "port"))
    (run if args.command == "run" else start)(args)


if __name__ == "__main__":
    main()
