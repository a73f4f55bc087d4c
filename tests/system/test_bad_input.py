"""What bad input gets: one clear line and the documented exit code."""
import json
import os
import socket

from cluster import BUILD, FAILED, JOB_FAILED, OK, REFUSED, UNREACHABLE, USAGE, Cluster, SystemTest, main, program, run

AARCH64 = 183
E_MACHINE_AT = 18

cluster = None


def setUpModule():
    global cluster
    cluster = Cluster()


def tearDownModule():
    cluster.stop()


class BadInput(SystemTest):
    def file(self, name, content):
        path = os.path.join(cluster.folder, name)
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, 0o755)
        return path

    def test_a_file_that_is_no_job(self):
        text = self.file("text", b"#!/bin/sh\necho hello\n")
        self.assert_one_line(cluster.cli("run", text), REFUSED, text, "not ELF")
        self.assert_one_line(cluster.cli("run", "/no/such/job"), REFUSED, "/no/such/job")
        # A program, but none made with PENSTOCK_JOB.
        self.assert_one_line(cluster.cli("run", "/bin/true"), REFUSED, "/bin/true", "PENSTOCK_JOB")
        refused = cluster.cli("run", program("penstock-events"))
        self.assertEqual(refused.returncode, REFUSED)
        self.assertIn("PENSTOCK_JOB", refused.stderr)

    def test_a_program_for_another_machine(self):
        with open(program("system_steady"), "rb") as file:
            foreign = bytearray(file.read())
        foreign[E_MACHINE_AT] = AARCH64
        self.assert_one_line(cluster.cli("run", self.file("foreign", foreign)), REFUSED, "aarch64", "x86_64")

    def test_a_missing_library_is_named_here_and_there(self):
        needy, library = program("system_needy"), "libsystem_needy_library.so"
        self.assert_one_line(cluster.cli("run", needy), REFUSED, library)
        here = {"LD_LIBRARY_PATH": os.path.join(BUILD, "tests", "system")}  # but not at the TaskManagers
        result = cluster.cli("run", needy, env=here)
        self.assertEqual(result.returncode, JOB_FAILED, result.stderr)
        self.assertIn(library, result.stderr)
        self.assertIn("bundle", result.stderr)
        bundled = cluster.cli("run", "--bundle", "-p", "2", needy, env=here)
        self.assertEqual(bundled.returncode, OK, bundled.stderr)

    def test_a_plan_that_goes_wrong(self):
        faulty = program("system_faulty")
        crash = cluster.cli("run", faulty, "--", "--fault", "plan-crash")
        self.assertEqual(crash.returncode, REFUSED)
        self.assertIn("crashed with signal 11", crash.stderr)
        thrown = cluster.cli("run", faulty, "--", "--fault", "plan-throw")
        self.assertEqual(thrown.returncode, REFUSED)
        self.assertIn("the table of customers is empty", thrown.stderr)
        hang = cluster.cli("run", "--plan-timeout-ms", "500", faulty, "--", "--fault", "plan-hang")
        self.assert_one_line(hang, REFUSED, "did not end within 500 ms")

    def test_arguments_of_the_job(self):
        missing = cluster.cli("run", program("realtime_aggregator"))
        self.assertEqual(missing.returncode, REFUSED)
        self.assertIn("--brokers", missing.stderr)
        unknown = cluster.cli("run", program("realtime_aggregator"), "--", "--brokers", "x:1", "--inputs", "a")
        self.assertEqual(unknown.returncode, REFUSED)
        self.assertIn("--inputs", unknown.stderr)

    def test_another_control_version_is_refused_with_both_named(self):
        steady = program("system_steady")
        out = os.path.join(cluster.folder, "version")
        plan = json.loads(cluster.cli("info", "--json", steady, "--", "--out", out).stdout)
        key = next(name for name in ("controlVersion", "control_version") if name in plan)
        ours, theirs = plan[key], plan[key] + 41
        plan[key] = theirs
        job = cluster.submit("system_steady", "--count", "1", "--out", out)  # uploads the program
        digest = cluster.await_state(job, "FINISHED")["digest"]
        status, _, text = cluster.request("POST", "/v2/jobs", json.dumps(
            {"plan": plan, "digest": digest, "is_bundle": False, "arguments": ["--out", out], "config": {}}).encode())
        self.assertEqual(status, 409, text)
        message = json.loads(text)["errors"][0]
        self.assertIn(str(theirs), message)
        self.assertRegex(message, rf"\b{ours}\b")

    def test_an_unreachable_jobmanager(self):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            address = f"127.0.0.1:{closed.getsockname()[1]}"
            for words in (("list",), ("run", program("system_steady"), "--", "--out", cluster.folder)):
                self.assert_one_line(cluster.cli(*words, jobmanager=address), UNREACHABLE, address, "can't be reached")

    def test_every_listener_stays_on_loopback(self):
        for key in ("jobmanager.rpc.address", "rest.address"):
            refused = run(program("penstock-jobmanager"), f"-D{key}=0.0.0.0", "-Djobmanager.rpc.port=0",
                          "-Drest.port=0", cwd=cluster.folder)
            self.assertEqual(refused.returncode, FAILED, refused.stderr)
            last = refused.stderr.strip().splitlines()[-1]
            self.assertIn("would listen on 0.0.0.0, which others can reach, without authentication", last)
            self.assertIn("insecure: true", last)

    def test_a_taken_port(self):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            rest = ["-Djobmanager.rpc.port=0", f"-Drest.port={port}"]
            rpc = [f"-Djobmanager.rpc.port={port}", "-Drest.port=0"]
            for options, key in ((rest, "rest.port"), (rpc, "jobmanager.rpc.port")):
                result = run(program("penstock-jobmanager"), *options, cwd=cluster.folder)
                self.assertEqual(result.returncode, FAILED, result.stderr)
                last = result.stderr.strip().split("\n")[-1]
                self.assertRegex(last, r"^penstock-jobmanager: ")
                self.assertIn(str(port), last)
                self.assertIn(key, last)

    def test_unknown_keys_and_bad_arguments(self):
        steady = program("system_steady")
        nearest = "the nearest is 'rest.port'"
        self.assert_one_line(cluster.cli("run", "-Drest.prot=1", steady), USAGE, "rest.prot", nearest)
        for server in ("penstock-jobmanager", "penstock-taskmanager"):
            self.assert_one_line(run(program(server), "-Drest.prot=1"), USAGE, "rest.prot", nearest)
            self.assert_one_line(run(program(server), "--verbose"), USAGE, "--verbose")
            self.assert_one_line(run(program(server), "-Dheartbeat.timeout=soon"), USAGE, "heartbeat.timeout", "soon")
        self.assert_one_line(cluster.cli("status", "abc"), USAGE, "abc")
        self.assert_one_line(cluster.cli("run", "-p", "0", steady), USAGE, "parallelism")
        self.assert_one_line(cluster.cli("status", "0" * 32), FAILED, "0" * 32)
        config = self.file("config.yaml", b"rest:\n  prot: 1\n")
        self.assert_one_line(run(program("penstock-jobmanager"), "--config", config), USAGE, "rest.prot", nearest)

    def test_two_live_jobs_of_one_uid(self):
        out = os.path.join(cluster.folder, "twice")
        long = ("--count", "1000000000", "--rate", "100", "--out", out)
        job = cluster.submit("system_steady", *long)
        second = cluster.cli("run", "-d", program("system_steady"), "--", *long)
        self.assert_one_line(second, REFUSED, "system-steady", job)
        cluster.cancel(job)


if __name__ == "__main__":
    main()
