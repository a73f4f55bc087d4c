#!/usr/bin/env python3
"""A real S3 server (Versity Gateway over a folder) on a free loopback port, for tests.

  s3.py fetch                               build it into the cache, once, from the Go module proxy
  s3.py run --dir D [--port-file F]         in the foreground until SIGTERM, with an empty bucket named "penstock"

A directory that was used before is served again, at its old port. --port-file receives HOST:PORT once the server
answers. --with-parent ends it when the caller dies. Keys: ACCESS_KEY and SECRET_KEY below.
"""
import argparse
import ctypes
import fcntl
import glob
import http.client
import json
import os
import platform
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

MODULE = "github.com/versity/versitygw/cmd/versitygw"
VERSION = "v1.8.0"
GO_NEEDED = (1, 25)
GO_FETCHED = "go1.25.0"  # by an older Go, such as Debian's
GO_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
ACCESS_KEY = "penstock-test"
SECRET_KEY = "penstock-test-secret"
BUCKET = "penstock"
START_DEADLINE_S = 60
START_ATTEMPTS_MAX = 3  # a port chosen free may be taken by another process before the server binds it
STOP_DEADLINE_S = 20
PR_SET_PDEATHSIG = 1


def fail(text):
    print(f"s3.py: {text}", file=sys.stderr)
    sys.exit(1)


def cache_dir():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(base, "penstock", f"s3-{VERSION}")


def run_go(go, *arguments, **environment):
    # The module cache stays writable, so that the folder can be removed again.
    done = subprocess.run([go, *arguments], stdout=subprocess.PIPE, text=True,
                          env=dict(os.environ, GOFLAGS="-modcacherw", GOTOOLCHAIN="local", **environment))
    if done.returncode != 0:
        fail(f"`{os.path.basename(go)} {' '.join(arguments)}` ended with {done.returncode}; see the lines above")
    return done.stdout


def go_program(root):
    """A Go that is new enough. An older one brings the newer one, which is a module of the proxy like any other."""
    go = shutil.which("go")
    if not go:
        fail("Go is missing (apt install golang-go); it builds the S3 server from its module")
    version = re.search(r"go(\d+)\.(\d+)", run_go(go, "env", "GOVERSION"))
    if version and (int(version[1]), int(version[2])) >= GO_NEEDED:
        return go
    toolchain = os.path.join(root, GO_FETCHED)
    if not os.path.isdir(toolchain):
        architecture = GO_ARCHITECTURES.get(platform.machine())
        if not architecture:
            fail(f"no Go {GO_FETCHED} is published for {platform.machine()}: install Go {GO_NEEDED} or newer")
        module = f"golang.org/toolchain@v0.0.1-{GO_FETCHED}.linux-{architecture}"
        unpacked = json.loads(run_go(go, "mod", "download", "-json", module, GOPATH=os.path.join(root, "path")))["Dir"]
        partial = toolchain + ".partial"
        shutil.rmtree(partial, ignore_errors=True)
        shutil.copytree(unpacked, partial)
        # A module holds neither modes nor nested go.mod files.
        for path in glob.glob(f"{partial}/bin/*") + glob.glob(f"{partial}/pkg/tool/*/*"):
            os.chmod(path, 0o755)
        for path in glob.glob(f"{partial}/**/_go.mod", recursive=True):
            os.rename(path, os.path.join(os.path.dirname(path), "go.mod"))
        os.rename(partial, toolchain)
    return os.path.join(toolchain, "bin", "go")


def fetch():
    """The server's program; builds it when it is not there. Safe to run many at a time."""
    root = cache_dir()
    program = os.path.join(root, "versitygw")
    os.makedirs(root, exist_ok=True)
    with open(os.path.join(root, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.isfile(program):
            return program
        built = os.path.join(root, "built")
        run_go(go_program(root), "install", f"{MODULE}@{VERSION}", GOBIN=built, CGO_ENABLED="0")
        os.rename(os.path.join(built, "versitygw"), program)
        for leftover in ("path", GO_FETCHED, "built"):
            shutil.rmtree(os.path.join(root, leftover), ignore_errors=True)
    return program


def choose_port(directory):
    path = os.path.join(directory, "port")
    if not os.path.exists(path):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            with open(path, "w") as file:
                file.write(str(free.getsockname()[1]))
    with open(path) as file:
        return int(file.read())


def answers(port):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        connection.request("GET", "/")
        return connection.getresponse().status in (200, 403)
    except OSError:
        return False


def die_with_parent(sig):
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, sig)


def launch(directory, program):
    """Starts the server and waits until it answers. Returns the process and its port."""
    data = os.path.join(directory, "data")
    restarted = os.path.isdir(data)
    os.makedirs(os.path.join(data, BUCKET), exist_ok=True)  # a bucket is a folder
    log_path = os.path.join(directory, "s3.log")
    # Attributes beside the data: not every file system has extended ones.
    attributes = os.path.join(directory, "attributes")
    os.makedirs(attributes, exist_ok=True)
    for attempt in range(START_ATTEMPTS_MAX):
        port = choose_port(directory)
        with open(log_path, "ab") as log:
            process = subprocess.Popen(
                [program, "--port", f"127.0.0.1:{port}", "--quiet", "--keep-alive", "posix", "--sidecar", attributes,
                 data], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd=directory,
                env=dict(os.environ, ROOT_ACCESS_KEY=ACCESS_KEY, ROOT_SECRET_KEY=SECRET_KEY),
                preexec_fn=lambda: die_with_parent(signal.SIGKILL))
        deadline = time.monotonic() + START_DEADLINE_S
        while process.poll() is None and time.monotonic() < deadline:
            if answers(port):
                return process, port
            time.sleep(0.05)
        if process.poll() is None:
            process.kill()
            process.wait()
        with open(log_path, errors="replace") as log:
            tail = log.read()[-3000:]
        if "address already in use" not in tail or restarted or attempt + 1 == START_ATTEMPTS_MAX:
            fail(f"the server did not come up (exit code {process.returncode}); end of {log_path}:\n{tail}")
        os.remove(os.path.join(directory, "port"))
    raise AssertionError("unreachable")


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
        os.makedirs(args.dir, exist_ok=True)
        process, port = launch(os.path.abspath(args.dir), fetch())
        if args.port_file:
            with open(args.port_file + ".partial", "w") as file:
                file.write(f"127.0.0.1:{port}\n")
            os.rename(args.port_file + ".partial", args.port_file)
        else:
            print(f"127.0.0.1:{port}", flush=True)
        code = process.wait()
        fail(f"the server ended by itself with {code}")
    finally:
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(timeout=STOP_DEADLINE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("fetch")
    runner = commands.add_parser("run")
    runner.add_argument("--dir", required=True)
    runner.add_argument("--port-file")
    runner.add_argument("--with-parent", action="store_true")
    args = parser.parse_args()
    if args.command == "fetch":
        print(fetch())
    else:
        run(args)


if __name__ == "__main__":
    main()
