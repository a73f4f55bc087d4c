"""Bytes of the newest checkpoint are flipped: what a job does by itself, what it refuses, and what its user is told."""
import json
import os
import signal

from cluster import OK, REFUSED, SystemTest, main, program

KEYS = 100
COUNT = 40_000


def flip(path):
    """Every 64th byte, so that no block is whole."""
    with open(path, "r+b") as file:
        content = bytearray(file.read())
        for at in range(0, len(content), 64):
            content[at] ^= 0x20
        file.seek(0)
        file.write(content)


class Damage(SystemTest):
    def setUp(self):
        self.cluster = self.start_cluster(options=(
            "restart-strategy.exponential-delay.initial-backoff=50 ms",
            "restart-strategy.exponential-delay.max-backoff=50 ms"))
        self.storage = os.path.join(self.cluster.folder, "checkpoints")
        self.out = os.path.join(self.cluster.folder, "out")

    def words(self, delivery, *options):
        return (f"-Dexecution.checkpointing.dir={self.storage}", "-Dexecution.checkpointing.interval=1 h",
                "-Dstate.backend.local-recovery=false", *options, program("system_counting"), "--", "--out", self.out,
                "--count", str(COUNT), "--rate", "8000", "--keys", str(KEYS), "--delivery", delivery)

    def submit(self, delivery, *options):
        result = self.cluster.cli("run", "-d", "--json", "-p", "2", *self.words(delivery, *options))
        self.assertEqual(result.returncode, OK, result.stderr)
        return json.loads(result.stdout)["jobid"]

    def files(self):
        return {os.path.join(folder, name) for folder, _, names in os.walk(self.storage) for name in names}

    def checkpoint(self, job):
        """(id, the data files that it alone needs, its manifest)."""
        before = self.files()
        records = self.cluster.status(job)["records_in"]
        self.cluster.await_status(job, "it counts", lambda status: status["records_in"] > records + 4000)
        taken = json.loads(self.cluster.cli("checkpoint", job, "--json").stdout)
        # The first checkpoint of an attempt may end only now, too: its files are told from this one's by their id.
        new = self.files() - before
        manifests = [path for path in new if "/manifests/" in path and os.path.basename(path) == f"{taken['id']:020}"]
        self.assertEqual(len(manifests), 1, new)
        return taken["id"], [path for path in new if "/data/" in path and path.endswith(f"-{taken['id']}")], manifests[0]

    def two_checkpoints(self, delivery, *options):
        job = self.submit(delivery, *options)
        self.cluster.await_running(job)
        older = self.checkpoint(job)
        return job, older, self.checkpoint(job)

    def kill_worker(self, job):
        os.kill(next(iter(self.cluster.workers(job).values())), signal.SIGKILL)

    def lines(self):
        lines = []
        for name in os.listdir(self.out):
            if name.startswith("."):
                continue
            with open(os.path.join(self.out, name)) as file:
                lines += file.read().splitlines()
        return lines

    def assert_complete(self, repeated):
        lines = self.lines()
        self.assertEqual(set(lines), {f"{key} {n}" for key in range(KEYS) for n in range(1, COUNT // KEYS + 1)})
        self.assertEqual(len(lines) > COUNT, repeated)

    def test_a_job_goes_back_by_itself_where_that_repeats_nothing_exactly_once(self):
        for what in ("data", "manifest"):
            with self.subTest(what):
                job, older, newest = self.two_checkpoints("at-least-once", "--allow-empty")
                for path in newest[1] if what == "data" else newest[2:]:
                    flip(path)
                self.kill_worker(job)
                status = self.cluster.await_state(job, "FINISHED")
                self.assertEqual(status["attempt"], 4)  # the damaged one is tried again once
                self.assertEqual(status["checkpoints"]["restored"]["id"], older[0])
                self.assert_complete(repeated=True)
                self.assertIn(f"checkpoint {newest[0]} cannot be read, the next attempt begins from checkpoint "
                              f"{older[0]}", self.cluster.jobmanager.log())
                for name in os.listdir(self.out):
                    os.remove(os.path.join(self.out, name))
        self.cluster.stop()

    def test_with_an_exactly_once_sink_it_ends_and_says_what_can_be_done(self):
        job, older, newest = self.two_checkpoints("exactly-once")
        self.assertTrue(newest[1])
        for path in newest[1]:
            flip(path)
        self.kill_worker(job)
        status = self.cluster.await_state(job, "FAILED")
        self.assertEqual(status["attempt"], 3)
        for part in (f"checkpoint {newest[0]} cannot be read", "state file", "is damaged", "--allow-duplicates", "write again"):
            self.assertIn(part, status["failure"]["message"])
        refused = self.cluster.cli("run", "-d", "-s", older[2], *self.words("exactly-once"))
        self.assert_one_line(refused, REFUSED, "is not the newest", "--allow-duplicates")
        again = self.submit("exactly-once", "-s", older[2], "--allow-duplicates")
        status = self.cluster.await_state(again, "FINISHED")
        self.assertEqual(status["checkpoints"]["restored"]["id"], older[0])
        self.assert_complete(repeated=True)
        self.cluster.stop()

    def test_a_damaged_manifest_is_refused_at_submit_with_an_exactly_once_sink(self):
        job, older, newest = self.two_checkpoints("exactly-once")
        self.cluster.cancel(job)
        flip(newest[2])
        for how in (("--resume",), ("-s", older[2])):
            refused = self.cluster.cli("run", "-d", *how, *self.words("exactly-once"))
            self.assert_one_line(refused, REFUSED, os.path.basename(newest[2]), "write again", "--allow-duplicates")
        again = self.submit("exactly-once", "--resume", "--allow-duplicates")
        status = self.cluster.await_state(again, "FINISHED")
        self.assertEqual(status["checkpoints"]["restored"]["id"], older[0])
        self.assert_complete(repeated=True)
        self.cluster.stop()


if __name__ == "__main__":
    main()
