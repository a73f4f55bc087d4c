#!/usr/bin/env python3
"""Nexmark on one core: events per second and per CPU-second of every query.

  benchmarks/nexmark/run.py [--queries q0,q5] [--events 10000000] [--density 10000000] [--seconds 0] [--json FILE]

Everything of penstock is pinned to core 0: JobManager, one TaskManager, its worker with parallelism 1. RocksDB backend,
exactly-once checkpoints every 10 s on the local disk, rows counted and dropped at the end of the query. The events are
made by the source inside the job, and count as work of the query. CPU time is that of all three processes, from the
submit command to the end of the job. --density: events per second of event time. --seconds: repeats a query with more
events until it takes at least so long.
"""
import argparse
import json
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "tests", "system"))
import answers  # noqa: E402
from cluster import BUILD, Cluster  # noqa: E402

PROGRAM = os.path.join(BUILD, "benchmarks", "nexmark", "nexmark")
TICKS = os.sysconf("SC_CLK_TCK")
JOB_DEADLINE_S = 600
CHECKPOINTS = "10 s"
MEMORY = "4 gb"


def cpu_seconds(cluster):
    """Of the cluster's processes and of workers that have ended."""
    ticks = 0
    for server in [cluster.jobmanager, *cluster.taskmanagers.values()]:
        with open(f"/proc/{server.process.pid}/stat") as file:
            ticks += sum(map(int, file.read().rsplit(")", 1)[1].split()[11:15]))
    return ticks / TICKS


def measure(query, events, density):
    cluster = Cluster(taskmanagers=1, slots=1, options=(f"taskmanager.memory.size={MEMORY}",))
    try:
        cpu_before, began = cpu_seconds(cluster), time.monotonic()
        job = cluster.submit(PROGRAM, "--query", query, "--events", str(events), "--density", str(density),
                             options=(f"-Dexecution.checkpointing.dir={cluster.folder}/checkpoints",
                                      f"-Dexecution.checkpointing.interval={CHECKPOINTS}"))
        status = cluster.await_state(job, "FINISHED", JOB_DEADLINE_S)
        seconds = time.monotonic() - began
        time.sleep(0.5)  # the TaskManager counts a worker's time when it has seen it end
        cpu = cpu_seconds(cluster) - cpu_before
        return {"query": query, "events": events, "density": density, "seconds": round(seconds, 1),
                "events_per_second": round(events / seconds), "events_per_cpu_second": round(events / cpu),
                "checkpoints": status["checkpoints"]["completed"]}
    finally:
        cluster.stop(check=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", default=",".join(answers.QUERIES))
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--density", type=int, default=10_000_000)
    parser.add_argument("--seconds", type=float, default=0)
    parser.add_argument("--json")
    args = parser.parse_args()
    os.sched_setaffinity(0, {0})
    found = []
    print("| query | events | seconds | events/s | per CPU-second | checkpoints |\n|---|---|---|---|---|---|", flush=True)
    for query in args.queries.split(","):
        result = measure(query, args.events, args.density)
        while result["seconds"] < args.seconds:
            more = int(result["events"] * max(1.5, 1.1 * args.seconds / result["seconds"]))
            result = measure(query, more, args.density)
        found.append(result)
        print(f"| {query} | {result['events']:,} | {result['seconds']} | {result['events_per_second']:,} | "
              f"{result['events_per_cpu_second']:,} | {result['checkpoints']} |", flush=True)
    if args.json:
        with open(args.json, "w") as file:
            json.dump(found, file, indent=1)


if __name__ == "__main__":
    main()
