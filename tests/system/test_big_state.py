"""20 million keys with 256 MB of memory: resident memory stays within the grant and the constant of docs/memory.md."""
import os
import sys
import tempfile

from cluster import BUILD, SystemTest, await_that, main, rss_bytes
from test_memory import MB, SLACK_BYTES

KEYS = 20_000_000
GRANT_BYTES = 256 * MB


class BigState(SystemTest):
    def test_twenty_million_keys(self):
        cluster = self.start_cluster(taskmanagers=1, slots=1, options=(
            "taskmanager.memory.size=256 mb", "taskmanager.network.memory.size=16 mb"))
        probes = tempfile.mkdtemp(dir=cluster.folder)
        job = cluster.submit(os.path.join(BUILD, "benchmarks", "recovery", "bench_big_state"), "--keys", str(KEYS),
                             "--value-bytes", "8", "--rate", "1000", "--probes", probes,
                             options=(f"-Dexecution.checkpointing.dir={cluster.folder}/checkpoints",
                                      "-Dexecution.checkpointing.interval=1 s"))
        cluster.await_running(job)
        worker = cluster.workers(job)["tm-1"]
        peak = 0

        def filled():
            nonlocal peak
            status = cluster.get(f"/v2/jobs/{job}")
            self.assertEqual((status["state"], status["attempt"]), ("RUNNING", 1), status["failure"])
            peak = max(peak, rss_bytes(worker))
            return any(vertex["name"].startswith("fill") and vertex["state"] == "FINISHED" and
                       vertex["records_out"] >= KEYS for vertex in status["vertices"])

        await_that("all keys are written", filled, 900)
        completed = cluster.get(f"/v2/jobs/{job}")["checkpoints"]["completed"]
        cluster.await_status(job, "a checkpoint of all of it", lambda status: (
            filled() and status["checkpoints"]["completed"] >= completed + 2))
        print(f"peak {peak / MB:.0f} MB of {GRANT_BYTES / MB:.0f} MB granted", file=sys.stderr)
        self.assertLess(peak, GRANT_BYTES + SLACK_BYTES)
        cluster.cancel(job)
        cluster.stop()


if __name__ == "__main__":
    main()
