"""A penstock cluster of real processes in a folder of its own, for the system tests.

Everything is awaited on a condition with a deadline; what was started is ended by its pid.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("PENSTOCK_BUILD_DIR", os.path.join(ROOT, "build", "release"))
KEEP = "PENSTOCK_SYSTEM_KEEP" in os.environ  # keeps the folders with the logs
PROGRAMS = {
    "penstock": "cli",
    "penstock-jobmanager": "jobmanager",
    "penstock-taskmanager": "taskmanager/host",
    "penstock-events": "examples/tools/events",
    "realtime_aggregator": "examples",
}
DEADLINE_S = 60
POLL_S = 0.05
COMMAND_DEADLINE_S = 120

# Exit codes of `penstock` (docs/cli.md) and of the servers.
OK, FAILED, USAGE, UNREACHABLE, REFUSED, JOB_FAILED = range(6)
TERMINAL = ("FINISHED", "FAILED", "CANCELED")


def program(name):
    """The path of a built program; test jobs are those of jobs/."""
    path = os.path.join(BUILD, PROGRAMS.get(name, "tests/system"), name)
    if not os.access(path, os.X_OK):
        raise SystemExit(f"{path} is missing: build it first")
    return path


def await_that(what, condition, deadline_s=DEADLINE_S):
    """The first true value of condition(); fails naming `what` and the last value."""
    deadline = time.monotonic() + deadline_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"after {deadline_s} s still not: {what}; last: {value!r}")
        time.sleep(POLL_S)


def run(*command, env=None, cwd=None):
    """The finished command with its output; CLIs must not hang."""
    return subprocess.run(list(command), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, env=dict(os.environ, **(env or {})), cwd=cwd, timeout=COMMAND_DEADLINE_S)


def rss_bytes(pid):
    with open(f"/proc/{pid}/status") as file:
        for line in file:
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
    raise AssertionError(f"process {pid} has no VmRSS")


def read_ports(path):
    if not os.path.exists(path):
        return None
    with open(path) as file:
        return dict(line.strip().split("=", 1) for line in file if "=" in line)


class Server:
    """One JobManager or TaskManager process."""

    def __init__(self, folder, name, command):
        self.name = name
        self.log_path = os.path.join(folder, name + ".log")
        ports_path = os.path.join(folder, name + ".ports")
        if os.path.exists(ports_path):
            os.remove(ports_path)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(command + [f"-Dio.ports-file={ports_path}"], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, cwd=folder)
        self.pid = self.process.pid
        self.ports = await_that(f"{name} is up", lambda: self.ended() or read_ports(ports_path))

    def ended(self):
        if self.process.poll() is not None:
            raise AssertionError(f"{self.name} ended with {self.process.returncode}:\n{self.log()[-3000:]}")
        return None

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def stop(self):
        """SIGTERM; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout=DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end within {DEADLINE_S} s of SIGTERM:\n{self.log()[-3000:]}")

    def kill(self):
        self.process.kill()
        self.process.wait()


