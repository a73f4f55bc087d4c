"""Checkpoints in S3: a real server, real processes, and what happens when either dies."""
import itertools
import os
import random
import signal
import sys
import time

from cluster import FAILED, REFUSED, Cluster, SystemTest, await_that, main, program, run
from http_proxy import RuledProxy
from object_store import ObjectStore
from proxy import FlakyProxy

REFUSED_MAX = 200  # requests in the time that one is tried 9 times: each client makes pauses that grow
PART_BYTES = 8 << 20  # above that an object goes up in parts


class CheckpointsInS3(SystemTest):
    @classmethod
    def setUpClass(cls):
        cls.store = ObjectStore()
        cls.addClassCleanup(cls.store.close)

    def setUp(self):
        self.prefix = self.id().rsplit(".", 1)[1]
        self.uri = self.store.uri(self.prefix)

    def start(self, *options, environment=None, address=None, **arguments):
        saved = dict(os.environ)
        os.environ.update(self.store.environment() if environment is None else environment)
        try:
            return self.start_cluster(options=(
                f"execution.checkpointing.dir={self.uri}", f"s3.endpoint=http://{address or self.store.address}",
                "execution.checkpointing.interval=200 ms", "heartbeat.timeout=2 s", "heartbeat.interval=200 ms",
                *options), **arguments)
        finally:
            os.environ.clear()
            os.environ.update(saved)

    def submit(self, cluster, out, *arguments, rate=4000, options=()):
        return cluster.submit("system_counted", "--out", out, "--rate", str(rate), *arguments, parallelism=2,
                              options=options)

    def manifests(self):
        return [name for name in self.store.objects(self.prefix) if "/manifests/" in name]

    def await_checkpoints(self, count):
        await_that(f"{count} checkpoints are in the bucket", lambda: len(self.manifests()) >= count)

    def lines(self, out):
        """All whole ones: that of a writer that was killed may be none."""
        found = []
        for name in os.listdir(out):
            with open(os.path.join(out, name)) as file:
                found += [line for line in file if line.endswith("\n")]
        return found

    def assert_counts(self, out, count, keys):
        """Every number has come, with the count that only unbroken state gives."""
        numbers = set()
        for line in self.lines(out):
            number, so_far = map(int, line.split())
            self.assertEqual(so_far, number // keys + 1, f"of {number}")
            numbers.add(number)
        self.assertEqual(len(numbers), count)

    def kill_worker(self, cluster, job):
        os.kill(sorted(cluster.workers(job).values())[0], signal.SIGKILL)

    def test_a_killed_job_goes_on_from_the_bucket(self):
        cluster = self.start()
        out = os.path.join(cluster.folder, "out")
        job = self.submit(cluster, out, "--count", "20000", "--keys", "100")
        for kills in (1, 2):
            self.await_checkpoints(2)
            cluster.await_running(job)
            self.kill_worker(cluster, job)
            cluster.await_status(job, "it was restarted", lambda status: status["attempt"] > kills)
        ended = cluster.await_state(job, "FINISHED")
        self.assertEqual(ended["attempt"], 3)
        self.assert_counts(out, 20000, 100)
        # A job that has come to its end deletes its checkpoints; a tombstone says which ids were used.
        await_that("one manifest is left", lambda: len(self.manifests()) == 1)
        cluster.stop()

    def test_large_state_goes_up_in_parts_and_comes_back(self):
        cluster = self.start()
        out = os.path.join(cluster.folder, "out")
        job = self.submit(cluster, out, "--count", "20000", "--keys", "3000", "--pad", "16000")
        await_that("an object of several parts is there",
                   lambda: any(size > PART_BYTES for size in self.store.objects(self.prefix).values()))
        newest = max(self.manifests(), default="")
        await_that("a checkpoint needs it", lambda: max(self.manifests(), default="") > newest)
        self.kill_worker(cluster, job)
        ended = cluster.await_state(job, "FINISHED")
        self.assertEqual(ended["attempt"], 2)
        self.assert_counts(out, 20000, 3000)
        cluster.stop()

    def test_the_job_outlives_its_storage(self):
        cluster = self.start("execution.checkpointing.timeout=2 s")
        out = os.path.join(cluster.folder, "out")
        job = self.submit(cluster, out, "--count", "40000", "--keys", "100")
        self.await_checkpoints(1)
        self.store.stop()
        before = cluster.get(f"/v2/jobs/{job}")["records_in"]
        cluster.await_status(job, "it goes on without storage", lambda status: status["records_in"] > before + 8000)
        self.store.start()
        newest = max(self.manifests())
        await_that("checkpoints are taken again", lambda: max(self.manifests(), default="") > newest)
        self.kill_worker(cluster, job)
        ended = cluster.await_state(job, "FINISHED")
        self.assertEqual(ended["attempt"], 2)
        self.assert_counts(out, 40000, 100)
        cluster.stop()

    def test_nothing_is_lost_over_a_bad_line(self):
        seed = int(os.environ.get("PENSTOCK_SEED", random.randrange(1 << 32)))
        print(f"PENSTOCK_SEED={seed}", file=sys.stderr)
        proxy = FlakyProxy(self.store.address, seed)
        self.addCleanup(proxy.close)
        cluster = self.start(address=proxy.address)
        out = os.path.join(cluster.folder, "out")
        job = self.submit(cluster, out, "--count", "30000", "--keys", "100", "--pad", "3000")
        self.await_checkpoints(2)
        cluster.await_running(job)
        self.kill_worker(cluster, job)
        ended = cluster.await_state(job, "FINISHED", 200)
        self.assertGreaterEqual(ended["attempt"], 2)
        self.assert_counts(out, 30000, 100)
        self.assertGreater(sum(proxy.seen.values()), 5, proxy.seen)
        cluster.stop()

    def await_failed_checkpoint(self, cluster, job, *parts):
        def failed(status):
            last = status["checkpoints"]["last_failed"]
            return last and all(part in last["failure"] for part in parts)
        cluster.await_status(job, f"a checkpoint failed with {parts}", failed)

    def await_newer(self, cluster, job):
        completed = cluster.get(f"/v2/jobs/{job}")["checkpoints"]["completed"]
        cluster.await_status(job, "checkpoints are taken again",
                             lambda status: status["checkpoints"]["completed"] > completed)

    def start_behind_proxy(self, *options):
        proxy = RuledProxy(self.store.address)
        self.addCleanup(proxy.close)
        cluster = self.start(*options, address=proxy.address)
        return proxy, cluster, os.path.join(cluster.folder, "out")

    def test_a_server_that_errs_and_hangs_up(self):
        proxy, cluster, out = self.start_behind_proxy()
        count = 45_000
        job = self.submit(cluster, out, "--count", str(count), "--keys", "1000", "--pad", "24000", rate=1500,
                          options=("-Dexecution.checkpointing.interval=1 s",))  # enough for uploads in parts
        self.await_checkpoints(2)
        # It is broken for a while: the checkpoint fails and says why, the job goes on.
        before = cluster.get(f"/v2/jobs/{job}")["records_in"]
        proxy.set_rule(lambda request: 500 if request.of_upload_in_parts else 503)
        began = time.monotonic()
        self.await_failed_checkpoint(cluster, job, ": 500; given up after 9 tries")
        self.assertGreater(cluster.get(f"/v2/jobs/{job}")["records_in"], before + 1500)
        lasted_s = time.monotonic() - began
        refused = proxy.set_rule(lambda request: None)
        print(f"{refused} requests were refused within {lasted_s:.1f} s", file=sys.stderr)
        self.assertLess(refused, REFUSED_MAX)
        self.await_newer(cluster, job)
        # Every other upload breaks off: tried again, without a failed checkpoint.
        failed = cluster.get(f"/v2/jobs/{job}")["checkpoints"]["failed"]
        uploads = itertools.count()
        proxy.set_rule(lambda request: "cut request" if request.body_bytes > 0 and next(uploads) % 2 == 0 else None)
        for _ in range(2):
            self.await_newer(cluster, job)
        self.assertEqual(cluster.get(f"/v2/jobs/{job}")["checkpoints"]["failed"], failed)
        # So do the downloads of a restart.
        downloads = itertools.count()
        proxy.set_rule(lambda request: "cut answer" if request.method == "GET" and next(downloads) % 2 == 0 else None)
        self.kill_worker(cluster, job)
        cluster.await_status(job, "it was restarted", lambda status: status["attempt"] == 2)
        cluster.await_running(job)
        self.assertGreater(proxy.set_rule(lambda request: None), 1)
        ended = cluster.await_state(job, "FINISHED")
        self.assertEqual(ended["attempt"], 2)
        self.assert_counts(out, count, 1000)
        cluster.stop()

    def test_a_server_that_is_slower_than_a_checkpoint_may_be(self):
        proxy, cluster, out = self.start_behind_proxy("execution.checkpointing.timeout=1 s")
        job = self.submit(cluster, out, "--count", "40000", "--keys", "100", "--pad", "1000")
        self.await_checkpoints(2)
        proxy.set_rule(lambda request: ("pause", 1.5) if request.method == "PUT" else None)
        self.await_failed_checkpoint(cluster, job, "not complete after 1000 ms")
        proxy.set_rule(lambda request: None)
        self.await_newer(cluster, job)
        self.kill_worker(cluster, job)
        proxy.set_rule(lambda request: ("pause", 0.2))
        ended = cluster.await_state(job, "FINISHED")
        self.assertEqual(ended["attempt"], 2)
        self.assert_counts(out, 40000, 100)
        cluster.stop()

    def test_wrong_credentials_are_said_at_start(self):
        secret = "not-the-secret"
        result = run(program("penstock-jobmanager"), "-Drest.port=0", "-Djobmanager.rpc.port=0",
                     f"-Dexecution.checkpointing.dir={self.uri}", f"-Ds3.endpoint=http://{self.store.address}",
                     f"-Dweb.upload.dir={self.store.folder}/programs",
                     env={"PENSTOCK_S3_ACCESS_KEY": "penstock-test", "PENSTOCK_S3_SECRET_KEY": secret})
        self.assertNotEqual(result.returncode, 0)
        self.assertIn(f"storage {self.uri}: ", result.stderr)
        self.assertIn("SignatureDoesNotMatch", result.stderr)
        self.assertIn("s3.secret-key", result.stderr)
        self.assertNotIn(secret, result.stderr)

    def test_the_configured_secret_reaches_workers_and_nobody_else(self):
        environment = self.store.environment()
        secret = environment["AWS_SECRET_ACCESS_KEY"]
        # Only the JobManager's configuration has it: workers get it with theirs.
        cluster = self.start(f"s3.access-key={environment['AWS_ACCESS_KEY_ID']}", f"s3.secret-key={secret}",
                             "log.level=debug", environment={})
        out = os.path.join(cluster.folder, "out")
        job = self.submit(cluster, out, "--count", "10000", "--keys", "100")
        self.await_checkpoints(1)
        pages = ["/config", "/jobmanager/config", f"/jobs/{job}/config", f"/v2/jobs/{job}", f"/jobs/{job}",
                 f"/jobs/{job}/checkpoints/config", f"/jobs/{job}/checkpoints"]
        shown = "".join(cluster.request("GET", page)[2] for page in pages)
        explained = cluster.cli("config", "explain", env={"PENSTOCK_S3_SECRET_KEY": secret}).stdout
        self.assertIn("s3.secret-key = (secret)", explained)
        for pid in cluster.workers(job).values():
            with open(f"/proc/{pid}/cmdline") as file:
                shown += file.read()
        cluster.await_state(job, "FINISHED")
        for folder, _, names in os.walk(cluster.folder):
            for name in names:
                if name.endswith((".log", ".err", ".out")):
                    with open(os.path.join(folder, name), errors="replace") as file:
                        shown += file.read()
        self.assertNotIn(secret, shown + explained)
        self.assert_counts(out, 10000, 100)
        cluster.stop()

    def test_storage_of_a_job_of_its_own_is_checked_at_submit(self):
        cluster = Cluster(taskmanagers=1)
        self.addCleanup(lambda: cluster.stop(check=False))
        result = cluster.cli("run", "-d", f"-Dexecution.checkpointing.dir={self.uri}",
                             f"-Ds3.endpoint=http://{self.store.address}", "-Ds3.access-key=penstock-test",
                             "-Ds3.secret-key=wrong", program("system_counted"), "--", "--out",
                             os.path.join(cluster.folder, "out"))
        self.assertIn(result.returncode, (FAILED, REFUSED))
        self.assertIn("SignatureDoesNotMatch", result.stderr)
        cluster.stop()


if __name__ == "__main__":
    main()
