"""Exactly once through real processes and a real Kafka, whatever is killed.

PENSTOCK_KILLS: how many kills the loop makes (6 in the always lane). PENSTOCK_SEED: repeats a run.
"""
import json
import os
import random
import signal
import sys
import time

from broker import Broker
from cluster import SystemTest, await_that, main, program
import oracle
from test_leader import LeaderCluster

PARTITIONS = 4
KILLS = int(os.environ.get("PENSTOCK_KILLS", "6"))
SEED = int(os.environ.get("PENSTOCK_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)

broker = None


def setUpModule():
    global broker
    broker = Broker()


def tearDownModule():
    broker.close()


class ExactlyOnce(SystemTest):
    def setUp(self):
        self.input, self.output = broker.new_name("in"), broker.new_name("out")
        broker.create(self.input, PARTITIONS)
        broker.create(self.output, PARTITIONS)
        self.random = random.Random(SEED)
        print(f"seed {SEED}", file=sys.stderr)

    def start(self):
        cluster = LeaderCluster(1, ("heartbeat.timeout=2 s", "heartbeat.interval=200 ms"))
        self.addCleanup(lambda: cluster.stop(check=False))
        for name in ("tm-1", "tm-2"):
            cluster.start_taskmanager(name)
        cluster.await_taskmanagers(2)
        return cluster

    def submit(self, cluster, *arguments, parallelism=PARTITIONS, interval="200 ms", options=()):
        config = (f"execution.checkpointing.interval={interval}", "restart-strategy.type=exponential-delay",
                  "restart-strategy.exponential-delay.max-backoff=1 s")
        return cluster.submit("system_oracle", "--brokers", broker.address, "--input", self.input, "--output",
                              self.output, *arguments, parallelism=parallelism,
                              options=(*(f"-D{entry}" for entry in config), *options))

    def kill(self, what, cluster, job):
        """At a moment that nobody chose."""
        time.sleep(self.random.uniform(0, 1.0))
        workers = cluster.workers(job)
        name = self.random.choice(sorted(cluster.taskmanagers))
        if what == "worker" and name in workers:
            os.kill(workers[name], signal.SIGKILL)
        elif what == "JobManager":
            cluster.jobmanager.kill()
            cluster.start_jobmanager()
            cluster.await_taskmanagers(2)
        else:
            cluster.kill_taskmanager(name)
            cluster.start_taskmanager(name)

    def test_a_kill_loop(self):
        cluster = self.start()
        job = self.submit(cluster)
        source = oracle.Input(broker, self.input, seed=SEED)
        self.addCleanup(source.process.kill)
        source.start(rate=2000)
        cluster.await_running(job)
        kinds = ["worker", "TaskManager", "JobManager"]  # each at least once
        self.random.shuffle(kinds)
        kinds += [self.random.choice(("worker", "worker", "TaskManager", "JobManager")) for _ in range(KILLS - 3)]
        for kill, what in enumerate(kinds):
            attempt = cluster.get(f"/v2/jobs/{job}")["attempt"]
            self.kill(what, cluster, job)
            status = cluster.await_status(job, f"it goes on after kill {kill + 1} ({what})", lambda now: (
                now["attempt"] > attempt and now["state"] == "RUNNING" and
                all(vertex["state"] == "RUNNING" for vertex in now["vertices"])))
            print(f"kill {kill + 1}: {what}; attempt {status['attempt']}", file=sys.stderr)
        total = source.stop()
        oracle.audit(broker, self.output, source.sent)
        print(f"{total} records through {KILLS} kills", file=sys.stderr)
        cluster.cancel(job)
        cluster.stop()

    def test_a_bounded_job_commits_its_last_records_before_it_ends(self):
        source = oracle.Input(broker, self.input, seed=SEED)
        source.write(5000)
        source.stop()
        cluster = self.start()
        job = self.submit(cluster, "--bounded", interval="1 h")  # only the last checkpoint
        cluster.await_state(job, "FINISHED")
        oracle.audit(broker, self.output, source.sent)
        words = (program("system_oracle"), "-p", str(PARTITIONS), "--", "--brokers", broker.address, "--input",
                 self.input, "--output", self.output, "--bounded")
        slots = json.loads(cluster.cli("txn", "list", "--json", *words).stdout)["slots"]
        self.assertEqual([(slot["slot"], slot["open"]) for slot in slots], [(i, False) for i in range(PARTITIONS)])
        self.assertTrue(all(slot["checkpoint"] > 0 for slot in slots))
        aborted = cluster.cli("txn", "abort", *words)
        self.assertEqual(aborted.returncode, 0, aborted.stderr)
        cluster.stop()

    def test_partitions_that_come_while_it_runs(self):
        cluster = self.start()
        job = self.submit(cluster)
        source = oracle.Input(broker, self.input, seed=SEED)
        cluster.await_running(job)
        source.write(5000)
        source.stop()
        oracle.audit(broker, self.output, source.sent)  # the order of a key's records ends with its partition
        broker.events("expand", self.input, "--partitions", str(PARTITIONS + 3))
        attempt = cluster.get(f"/v2/jobs/{job}")["attempt"]
        later = oracle.Input(broker, self.input, seed=SEED, sent=source.sent)
        later.write(5000)
        later.stop()
        oracle.audit(broker, self.output, later.sent)
        os.kill(cluster.workers(job)["tm-1"], signal.SIGKILL)  # the new partitions are in the checkpoint, too
        cluster.await_status(job, "it goes on", lambda now: now["attempt"] > attempt and now["state"] == "RUNNING")
        last = oracle.Input(broker, self.input, seed=SEED, sent=later.sent)
        last.write(5000)
        last.stop()
        oracle.audit(broker, self.output, last.sent)
        cluster.cancel(job)
        cluster.stop()

    def test_what_others_do_to_the_consumer_group_changes_nothing(self):
        """Reset, then deleted, while the job runs and across a restart: the checkpoint's offsets rule."""
        cluster = self.start()
        group = f"{self.input}-group"
        job = self.submit(cluster, "--group", group)
        cluster.await_running(job)
        sent = {}

        def write_and_audit():
            source = oracle.Input(broker, self.input, seed=SEED, sent=sent)
            source.write(2000)
            source.stop()
            oracle.audit(broker, self.output, sent)

        def committed():
            """What the group has committed in all, which is how lag is shown elsewhere."""
            lines = broker.events("lag", self.input, "--group", group).splitlines()
            return sum(int(line.split(" committed ")[1].split()[0]) for line in lines)

        def await_committed():
            await_that("the group knows how far the job is", lambda: committed() == sum(sent.values()), 60)

        def kill_worker():
            attempt = cluster.get(f"/v2/jobs/{job}")["attempt"]
            os.kill(cluster.workers(job)["tm-1"], signal.SIGKILL)
            cluster.await_status(job, "it goes on", lambda now: now["attempt"] > attempt and now["state"] == "RUNNING")

        write_and_audit()
        await_committed()
        broker.events("reset-group", self.input, "--group", group)  # the next checkpoint may have it right at once
        kill_worker()
        write_and_audit()
        await_committed()
        broker.events("delete-group", self.input, "--group", group)
        kill_worker()
        write_and_audit()
        await_committed()
        lags = [split["lag"] for split in cluster.get(f"/v2/jobs/{job}")["splits"]]
        self.assertEqual(sum(lags), 0)
        cluster.cancel(job)
        cluster.stop()

    def test_a_rescale_under_full_load(self):
        cluster = self.start()
        job = self.submit(cluster, parallelism=2)
        source = oracle.Input(broker, self.input, seed=SEED)
        self.addCleanup(source.process.kill)
        cluster.await_running(job)
        source.start(rate=20_000)
        for parallelism in (3, 2):
            read = cluster.get(f"/v2/jobs/{job}")["records_in"]
            cluster.await_status(job, "it is under load", lambda now: now["records_in"] > read + 20_000)
            result = cluster.cli("rescale", job, "-p", str(parallelism))
            self.assertEqual(result.returncode, 0, result.stderr)
            cluster.await_status(job, f"it runs at {parallelism}", lambda now: (
                now["parallelism"] == parallelism and now["state"] == "RUNNING"))
        total = source.stop()
        oracle.audit(broker, self.output, source.sent, 120)
        print(f"{total} records through two rescales", file=sys.stderr)
        cluster.cancel(job)
        cluster.stop()

    def test_a_broker_that_is_killed_midway(self):
        cluster = self.start()
        job = self.submit(cluster)
        source = oracle.Input(broker, self.input, seed=SEED)
        cluster.await_running(job)
        source.write(20_000)
        source.stop()
        time.sleep(self.random.uniform(0, 0.5))
        broker.kill()
        broker.start()
        later = oracle.Input(broker, self.input, seed=SEED, sent=source.sent)
        later.write(5000)
        later.stop()
        oracle.audit(broker, self.output, later.sent)
        cluster.cancel(job)
        cluster.stop()

    def test_without_checkpoints_it_is_refused(self):
        cluster = self.start_cluster()  # with no directory for them
        result = cluster.submit("system_oracle", "--brokers", broker.address, "--input", self.input, "--output",
                                self.output)
        failed = cluster.await_state(result, "FAILED")
        self.assertIn("execution.checkpointing.dir", failed["failure"]["message"])
        cluster.stop()


if __name__ == "__main__":
    main()