class Cluster:
    """options: -Dkey=value for the JobManager and all TaskManagers."""

    def __init__(self, taskmanagers=2, slots=2, options=()):
        self.folder = tempfile.mkdtemp(prefix="penstock-system-")
        self.options = [f"-D{option}" for option in options]
        self.taskmanagers = {}
        self.jobmanager = None
        try:
            self.start_jobmanager()
            for number in range(1, taskmanagers + 1):
                self.start_taskmanager(f"tm-{number}", slots)
            self.await_taskmanagers(taskmanagers)
        except BaseException:
            self.stop(check=False)
            raise

    # ---- processes ----
    def start_jobmanager(self, rpc_port="0", rest_port="0"):
        self.jobmanager = Server(self.folder, "jobmanager", [
            program("penstock-jobmanager"), f"-Drest.port={rest_port}", f"-Djobmanager.rpc.port={rpc_port}",
            f"-Dweb.upload.dir={self.folder}/programs", f"-Drest.local-token-file={self.folder}/rest-token",
            *self.options])
        self.rpc = self.jobmanager.ports["rpc"]
        self.rest = self.jobmanager.ports["rest"]

    def start_taskmanager(self, name, slots=2):
        self.taskmanagers[name] = Server(self.folder, name, [
            program("penstock-taskmanager"), f"-Djobmanager.rpc.port={self.rpc.rsplit(':', 1)[1]}",
            f"-Dtaskmanager.id={name}", f"-Dtaskmanager.numberOfTaskSlots={slots}",
            f"-Dtaskmanager.tmp.dir={self.folder}/{name}", *self.options])

    def await_taskmanagers(self, count):
        await_that(f"{count} TaskManagers are registered", lambda: self.get("/overview")["taskmanagers"] == count)

    def kill_taskmanager(self, name):
        self.taskmanagers.pop(name).kill()

    def workers(self, job_id):
        """{TaskManager: pid} of the job's worker processes: each runs in a folder that names its job."""
        found = {}
        for entry in os.listdir("/proc"):
            try:
                folder = os.readlink(f"/proc/{entry}/cwd") if entry.isdigit() else ""
            except OSError:
                continue
            if folder.startswith(self.folder) and f"/workers/{job_id}-" in folder:
                found[os.path.relpath(folder, self.folder).split("/")[0]] = int(entry)
        return found

    def stop(self, check=True):
        """Ends all processes; with check every one must leave with exit code 0."""
        servers = list(self.taskmanagers.values()) + ([self.jobmanager] if self.jobmanager else [])
        codes = {}
        for server in servers:
            try:
                codes[server.name] = server.stop()
            except AssertionError as error:
                codes[server.name] = str(error)
        bad = {name: code for name, code in codes.items() if code != 0}
        if check and bad:
            raise AssertionError(f"these did not leave with exit code 0 on SIGTERM: {bad}; logs in {self.folder}")
        if KEEP:
            print(f"kept: {self.folder}", file=sys.stderr)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    # ---- the command line ----
    def cli(self, *words, jobmanager=None, env=None):
        return run(program("penstock"), "-m", jobmanager or self.rest, *words, env={**self.cli_env(), **(env or {})})

    def cli_env(self):
        return {"PENSTOCK_RUN_DIR": self.folder, "PENSTOCK_REST_LOCAL_TOKEN_FILE": f"{self.folder}/rest-token"}

    def submit(self, job, *arguments, parallelism=1, options=(), env=None):
        """The id of the job, submitted by `penstock run -d`."""
        path = job if "/" in job else program(job)
        result = self.cli("run", "-d", "--json", "-p", str(parallelism), *options, path, "--", *arguments, env=env)
        if result.returncode != OK:
            raise AssertionError(f"`penstock run {job}` ended with {result.returncode}: {result.stderr}")
        return json.loads(result.stdout)["jobid"]

    def status(self, job_id):
        result = self.cli("status", "--json", job_id)
        if result.returncode != OK:
            raise AssertionError(f"`penstock status` ended with {result.returncode}: {result.stderr}")
        return json.loads(result.stdout)

    def await_status(self, job_id, what, condition, deadline_s=DEADLINE_S):
        """The first status for which the condition holds. A job that has ended otherwise fails the test at once."""
        def look():
            status = self.get(f"/v2/jobs/{job_id}")
            if condition(status):
                return status
            if status["terminal"]:
                raise AssertionError(f"not: {what}; job {job_id} is {status['state']}: {status['failure']}")
            return None
        try:
            return await_that(what, look, deadline_s)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.cli('status', job_id).stdout}") from None

    def await_state(self, job_id, state, deadline_s=DEADLINE_S):
        return self.await_status(job_id, f"job is {state}", lambda status: status["state"] == state, deadline_s)

    def await_running(self, job_id):
        """RUNNING with every subtask running."""
        return self.await_status(job_id, "all tasks run", lambda status: status["state"] == "RUNNING" and all(
            vertex["state"] == "RUNNING" for vertex in status["vertices"]))

    def cancel(self, job_id):
        if self.cli("cancel", job_id).returncode != OK:
            raise AssertionError(f"job {job_id} could not be cancelled")
        self.await_state(job_id, "CANCELED")

    # ---- REST ----
    def request(self, method, path, body=None, headers=None):
        """(status, headers, text)."""
        headers = dict(headers or {})
        if method not in ("GET", "HEAD"):
            with open(f"{self.folder}/rest-token") as file:
                headers["Authorization"] = "Bearer " + file.read().strip()
        call = urllib.request.Request(f"http://{self.rest}{path}", data=body, headers=headers, method=method)
        try:
            with urllib.request.urlopen(call, timeout=DEADLINE_S) as answer:
                return answer.status, answer.headers, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read().decode()

    def get(self, path):
        status, _, text = self.request("GET", path)
        if status != 200:
            raise AssertionError(f"GET {path}: {status} {text}")
        return json.loads(text)

    def root_exception(self, job_id):
        """The newest entry of /jobs/:id/exceptions."""
        return self.get(f"/jobs/{job_id}/exceptions")["exceptionHistory"]["entries"][0]


class SystemTest(unittest.TestCase):
    """Says where the logs of a cluster are when a test fails."""
    maxDiff = 4000

    def start_cluster(self, *arguments, **options):
        cluster = Cluster(*arguments, **options)
        self.addCleanup(lambda: cluster.stop(check=False))
        return cluster

    def assert_one_line(self, result, exit_code, *parts):
        """One line on stderr with all the parts, beginning with the command's name."""
        self.assertEqual(result.returncode, exit_code, result.stderr)
        self.assertEqual(result.stdout, "")
        self.assertEqual(result.stderr.count("\n"), 1, result.stderr)
        self.assertRegex(result.stderr, r"^penstock[a-z-]*: ")
        for part in parts:
            self.assertIn(part, result.stderr)


SKIPPED = 77  # ctest's SKIP_RETURN_CODE: a suite of which a part was skipped does not count as passed


def main():
    result = unittest.main(argv=[sys.argv[0], "-v", *sys.argv[1:]], exit=False).result
    for test, reason in result.skipped:
        print(f"skipped {test}: {reason}")
    sys.exit(1 if not result.wasSuccessful() else SKIPPED if result.skipped else 0)
