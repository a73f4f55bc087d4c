"""User code that goes wrong fails its own job, its author sees where, and another job runs on undisturbed."""
import os

from cluster import JOB_FAILED, SystemTest, await_that, main, program, Cluster

cluster = None


def setUpModule():
    global cluster
    cluster = Cluster()


def tearDownModule():
    cluster.stop()


def lines_under(folder):
    lines = []
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name)) as file:
            lines += file.read().split()
    return lines


class UserCode(SystemTest):
    def run_to_failure(self, fault):
        """(status, root exception, what `penstock run` said)"""
        result = cluster.cli("run", "-p", "2", program("system_faulty"), "--", "--fault", fault)
        self.assertEqual(result.returncode, JOB_FAILED, result.stderr)
        job_id = result.stdout.split("JobID ")[1].split()[0]
        return cluster.status(job_id), cluster.root_exception(job_id), result.stderr

    def check_place(self, status, exception):
        """Operator, subtask and a stack with names, in the status and in the exceptions."""
        failure = status["failure"]
        self.assertEqual(failure["operator"], "look up")
        self.assertRegex(exception["taskName"], r"^numbers -> .*look up.* \(2/2\)$")
        self.assertEqual(failure["task"], exception["taskName"])
        self.assertIn("look up", exception["stacktrace"])
        self.assertRegex(exception["stacktrace"], r"LookUpCustomer.* at .*faulty\.cc:\d+")
        self.assertIn(exception["taskManagerId"], cluster.taskmanagers)
        said = cluster.cli("status", status["id"]).stdout
        for part in (exception["taskName"], "in operator 'look up'", exception["taskManagerId"]):
            self.assertIn(part, said)
        self.assertRegex(said, r"LookUpCustomer.* at .*faulty\.cc:\d+")

    def throws(self):
        status, exception, said = self.run_to_failure("throw")
        self.check_place(status, exception)
        self.assertEqual(exception["exceptionName"], "std::out_of_range")
        self.assertIn("no such customer", exception["stacktrace"])
        self.assertIn("no such customer", said)

    def crashes(self, fault, signal_name, number):
        status, exception, said = self.run_to_failure(fault)
        self.check_place(status, exception)
        for text in (exception["stacktrace"], said):
            self.assertIn(f"ended by signal {number} ({signal_name})", text)
            self.assertIn("customer 1001 is odd", text)  # the last line of its stderr
        self.assertIn(f"ended by signal {number} ({signal_name})", cluster.cli("status", status["id"]).stdout)
        self.assertIn("customer 1001 is odd", cluster.cli("logs", status["id"]).stdout)

    def exits(self):
        _, exception, _ = self.run_to_failure("exit")
        self.assertIn("exit code 7", exception["stacktrace"])
        self.assertIn("customer 1001 is odd", exception["stacktrace"])

    def test_a_faulty_job_disturbs_no_other(self):
        out = os.path.join(cluster.folder, "numbers")
        steady = cluster.submit("system_steady", "--count", "30000", "--rate", "2000", "--out", out, parallelism=2)
        before = cluster.await_running(steady)
        workers = cluster.workers(steady)
        self.assertEqual(sorted(workers), ["tm-1", "tm-2"])

        self.throws()
        self.crashes("segv", "SIGSEGV", 11)
        self.crashes("abort", "SIGABRT", 6)
        self.exits()

        during = cluster.status(steady)
        self.assertEqual(during["state"], "RUNNING", "the other job must still run: make it longer")
        self.assertEqual(cluster.workers(steady), workers)
        ended = cluster.await_state(steady, "FINISHED")
        attempts = [[(each["attempt"], each["taskmanager_id"]) for each in vertex["subtasks"]]
                    for status in (before, ended) for vertex in status["vertices"]]
        self.assertEqual(attempts[:len(attempts) // 2], attempts[len(attempts) // 2:])
        self.assertEqual(ended["attempt"], 1)
        self.assertIsNone(ended["failure"])
        self.assertEqual(sorted(lines_under(out), key=int), [str(number) for number in range(30000)])
        await_that("no worker is left", lambda: not cluster.workers(steady))


if __name__ == "__main__":
    main()
