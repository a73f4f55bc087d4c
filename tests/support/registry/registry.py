#!/usr/bin/env python3
"""A real schema registry (Apicurio Registry, its in-memory variant) on a free loopback port, for tests.

  registry.py fetch                                     bring it into the cache, once, by Maven
  registry.py run --dir D --port-file F [--with-parent] in the foreground until SIGTERM

--port-file receives, once the registry answers, a line with its Confluent address, and with --tls USER:PASSWORD two
more: an https address that asks for that user, and the file of the authority that its certificate is signed by.
A directory that was used before is started again at the same port (and has forgotten everything: it is in memory).
"""
import argparse
import base64
import ctypes
import fcntl
import http.client
import http.server
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import zipfile

VERSION = "2.6.13.Final"
ARTIFACT = f"io.apicurio:apicurio-registry-app:{VERSION}:zip:all"
API = "/apis/ccompat/v7"
START_DEADLINE_S = 120
STOP_DEADLINE_S = 20
PR_SET_PDEATHSIG = 1


def fail(text):
    print(f"registry.py: {text}", file=sys.stderr)
    sys.exit(1)


def fetch():
    """The directory of the registry; downloaded when it is not there. Safe to run many at a time."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    root = os.path.join(base, "penstock", f"apicurio-{VERSION}")
    app = os.path.join(root, "app")
    os.makedirs(root, exist_ok=True)
    with open(os.path.join(root, "lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if os.path.isdir(app):
            return app
        if not shutil.which("mvn"):
            fail("Maven is missing (apt install maven); it brings Apicurio Registry from Maven Central")
        done = subprocess.run(["mvn", "-q", "-B", "dependency:copy", f"-Dartifact={ARTIFACT}",
                               f"-DoutputDirectory={root}"], stdout=sys.stderr, cwd=root)
        archive = os.path.join(root, f"apicurio-registry-app-{VERSION}-all.zip")
        if done.returncode != 0 or not os.path.exists(archive):
            fail(f"Maven could not bring Apicurio Registry {VERSION} (exit code {done.returncode})")
        partial = app + ".partial"
        shutil.rmtree(partial, ignore_errors=True)
        with zipfile.ZipFile(archive) as file:
            file.extractall(partial)
        os.rename(partial, app)
        os.remove(archive)
    return app


def free_port():
    with socket.socket() as each:
        each.bind(("127.0.0.1", 0))
        return each.getsockname()[1]


def die_with_parent(sig):
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, sig)


def answers(port):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        connection.request("GET", API + "/subjects")
        return connection.getresponse().status == 200
    except OSError:
        return False


def launch(args, app, port):
    runner = next(name for name in os.listdir(app) if name.endswith("-runner.jar"))
    command = ["java", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData",
               "-Dquarkus.http.host=127.0.0.1", f"-Dquarkus.http.port={port}", "-jar", os.path.join(app, runner)]
    log_path = os.path.join(args.dir, "registry.log")
    with open(log_path, "ab") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                   cwd=args.dir, preexec_fn=lambda: die_with_parent(signal.SIGKILL))
    deadline = time.monotonic() + START_DEADLINE_S
    while process.poll() is None and time.monotonic() < deadline:
        if answers(port):
            return process
        time.sleep(0.1)
    if process.poll() is None:
        process.kill()
        process.wait()
    with open(log_path, errors="replace") as log:
        fail(f"the registry did not come up (exit code {process.returncode}); end of {log_path}:\n{log.read()[-3000:]}")


def certificate(directory):
    """An authority and a certificate by it for 127.0.0.1."""
    authority, key, signed = (os.path.join(directory, name) for name in ("ca.pem", "key.pem", "cert.pem"))
    if os.path.exists(signed):
        return authority, key, signed
    ca_key, request, names = (os.path.join(directory, name) for name in ("ca-key.pem", "request.pem", "names.txt"))
    with open(names, "w") as file:
        file.write("subjectAltName=IP:127.0.0.1\n")
    for command in (
            ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test authority", "-keyout",
             ca_key, "-out", authority],
            ["req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-keyout", key, "-out", request],
            ["x509", "-req", "-in", request, "-CA", authority, "-CAkey", ca_key, "-CAcreateserial", "-days", "2",
             "-extfile", names, "-out", signed]):
        subprocess.run(["openssl", *command], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return authority, key, signed


def proxy(args, port):
    """An https server that asks for a user and hands on to the registry. Returns its port and its authority's file."""
    expected = "Basic " + base64.b64encode(args.tls.encode()).decode()

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def hand_on(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Authorization") != expected:
                status, content = 401, b'{"error_code":401,"message":"who are you?"}'
            else:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
                kept = {name: self.headers[name] for name in ("Content-Type", "Accept") if name in self.headers}
                connection.request(self.command, self.path, body or None, kept)
                answer = connection.getresponse()
                status, content = answer.status, answer.read()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_DELETE = hand_on

        def log_message(self, *_):
            pass

    authority, key, signed = certificate(args.dir)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(signed, key)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1], authority


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
    os.makedirs(args.dir, exist_ok=True)
    process = None
    try:
        port_path = os.path.join(args.dir, "port")
        port = int(open(port_path).read()) if os.path.exists(port_path) else free_port()
        process = launch(args, fetch(), port)
        with open(port_path, "w") as file:
            file.write(str(port))
        lines = [f"http://127.0.0.1:{port}{API}"]
        if args.tls:
            tls_port, authority = proxy(args, port)
            lines += [f"https://127.0.0.1:{tls_port}{API}", authority]
        with open(args.port_file + ".partial", "w") as file:
            file.write("\n".join(lines) + "\n")
        os.rename(args.port_file + ".partial", args.port_file)
        code = process.wait()
        fail(f"the registry ended by itself with exit code {code}; see {args.dir}/registry.log")
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
    each = commands.add_parser("run")
    each.add_argument("--dir", required=True)
    each.add_argument("--port-file", required=True)
    each.add_argument("--with-parent", action="store_true")
    each.add_argument("--tls", metavar="USER:PASSWORD")
    args = parser.parse_args()
    if args.command == "fetch":
        print(fetch())
        return
    args.dir = os.path.abspath(args.dir)
    run(args)


if __name__ == "__main__":
    main()
