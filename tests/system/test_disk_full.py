"""A disk that is full while snapshots are taken: of the checkpoints, and of the local state."""
import os
import signal

from cluster import SystemTest, await_that, main
from small_disk import SmallDisk, enter_namespace

KEYS = 1000
DISK_MB = 256
NO_SPACE = "No space left on device"

cannot_mount = None


class DiskFull(SystemTest):
    def setUp(self):
        if cannot_mount:
            self.skipTest(cannot_mount)
        self.disk = SmallDisk(DISK_MB)
        self.addCleanup(self.disk.close)
        self.cluster = self.start_cluster(options=(
            "heartbeat.timeout=2 s", "heartbeat.interval=200 ms",
            "restart-strategy.exponential-delay.initial-backoff=50 ms",
            "restart-strategy.exponential-delay.max-backoff=1 s"))
        self.out = os.path.join(self.cluster.folder, "out")

    def submit(self, count, *arguments, **options):
        config = {"execution.checkpointing.dir": os.path.join(self.cluster.folder, "checkpoints"),
                  "execution.checkpointing.interval": "200 ms", **options}
        return self.cluster.submit("system_counted", "--out", self.out, "--count", str(count), "--keys", str(KEYS),
                                   "--rate", "4000", *arguments, parallelism=2,
                                   options=[f"-D{key}={value}" for key, value in config.items()])

    def checkpoints(self, job):
        return self.cluster.get(f"/v2/jobs/{job}")["checkpoints"]

    def await_completed(self, job, more):
        before = self.checkpoints(job)["completed"]
        self.cluster.await_status(job, f"{more} more checkpoints are complete",
                                  lambda now: now["checkpoints"]["completed"] >= before + more)

    def assert_counts(self, count):
        """Every number has come, with the count that only unbroken state gives."""
        numbers = set()
        for name in os.listdir(self.out):
            with open(os.path.join(self.out, name)) as file:
                for line in file:
                    if not line.endswith("\n"):
                        continue  # of a writer that was killed
                    number, so_far = map(int, line.split())
                    self.assertEqual(so_far, number // KEYS + 1, f"of {number}")
                    numbers.add(number)
        self.assertEqual(len(numbers), count)

    def kill_worker(self, job):
        os.kill(self.cluster.workers(job)["tm-1"], signal.SIGKILL)

    def test_of_the_checkpoints(self):
        count = 40_000
        storage = os.path.join(self.disk.folder, "checkpoints")
        job = self.submit(count, "--pad", "500", **{"execution.checkpointing.dir": storage})
        self.await_completed(job, 3)
        self.disk.fill()
        failed = self.cluster.await_status(job, "a checkpoint has failed",
                                           lambda now: now["checkpoints"]["failed"] > 0)
        reason = failed["checkpoints"]["last_failed"]["failure"]
        self.assertIn(storage, reason)  # the file
        self.assertIn(NO_SPACE, reason)
        before = failed["records_in"]
        going_on = self.cluster.await_status(job, "it goes on on a full disk",
                                             lambda now: now["records_in"] > before + 8000)
        self.assertEqual((going_on["state"], going_on["attempt"]), ("RUNNING", 1))
        said = self.cluster.cli("status", job).stdout
        self.assertIn("waiting for checkpoint storage", said)
        self.assertIn(NO_SPACE, said)
        self.disk.make_room()
        self.await_completed(job, 2)
        self.kill_worker(job)
        ended = self.cluster.await_state(job, "FINISHED")
        self.assertEqual(ended["attempt"], 2)
        self.assert_counts(count)
        self.cluster.stop()

    def test_of_the_local_state(self):
        count = 80_000
        job = self.submit(count, "--pad", "4000", **{
            "state.backend.local-dir": self.disk.folder, "execution.checkpointing.interval": "1 s"})
        self.await_completed(job, 3)
        self.disk.fill()
        for attempt in (1, 2, 3):  # the worker that ends makes room; the next one shall not even be able to begin
            self.disk.fill()
            failed = self.cluster.await_status(job, f"attempt {attempt} has failed",
                                               lambda now: now["failure"] and now["attempt"] > attempt)
            self.assertIn(self.disk.folder, failed["failure"]["message"])
            self.assertIn(NO_SPACE, failed["failure"]["message"])
        self.disk.make_room()
        self.await_completed(job, 2)
        attempt = self.cluster.await_running(job)["attempt"]
        self.kill_worker(job)
        ended = self.cluster.await_state(job, "FINISHED")
        self.assertGreater(ended["attempt"], attempt)
        self.assert_counts(count)
        self.cluster.stop()


if __name__ == "__main__":
    cannot_mount = enter_namespace()
    main()
