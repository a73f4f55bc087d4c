"""What the broker forgets or ends by itself while a job with an exactly-once sink is down: transactions and markers.

Takes minutes, because Kafka looks for what has expired now and then: of the lane --long.
"""
import os
import random
import re
import signal
import sys
import time

from broker import Broker
from cluster import OK, SystemTest, await_that, main, run
import oracle

SEED = int(os.environ.get("PENSTOCK_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
ROUNDS = 4
PARTITIONS = 2

broker = None


def setUpModule():
    global broker
    broker = Broker("offsets.retention.minutes=1", "offsets.retention.check.interval.ms=2000",
                    "transaction.abort.timed.out.transaction.cleanup.interval.ms=500")


def tearDownModule():
    broker.close()


class Expiry(SystemTest):
    def setUp(self):
        self.input, self.output = broker.new_name("in"), broker.new_name("out")
        broker.create(self.input, PARTITIONS)
        broker.create(self.output, PARTITIONS)
        self.random = random.Random(SEED)
        print(f"seed {SEED}", file=sys.stderr)
        self.cluster = self.start_cluster(options=("task.cancellation.timeout=1 s",))

    def submit(self, *options, interval, arguments=()):
        return self.cluster.submit(
            "system_oracle", "--brokers", broker.address, "--input", self.input, "--output", self.output, *arguments,
            parallelism=PARTITIONS,
            options=(f"-Dexecution.checkpointing.dir={self.cluster.folder}/checkpoints",
                     f"-Dexecution.checkpointing.interval={interval}", *options))

    def await_no_open_transaction(self):
        """Readers of committed records see to the end again."""
        def open_transactions():
            ends = [run("kcat", "-Q", "-b", broker.address, "-X", f"isolation.level={level}",
                        *(word for i in range(PARTITIONS) for word in ("-t", f"{self.output}:{i}:-1"))).stdout
                    for level in ("read_committed", "read_uncommitted")]
            return [re.findall(r"offset (\d+)", end) for end in ends]
        await_that("no transaction is open", lambda: len(set(map(tuple, open_transactions()))) == 1, 120)

    def test_transactions_that_the_broker_ends_while_the_job_is_down(self):
        """Killed at moments nobody chose; the broker aborts what was open, and the log writes it again."""
        source = oracle.Input(broker, self.input, seed=SEED)
        timeout = ("--transaction-timeout-ms", "3000")
        job = self.submit(interval="300 ms", arguments=timeout)
        source.start(rate=2000)
        for _ in range(ROUNDS):
            self.cluster.await_running(job)
            self.cluster.await_status(job, "a checkpoint", lambda status: status["checkpoints"]["completed"] > 1)
            time.sleep(self.random.uniform(0, 1.0))
            for pid in self.cluster.workers(job).values():
                os.kill(pid, signal.SIGSTOP)  # it does not hear the cancel and ends nothing by itself
            self.cluster.cli("cancel", job)
            self.cluster.await_state(job, "CANCELED", 120)
            self.await_no_open_transaction()
            job = self.submit("--resume", interval="300 ms", arguments=timeout)
        self.cluster.await_running(job)
        source.stop()
        oracle.audit(broker, self.output, source.sent)
        self.cluster.cancel(job)
        self.cluster.stop()

    def test_a_marker_that_has_expired_is_not_guessed(self):
        source = oracle.Input(broker, self.input, seed=SEED)
        job = self.submit(interval="1 h")
        self.cluster.await_running(job)
        source.write(5000)
        source.stop()
        self.cluster.await_status(job, "all is read", lambda status: status["records_in"] >= 5000)
        self.assertEqual(self.cluster.cli("checkpoint", job).returncode, OK)
        oracle.audit(broker, self.output, source.sent)
        self.cluster.cancel(job)

        def refused():
            """The broker has forgotten the marker once a resumed job says so."""
            again = self.submit("--resume", "-Drestart-strategy.type=none", interval="1 h")
            status = self.cluster.await_status(again, "it runs or has failed",
                                               lambda now: now["state"] in ("RUNNING", "FAILED"))
            if status["state"] == "FAILED":
                return status["failure"]["message"]
            self.cluster.cancel(again)
            return None

        time.sleep(75)  # offsets.retention.minutes, and the broker's look round; asking would renew them
        message = refused()
        self.assertIsNotNone(message, "the marker was still there")
        for part in ("offsets.retention.minutes", "sink.exactly-once.missing-marker", "rewrite", "skip"):
            self.assertIn(part, message)
        last = self.submit("--resume", "-Dsink.exactly-once.missing-marker=skip", interval="300 ms")
        self.cluster.await_running(last)
        later = oracle.Input(broker, self.input, seed=SEED, sent=source.sent)
        later.write(1000)
        later.stop()
        oracle.audit(broker, self.output, later.sent)
        self.cluster.cancel(last)
        self.cluster.stop()


if __name__ == "__main__":
    main()
