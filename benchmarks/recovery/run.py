#!/usr/bin/env python3
"""Checkpoints, recovery and rescaling of much state, on real processes.

  benchmarks/recovery/run.py [--keys 10000000] [--value-bytes 100] [--rate 100000] [--skip-kafka] [--json FILE]

One JobManager, two TaskManagers with two slots. The job writes every key once, then rewrites `rate` of them a second; its
probes note when records pass. Printed are, with the bound that docs promise beside each:
  checkpoint   the synchronous part of every subtask and the whole, every second, over CHECKPOINTS of them
  recovery     from `kill -9` of a worker to the first record through the source's chain of the next attempt
  rescale      2 -> 3 -> 2 subtasks: the longest time without a record behind the state
Then recovery again with little state and a Kafka sink, at least once and exactly once.
"""
import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "system"))
from broker import Broker  # noqa: E402
from cluster import BUILD, OK, Cluster, await_that  # noqa: E402

JOB = os.path.join(BUILD, "benchmarks", "recovery", "bench_big_state")
CHECKPOINTS = 30
KILLS = 5
SMALL_KEYS = 1000
FILL_DEADLINE_S = 300


class Bench:
    def __init__(self, arguments):
        self.arguments = arguments
        self.rows = []
        self.folder = tempfile.mkdtemp(prefix="penstock-recovery-bench-")

    def row(self, name, value, unit, bound):
        self.rows.append({"name": name, "value": value, "unit": unit, "bound": bound})
        print(f"{name:<62} {value:>9,.1f} {unit:<3} (at most {bound:,} {unit})", flush=True)

    def submit(self, cluster, keys, rate, *arguments, parallelism=2):
        self.probes = tempfile.mkdtemp(dir=self.folder)
        return cluster.submit(
            JOB, "--keys", str(keys), "--value-bytes", str(self.arguments.value_bytes), "--rate", str(rate),
            "--probes", self.probes, *arguments, parallelism=parallelism,
            options=(f"-Dexecution.checkpointing.dir={cluster.folder}/checkpoints",
                     "-Dexecution.checkpointing.interval=1 s",
                     "-Drestart-strategy.exponential-delay.initial-backoff=100 ms",
                     "-Drestart-strategy.exponential-delay.max-backoff=100 ms"))  # or it grows from kill to kill

    def await_checkpoints(self, cluster, job, more):
        done = cluster.get(f"/v2/jobs/{job}")["checkpoints"]["completed"]
        cluster.await_status(job, f"{more} more checkpoints",
                             lambda status: status["checkpoints"]["completed"] >= done + more, 60 + 5 * more)

    def await_filled(self, cluster, job, keys):
        def filled():
            fill = next(v for v in cluster.get(f"/v2/jobs/{job}")["vertices"] if v["name"].startswith("fill"))
            return fill["state"] == "FINISHED" and fill["records_out"] >= keys
        await_that("all keys are written", filled, FILL_DEADLINE_S)

    def notes(self, stage, attempt):
        """When records passed, in ms, sorted."""
        times = []
        for name in os.listdir(self.probes):
            if name.startswith(f"{stage}-{attempt}-"):
                with open(os.path.join(self.probes, name)) as file:
                    times += [int(line) for line in file.read().split("\n")[:-1]]
        return sorted(times)

    def measure_checkpoints(self, cluster, job):
        self.await_checkpoints(cluster, job, CHECKPOINTS + 2)
        done = [each for each in cluster.get(f"/v2/jobs/{job}/checkpoints")["checkpoints"]
                if each["status"] == "COMPLETED"][:CHECKPOINTS]
        sync_ms = []
        for each in done:
            for vertex in cluster.get(f"/v2/jobs/{job}/checkpoints/{each['id']}")["vertices"]:
                sync_ms += [subtask["sync_us"] / 1000 for subtask in vertex["subtasks"] if subtask["acknowledged"]]
        whole_ms = sorted(each["duration_ms"] for each in done)
        state_mb = done[0]["state_bytes"] / 1e6
        written_mb = sorted(each["written_bytes"] / 1e6 for each in done)
        print(f"state {state_mb:,.0f} MB in the chain; {written_mb[len(written_mb) // 2]:.1f} MB written per checkpoint")
        sync_ms.sort()
        print(f"synchronous part, longest: {', '.join(f'{each:.1f}' for each in sync_ms[-5:])} ms of {len(sync_ms)}")
        self.row("checkpoint: synchronous part of a subtask, p99", sync_ms[len(sync_ms) * 99 // 100], "ms", 20)
        self.row("checkpoint: whole, median", whole_ms[len(whole_ms) // 2], "ms", 500)
        self.row("checkpoint: whole, longest", whole_ms[-1], "ms", 500)

    def measure_kill(self, cluster, job, name, bound):
        took, known = [], []
        for _ in range(KILLS):
            self.await_checkpoints(cluster, job, 2)
            attempt = cluster.get(f"/v2/jobs/{job}")["attempt"]
            pid = cluster.workers(job)["tm-1"]
            killed_ms = time.time() * 1000
            os.kill(pid, signal.SIGKILL)
            await_that("records flow again", lambda: self.notes("source", attempt + 1), 120)
            took.append(self.notes("source", attempt + 1)[0] - killed_ms)
            known.append(cluster.get(f"/jobs/{job}")["timestamps"]["RESTARTING"] - killed_ms)
        took.sort()
        self.row(f"death of a worker known: {name}, longest", max(known), "ms", 100)
        self.row(f"recovery: {name}, median of {KILLS}", took[KILLS // 2], "ms", bound)
        self.row(f"recovery: {name}, longest", took[-1], "ms", bound)

    def measure_rescale(self, cluster, job):
        for parallelism in (3, 2):
            self.await_checkpoints(cluster, job, 2)
            attempt = cluster.get(f"/v2/jobs/{job}")["attempt"]
            result = cluster.cli("rescale", job, "-p", str(parallelism))
            if result.returncode != OK:
                raise SystemExit(f"rescale: {result.stderr}")
            await_that("records flow again", lambda: len(self.notes("state", attempt + 1)) > 100, 120)
            last, first = self.notes("state", attempt)[-1], self.notes("state", attempt + 1)[0]
            self.row(f"rescale to {parallelism}: no record behind the state", first - last, "ms", 3000)

    def run(self):
        keys = self.arguments.keys
        cluster = Cluster(2, 2, options=("taskmanager.memory.size=7 gb",))
        try:
            began = time.monotonic()
            job = self.submit(cluster, keys, self.arguments.rate)
            self.await_filled(cluster, job, keys)
            print(f"{keys:,} keys of {self.arguments.value_bytes} B written in {time.monotonic() - began:.1f} s")
            self.measure_checkpoints(cluster, job)
            self.measure_kill(cluster, job, f"{keys:,} keys, local copies", 2000)
            self.measure_rescale(cluster, job)
            cluster.cancel(job)
        finally:
            cluster.stop(check=False)
        if not self.arguments.skip_kafka:
            self.run_small()
        shutil.rmtree(self.folder, ignore_errors=True)

    def run_small(self):
        broker = Broker()
        try:
            for delivery, bound in (("at-least-once", 500), ("exactly-once", 1500)):
                cluster = Cluster(2, 2)
                try:
                    topic = broker.new_name("out")
                    broker.create(topic, 2)
                    job = self.submit(cluster, SMALL_KEYS, 10_000, "--brokers", broker.address, "--output", topic,
                                      "--delivery", delivery)
                    self.measure_kill(cluster, job, f"little state, {delivery}", bound)
                    cluster.cancel(job)
                finally:
                    cluster.stop(check=False)
        finally:
            broker.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=10_000_000)
    parser.add_argument("--value-bytes", type=int, default=100)
    parser.add_argument("--rate", type=int, default=100_000)
    parser.add_argument("--skip-kafka", action="store_true")
    parser.add_argument("--json")
    bench = Bench(parser.parse_args())
    bench.run()
    if bench.arguments.json:
        with open(bench.arguments.json, "w") as file:
            json.dump({"benchmark": "recovery", "rows": bench.rows}, file, indent=1)


if __name__ == "__main__":
    main()
