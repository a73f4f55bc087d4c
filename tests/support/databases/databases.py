#!/usr/bin/env python3
"""A real PostgreSQL or Redis server on a free loopback port, for tests.

  databases.py run postgres|redis --dir D [--port-file F]      in the foreground until SIGTERM

A directory that was used before is served again, at its old port. --port-file receives HOST:PORT once the server
answers. --with-parent ends it when the caller dies. PostgreSQL: user, database and password are below; it is run by the
user "postgres" when the caller is root. Redis: the same password.
"""
import argparse
import ctypes
import glob
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time

NAME = "penstock"
PASSWORD = "penstock-test"
START_DEADLINE_S = 60
START_ATTEMPTS_MAX = 3  # a port chosen free may be taken by another process before the server binds it
STOP_DEADLINE_S = 20
PR_SET_PDEATHSIG = 1


def fail(text):
    print(f"databases.py: {text}", file=sys.stderr)
    sys.exit(1)


def die_with_parent(sig):
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, sig)


def choose_port(directory):
    path = os.path.join(directory, "port")
    if not os.path.exists(path):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            with open(path, "w") as file:
                file.write(str(free.getsockname()[1]))
    with open(path) as file:
        return int(file.read())


class Postgres:
    taken = "could not bind"
    stop_signal = signal.SIGINT  # ends sessions, too

    def __init__(self, directory):
        self.directory = directory
        self.data = os.path.join(directory, "postgres")
        self.user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        self.bin = next(iter(sorted(glob.glob("/usr/lib/postgresql/*/bin"), reverse=True)), None)
        if self.bin is None:
            fail("PostgreSQL is missing (apt install postgresql)")

    def as_user(self):
        die_with_parent(signal.SIGQUIT)
        if self.user:
            os.setgid(self.user.pw_gid)
            os.setuid(self.user.pw_uid)
            die_with_parent(signal.SIGQUIT)  # changing the user clears it

    def prepare(self):
        if os.path.isdir(self.data):
            return
        os.chmod(self.directory, 0o755)
        password_file = os.path.join(self.directory, "password")
        with open(password_file, "w") as file:
            file.write(PASSWORD)
        os.makedirs(self.data)
        if self.user:
            os.chown(self.data, self.user.pw_uid, self.user.pw_gid)
        made = subprocess.run([os.path.join(self.bin, "initdb"), "-D", self.data, "-U", NAME, "-A", "scram-sha-256",
                               "--pwfile", password_file, "-E", "UTF8", "--locale", "C", "--no-sync"],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, preexec_fn=self.as_user,
                              cwd="/")
        if made.returncode != 0:
            fail(f"initdb failed:\n{made.stdout}")

    def command(self, port):
        return [os.path.join(self.bin, "postgres"), "-D", self.data, "-h", "127.0.0.1", "-p", str(port), "-k", "",
                "-c", "fsync=off", "-c", "shared_buffers=16MB"]

    def answers(self, port):
        ready = subprocess.run([os.path.join(self.bin, "pg_isready"), "-h", "127.0.0.1", "-p", str(port), "-t", "2"],
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return ready.returncode == 0


class Redis:
    taken = "Address already in use"
    stop_signal = signal.SIGTERM

    def __init__(self, directory):
        self.directory = directory
        if not shutil.which("redis-server"):
            fail("Redis is missing (apt install redis-server)")

    def as_user(self):
        die_with_parent(signal.SIGKILL)

    def prepare(self):
        pass

    def command(self, port):
        return ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--dir", self.directory, "--save", "",
                "--appendonly", "yes", "--requirepass", PASSWORD, "--daemonize", "no"]

    def answers(self, port):
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=2) as connection:
                connection.sendall(f"AUTH {PASSWORD}\r\nPING\r\n".encode())
                reply = b""
                while b"+PONG" not in reply:
                    part = connection.recv(100)
                    if not part:
                        return False
                    reply += part
                return True
        except OSError:
            return False


def launch(server):
    """Starts the server and waits until it answers. Returns the process and its port."""
    restarted = os.path.exists(os.path.join(server.directory, "port"))
    server.prepare()
    log_path = os.path.join(server.directory, "server.log")
    for attempt in range(START_ATTEMPTS_MAX):
        port = choose_port(server.directory)
        with open(log_path, "ab") as log:
            process = subprocess.Popen(server.command(port), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       start_new_session=True, cwd="/", preexec_fn=server.as_user)
        deadline = time.monotonic() + START_DEADLINE_S
        while process.poll() is None and time.monotonic() < deadline:
            if server.answers(port):
                return process, port
            time.sleep(0.05)
        if process.poll() is None:
            process.kill()
            process.wait()
        with open(log_path, errors="replace") as log:
            tail = log.read()[-3000:]
        if server.taken not in tail or restarted or attempt + 1 == START_ATTEMPTS_MAX:
            fail(f"the server did not come up (exit code {process.returncode}); end of {log_path}:\n{tail}")
        os.remove(os.path.join(server.directory, "port"))
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
    server = {"postgres": Postgres, "redis": Redis}[args.server](os.path.abspath(args.dir))
    try:
        os.makedirs(args.dir, exist_ok=True)
        process, port = launch(server)
        if args.port_file:
            with open(args.port_file + ".partial", "w") as file:
                file.write(f"127.0.0.1:{port}\n")
            os.rename(args.port_file + ".partial", args.port_file)
        else:
            print(f"127.0.0.1:{port}", flush=True)
        code = process.wait()
        fail(f"the server ended by itself with {code}; see {args.dir}/server.log")
    finally:
        if process is not None and process.poll() is None:
            process.send_signal(server.stop_signal)
            try:
                process.wait(timeout=STOP_DEADLINE_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    runner = commands.add_parser("run")
    runner.add_argument("server", choices=["postgres", "redis"])
    runner.add_argument("--dir", required=True)
    runner.add_argument("--port-file")
    runner.add_argument("--with-parent", action="store_true")
    run(parser.parse_args())


if __name__ == "__main__":
    main()
