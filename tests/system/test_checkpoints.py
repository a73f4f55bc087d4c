"""Checkpoints and savepoints as a user meets them: taken, restored, rescaled, and a worker killed in between."""
import glob
import json
import os
import signal

from cluster import FAILED, OK, REFUSED, SystemTest, await_that, main, program

KEYS = 100


class Checkpoints(SystemTest):
    def setUp(self):
        self.cluster = self.start_cluster(options=("restart-strategy.exponential-delay.initial-backoff=50 ms",))
        self.storage = os.path.join(self.cluster.folder, "checkpoints")
        self.out = os.path.join(self.cluster.folder, "out")

    def start(self, count, *options, rate=5000, parallelism=2, interval="200 ms", arguments=(),
              name="system_counting"):
        """The job's id."""
        keys = ("--keys", str(KEYS)) if name == "system_counting" else ()
        return self.cluster.submit(
            name, "--count", str(count), "--rate", str(rate), *keys, "--out", self.out,
            *arguments, parallelism=parallelism,
            options=(f"-Dexecution.checkpointing.dir={self.storage}",
                     f"-Dexecution.checkpointing.interval={interval}", *options))

    def ok(self, *words):
        result = self.cluster.cli(*words)
        self.assertEqual(result.returncode, OK, result.stderr)
        return result.stdout

    def lines(self):
        lines = []
        for name in sorted(os.listdir(self.out)) if os.path.isdir(self.out) else []:
            with open(os.path.join(self.out, name)) as file:
                lines += file.read().splitlines()
        return lines

    def expected(self, count):
        return {f"{key} {n}" for key in range(KEYS) for n in range(1, count // KEYS + 1)}

    def await_lines(self, count):
        await_that(f"{count} lines are written", lambda: len(self.lines()) >= count)

    def await_checkpoints(self, job, count):
        self.cluster.await_status(job, f"{count} checkpoints are complete",
                                  lambda status: status["checkpoints"]["completed"] >= count)

    def test_a_savepoint_is_restored_at_another_parallelism(self):
        count = 30_000
        job = self.start(count)
        self.await_lines(2000)
        stopped = json.loads(self.ok("stop", job, "--json"))
        self.assertEqual(self.cluster.status(job)["state"], "FINISHED")
        before = self.lines()
        self.assertLess(len(before), count)
        self.assertEqual(len(before), len(set(before)))
        # The uid has checkpoints: nobody begins without a word about them.
        refused = self.cluster.cli("run", "-d", f"-Dexecution.checkpointing.dir={self.storage}",
                                   program("system_counting"), "--", "--out", self.out)
        self.assert_one_line(refused, REFUSED, "--resume", "--allow-empty", "system-counting")
        again = self.start(count, "-s", stopped["location"], parallelism=3)
        status = self.cluster.await_state(again, "FINISHED")
        self.assertEqual(status["checkpoints"]["restored"]["kind"], "savepoint")
        self.assertEqual(status["checkpoints"]["restored"]["id"], stopped["id"])
        lines = self.lines()
        self.assertEqual(set(lines), self.expected(count))
        self.assertEqual(len(lines), count)  # and nothing twice: the sink was flushed, the sources stood still
        self.cluster.stop()

    def test_lists_and_broadcast_state_are_rescaled_and_told(self):
        count = 40_000
        stopped = None
        for parallelism in (2, 3):
            options = ("-s", stopped["location"]) if stopped else ()
            before = len(self.lines())
            job = self.start(count, *options, parallelism=parallelism, name="system_keeping")
            self.await_lines(before + 4000)
            stopped = json.loads(self.ok("stop", job, "--json"))
            self.assertEqual(self.cluster.status(job)["state"], "FINISHED")
        self.assertLess(len(self.lines()), count)
        shown = json.loads(self.ok("state", "inspect", stopped["location"], program("system_keeping"), "--json"))
        tables = {(table["uid"], table["table"]): table for table in shown["tables"]}
        rules = tables["judge", "rules"]
        self.assertEqual((rules["kind"], rules["keys"], rules["key"], rules["key_bytes"]),
                         ("broadcast", 10, "int64", 80))
        self.assertLessEqual(tables["pairs", "waiting"]["keys"], 3)
        self.assertEqual(tables["pairs", "seen"]["keys"], 3)
        text = self.ok("state", "inspect", stopped["location"])
        self.assertIn("broadcast rules: int64 -> string, 10 items, 170 B in each subtask", text)
        self.assertIn("union list seen: int64, 3 items, 24 B", text)
        self.assertIn("union list seen of pairs: 3 elements, 24 B; int64",
                      self.ok("state", "inspect", stopped["location"], program("system_keeping")))
        self.assertIn("state rules (broadcast): int64 -> string",
                      self.ok("info", program("system_keeping"), "--", "--out", self.out))
        said = self.ok("savepoint", "diff", stopped["location"], program("system_keeping"), "--", "--out", self.out)
        self.assertIn("matched      judge / rules", said)
        again = self.start(count, "-s", stopped["location"], parallelism=1, rate=20_000, name="system_keeping")
        self.cluster.await_state(again, "FINISHED")
        lines = self.lines()
        self.assertEqual(set(lines), {f"{number} digit-{number % 10}" for number in range(count)})
        self.assertEqual(len(lines), count)
        self.cluster.stop()

    def test_a_copied_savepoint_can_be_moved(self):
        count = 40_000
        job = self.start(count, interval="1 h")
        self.cluster.await_status(job, "it counts", lambda status: status["records_in"] > 5000)
        text = self.ok("savepoint", job, os.path.join(self.cluster.folder, "savepoints"))
        location = text.split("Path: ")[1].strip()
        self.assertTrue(location.startswith(self.cluster.folder), location)
        manifests = sorted(name for _, _, names in os.walk(location) for name in names if len(name.split(".")[0]) == 20)
        self.assertEqual(manifests, [manifests[0], manifests[0] + ".committed"])
        self.cluster.cancel(job)
        moved = os.path.join(self.cluster.folder, "elsewhere")
        os.rename(location, moved)
        os.rename(self.storage, self.storage + "-gone")
        again = self.start(count, "-s", moved, parallelism=4)
        # Its own checkpoints need nothing of the savepoint any more.
        self.await_checkpoints(again, 2)
        status = self.cluster.status(again)
        self.assertEqual(status["checkpoints"]["restored"]["location"], moved)
        os.rename(moved, moved + "-gone")
        os.kill(next(iter(self.cluster.workers(again).values())), signal.SIGKILL)
        status = self.cluster.await_state(again, "FINISHED")
        self.assertGreater(status["attempt"], 1)
        self.assertEqual(set(self.lines()), self.expected(count))
        self.cluster.stop()

    def test_a_clone_lives_on_without_the_job_it_came_from(self):
        count = 40_000
        job = self.start(count, rate=8000, interval="1 h")
        self.cluster.await_status(job, "it counts", lambda status: status["records_in"] > 5000)
        location = json.loads(self.ok("savepoint", job, "--json"))["location"]
        self.cluster.cancel(job)
        clone = self.start(count, "-s", location, "--uid", "clone", "-Dstate.backend.local-recovery=false")
        self.await_checkpoints(clone, 2)
        os.rename(os.path.join(self.storage, "jobs", "system-counting"), self.storage + "-gone")
        os.kill(self.cluster.workers(clone)["tm-1"], signal.SIGKILL)
        status = self.cluster.await_state(clone, "FINISHED")
        self.assertGreater(status["attempt"], 1)
        self.assertEqual(set(self.lines()), self.expected(count))
        self.cluster.stop()

    def test_rescale_up_and_down_under_load(self):
        count = 60_000
        job = self.start(count, rate=4000)
        self.await_lines(2000)
        said = self.ok("rescale", job, "-p", "4")
        self.assertIn("runs at parallelism 4 (it was 2)", said)
        self.assertEqual({each["parallelism"] for each in self.cluster.get(f"/jobs/{job}")["vertices"]}, {4})
        written = len(self.lines())
        self.await_lines(written + 2000)
        down = json.loads(self.ok("rescale", job, "-p", "1", "--json"))
        self.assertEqual((down["from"], down["to"]), (4, 1))
        too_many = self.cluster.cli("rescale", job, "-p", "9")
        self.assert_one_line(too_many, REFUSED, "would need 9 slots, and there are 4")
        status = self.cluster.await_state(job, "FINISHED", 120)
        self.assertEqual(status["attempt"], 3)
        self.assertEqual(status["parallelism"], 1)
        self.assertIsNone(status["failure"])
        lines = self.lines()
        self.assertEqual(set(lines), self.expected(count))
        self.assertEqual(len(lines), count)
        self.cluster.stop()

    def test_a_killed_worker_costs_no_count(self):
        count = 40_000
        job = self.start(count, rate=8000, interval="100 ms", parallelism=4)
        for kill in range(1, 4):
            self.cluster.await_running(job)
            completed = self.cluster.status(job)["checkpoints"]["completed"]
            self.await_checkpoints(job, completed + 2)
            os.kill(self.cluster.workers(job)["tm-1"], signal.SIGKILL)
            self.cluster.await_status(job, f"attempt {kill + 1}", lambda status: status["attempt"] > kill)
        status = self.cluster.await_state(job, "FINISHED")
        self.assertGreaterEqual(status["attempt"], 4)
        self.assertGreaterEqual(self.cluster.get(f"/jobs/{job}/checkpoints")["counts"]["restored"], 3)
        self.assertEqual(set(self.lines()), self.expected(count))
        self.cluster.stop()

    def test_a_restart_reads_state_from_the_copies_on_its_own_disk(self):
        count = 60_000
        job = self.start(count, rate=8000, interval="1 h", parallelism=4)
        self.await_lines(5000)
        self.ok("checkpoint", job)
        data = glob.glob(os.path.join(self.storage, "jobs", "*", "data"))
        self.assertEqual(len(data), 1)
        os.rename(data[0], data[0] + "-gone")
        os.kill(self.cluster.workers(job)["tm-1"], signal.SIGKILL)
        status = self.cluster.await_state(job, "FINISHED")
        self.assertEqual(status["attempt"], 2)
        self.assertEqual(set(self.lines()), self.expected(count))
        copies = os.path.join(self.cluster.folder, "*", "copies", job)
        await_that("the copies of a job that has ended go", lambda: not glob.glob(copies))
        self.cluster.stop()

    def test_verbs_and_statistics(self):
        job = self.start(10_000_000, rate=1000, interval="1 h")
        self.cluster.await_running(job)
        self.await_checkpoints(job, 1)  # the one of the start
        taken = json.loads(self.ok("checkpoint", job, "--json"))
        self.assertEqual(taken["kind"], "checkpoint")
        details = self.cluster.get(f"/jobs/{job}/checkpoints/details/{taken['id']}")
        self.assertEqual(details["status"], "COMPLETED")
        self.assertEqual(details["num_acknowledged_subtasks"], details["num_subtasks"])
        self.assertGreater(details["state_size"], 0)
        for vertex, sums in details["tasks"].items():
            self.assertEqual(sums["num_acknowledged_subtasks"], 2)
            subtasks = self.cluster.get(f"/jobs/{job}/checkpoints/details/{taken['id']}/subtasks/{vertex}")
            self.assertEqual([each["status"] for each in subtasks["subtasks"]], ["completed"] * 2)
        # As Flink's clients do it.
        code, _, text = self.cluster.request("POST", f"/jobs/{job}/savepoints", b"{}")
        self.assertEqual(code, 202)
        path = f"/jobs/{job}/savepoints/{json.loads(text)['request-id']}"
        done = await_that("the savepoint is complete", lambda: next(
            (answer for answer in [self.cluster.get(path)] if answer["status"]["id"] == "COMPLETED"), None))
        self.assertTrue(os.path.exists(done["operation"]["location"]))
        said = self.ok("status", job)
        self.assertIn("checkpoints: 3 completed, 0 failed", said)
        self.assertIn("last: savepoint", said)
        drained = self.ok("stop", "--drain", job)
        self.assertIn("is stopped. Savepoint completed.", drained)
        self.assert_one_line(self.cluster.cli("savepoint", job), FAILED, "is unknown or has ended")
        # --resume finds the newest by itself.
        again = self.start(10_000_000, "--resume", rate=1000)
        self.cluster.await_running(again)
        self.cluster.cancel(again)
        self.cluster.stop()

    def test_a_changed_program_is_told_before_it_starts(self):
        count = 20_000
        job = self.start(count, interval="1 h")
        self.cluster.await_status(job, "it counts", lambda status: status["records_in"] > 3000)
        saved = json.loads(self.ok("stop", job, "--savepoint", os.path.join(self.cluster.folder, "saved"), "--json"))
        path = saved["location"]
        # What lies in it.
        shown = json.loads(self.ok("state", "inspect", path, program("system_counting"), "--json"))
        self.assertEqual((shown["kind"], shown["uid"], shown["parallelism"]), ("savepoint", "system-counting", 2))
        counts = next(op for vertex in shown["vertices"] for op in vertex["operators"] if op["uid"] == "counts")
        self.assertEqual(counts["states"][0], {"name": "count", "kind": "value", "key_type": "int64",
                                               "value_type": "int64", "ttl_ms": 0})
        rows = next(table for table in shown["tables"] if table["uid"] == "counts")
        self.assertEqual((rows["keys"], rows["key"], rows["key_bytes"]), (KEYS, "int64", 8 * KEYS))
        self.assertIn("100 keys", self.ok("state", "inspect", path, program("system_counting")))
        self.assertNotIn("table", self.ok("state", "inspect", path))

        def diff(*arguments):
            result = self.cluster.cli("savepoint", "diff", path, program("system_counting"), "--json", "--",
                                      "--out", self.out, *arguments)
            return result, {change["uid"] + "/" + change["state"]: change["verdict"]
                            for change in json.loads(result.stdout)["changes"]}

        same, verdicts = diff()
        self.assertEqual(same.returncode, OK)
        self.assertEqual(verdicts, {"counts/count": "matched", "numbers/": "matched"})
        text, verdicts = diff("--state", "text")
        self.assertEqual(text.returncode, REFUSED)
        self.assertEqual(verdicts["counts/count"], "incompatible")
        _, verdicts = diff("--uid", "other")
        self.assertEqual(verdicts, {"counts/count": "missing", "other/count": "new", "numbers/": "matched"})

        def refused(*arguments):
            return self.cluster.cli("run", "-d", f"-Dexecution.checkpointing.dir={self.storage}", "-s", path,
                                    program("system_counting"), "--", "--out", self.out, *arguments)

        result = refused("--state", "text")
        self.assertEqual(result.returncode, REFUSED)
        self.assertIn("was int64 -> {count:int64}, is int64 -> {count:string}", result.stderr)
        self.assertIn("give the changed state another name", result.stderr)
        result = refused("--uid", "other")
        self.assertEqual(result.returncode, REFUSED)
        self.assertIn("operator 'counts' state 'count'", result.stderr)
        self.assertIn("--allow-non-restored-state", result.stderr)
        again = self.start(count, "-s", path, "--allow-non-restored-state", arguments=("--uid", "other"))
        self.cluster.await_state(again, "FINISHED")
        # The source went on, the counts began anew.
        lines = self.lines()
        self.assertEqual(len(lines), count)
        self.assertLess(len(set(lines)), count)
        self.cluster.stop()

    def test_a_job_without_storage_says_so(self):
        job = self.cluster.submit("system_counting", "--count", "100000", "--out", self.out)
        self.cluster.await_running(job)
        for verb in ("savepoint", "checkpoint", "stop"):
            self.assert_one_line(self.cluster.cli(verb, job), REFUSED, "set execution.checkpointing.dir")
        self.cluster.cancel(job)
        self.cluster.stop()


if __name__ == "__main__":
    main()
