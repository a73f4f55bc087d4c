"""Workers stay within the memory they were granted, say who holds it, and go before their host when it runs out."""
import os

from cluster import SystemTest, await_that, main, rss_bytes

MB = 1 << 20
SLACK_BYTES = 64 * MB  # docs/memory.md: what a worker may be over its grant


def oom_score_adj(pid):
    with open(f"/proc/{pid}/oom_score_adj") as file:
        return int(file.read())


class Memory(SystemTest):
    def start(self, *options):
        cluster = self.start_cluster(taskmanagers=1, slots=2, options=(
            "taskmanager.network.memory.size=16 mb", "heartbeat.interval=100 ms", *options))
        return cluster, os.path.join(cluster.folder, "out")

    def test_state_larger_than_memory_stays_within_the_grant(self):
        cluster, out = self.start("taskmanager.memory.size=400 mb", "execution.checkpointing.interval=1 s",
                                  "execution.checkpointing.dir=file:///tmp/penstock-memory-test-%d" % os.getpid())
        self.addCleanup(lambda: os.system("rm -rf /tmp/penstock-memory-test-%d" % os.getpid()))
        keys, rounds = 40_000, 2  # 40,000 × 6 KB = 240 MB of state, under a grant of 200 MB in all
        job = cluster.submit("system_counted", "--out", out, "--count", str(keys * rounds), "--keys", str(keys), "--rate",
                             "1000000", "--pad", "6000")
        cluster.await_running(job)
        worker = cluster.workers(job)["tm-1"]
        self.assertGreater(oom_score_adj(worker), oom_score_adj(cluster.taskmanagers["tm-1"].pid))
        peak, seen = 0, None

        def ended():
            nonlocal peak, seen
            try:
                peak = max(peak, rss_bytes(worker))
            except (OSError, AssertionError):
                pass  # the worker has gone, which the JobManager may not know yet
            workers = cluster.get(f"/v2/jobs/{job}/memory")["workers"]
            seen = workers[0] if workers else seen
            return cluster.get(f"/v2/jobs/{job}")["terminal"]

        await_that("the job has ended", ended, 200)
        status = cluster.get(f"/v2/jobs/{job}")
        self.assertEqual(status["state"], "FINISHED", status["failure"])
        self.assertEqual(seen["grant_bytes"], 200 * MB)
        self.assertLess(peak, seen["grant_bytes"] + SLACK_BYTES, seen)
        used = {holder["holder"]: holder["used_bytes"] for holder in seen["holders"]}
        budgets = {holder["holder"]: holder["budget_bytes"] for holder in seen["holders"]}
        self.assertEqual(sum(used.values()), seen["rss_bytes"])
        self.assertLessEqual(sum(budgets.values()), seen["grant_bytes"])
        self.assertGreater(used["hot state"], 10 * MB)
        self.assertGreater(used["RocksDB block cache"], MB)
        numbers = {}
        for name in os.listdir(out):
            with open(os.path.join(out, name)) as file:
                numbers.update((int(number), int(count)) for number, count in map(str.split, file))
        self.assertEqual(numbers, {number: number // keys + 1 for number in range(keys * rounds)})
        cluster.stop()

    def test_the_command_line_shows_it(self):
        cluster, out = self.start("taskmanager.memory.size=1 gb")
        job = cluster.submit("system_counted", "--out", out, "--count", "100000000")
        cluster.await_running(job)
        shown = await_that("the worker has reported", lambda: [
            text for text in [cluster.cli("memory", job).stdout] if "hot state" in text])[0]
        self.assertRegex(shown, r"^worker on tm-1 \(pid \d+\): [\d.]+ MB resident of 512.0 MB granted\n")
        for holder in ("hot state", "RocksDB block cache", "RocksDB memtables", "network buffers", "client queues",
                       "write-ahead logs", "rest"):
            self.assertRegex(shown, rf"\n  {holder} +[\d.]+ MB of +[\d.]+ MB\n")
        self.assertEqual(cluster.cli("memory", "0" * 32).returncode, 1)
        cluster.cancel(job)
        cluster.stop()

    def test_too_little_memory_is_refused_with_what_would_do(self):
        cluster, out = self.start("taskmanager.memory.size=100 mb")
        job = cluster.submit("system_counted", "--out", out, "--count", "100")
        failed = cluster.await_state(job, "FAILED")
        self.assertIn("was granted 50 MB of memory, but needs", failed["failure"]["message"])
        self.assertIn("taskmanager.memory.size", failed["failure"]["message"])
        cluster.stop()


if __name__ == "__main__":
    main()
