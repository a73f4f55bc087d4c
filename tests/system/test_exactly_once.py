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
RESCALED_EVENTS = 2_000_000
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

    def alerts(self, topic):
        return sum(oracle.committed(broker, topic).values(), [])

    def test_a_kill_loop(self):
        cluster = self.start()
        alerts = broker.new_name("alerts")
        broker.create(alerts, PARTITIONS)
        job = self.submit(cluster, "--alerts", alerts)
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
        wrong = source.pause_and_write_wrong()
        total = source.stop()
        oracle.audit(broker, self.output, source.sent)
        print(f"{total} records through {KILLS} kills", file=sys.stderr)
        # The automatons have seen nothing but the one event that was wrong.
        seen = await_that("the wrong event is told", lambda: self.alerts(alerts))
        self.assertEqual([line.split(" ")[0] for line in seen], [wrong])
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

    def test_a_group_that_is_set_back_and_deleted(self):
        cluster = self.start()
        group = self.input + "-group"
        job = self.submit(cluster, "--group", group, interval="1 h")
        cluster.await_status(job, "the checkpoint of the start", lambda now: now["checkpoints"]["completed"] > 0)
        sent = {}

        def write(count):
            source = oracle.Input(broker, self.input, seed=SEED + sum(sent.values()), sent=sent)
            source.write(count)
            return source.stop()

        trouble = (("--offset", "0"), ("--delete",), ("--offset", "1000000"))  # the last lies beyond the end
        for attempt, arguments in enumerate(trouble, 1):
            self.await_group(cluster, job, group, write(5000))
            end = write(3000)  # may be read twice: no checkpoint knows it
            broker.events("group", self.input, "--group", group, *arguments)
            os.kill(cluster.workers(job)["tm-1"], signal.SIGKILL)
            cluster.await_status(job, "it goes on", lambda now: now["attempt"] > attempt)
            cluster.await_running(job)
            self.assertNotEqual(broker.lag(self.input, group), (0, end))
        self.await_group(cluster, job, group, end)
        oracle.audit(broker, self.output, sent)
        cluster.cancel(job)
        cluster.stop()

    def await_group(self, cluster, job, group, total):
        """Lag tools see the job at the end of its input after the next checkpoint that is."""
        def at_end():
            taken = cluster.cli("checkpoint", job)
            self.assertEqual(taken.returncode, 0, taken.stderr)
            return broker.lag(self.input, group) == (0, total)
        await_that("the group is at the end", at_end)

    def test_rescaled_while_a_generator_writes_at_full_speed(self):
        cluster = self.start()
        publisher = broker.start_publishing(self.input, RESCALED_EVENTS)
        self.addCleanup(publisher.kill)
        job = cluster.submit("realtime_aggregator", "--brokers", broker.address, "--input", self.input, "--output",
                             self.output, "--delivery", "exactly-once", parallelism=2,
                             options=("-Dexecution.checkpointing.interval=500 ms",))
        for parallelism in (3, 2):
            cluster.await_running(job)
            read = cluster.get(f"/v2/jobs/{job}")["records_in"]
            cluster.await_status(job, "it reads on", lambda now: now["records_in"] != read)
            self.assertIsNone(publisher.poll(), "the generator has come to its end too early")
            said = cluster.cli("rescale", job, "-p", str(parallelism))
            self.assertEqual(said.returncode, 0, said.stderr)
        status = cluster.await_running(job)
        self.assertEqual((status["parallelism"], status["attempt"]), (2, 3))
        await_that("all is published", lambda: publisher.poll() is not None)
        self.assertEqual(publisher.returncode, 0)
        broker.verify(self.output, self.input)
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
