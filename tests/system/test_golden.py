"""Savepoints of released formats, kept in tests/golden, are restored by the program of today with nothing lost.

PENSTOCK_RECORD_GOLDEN=NAME records new ones as tests/golden/NAME-hashmap and tests/golden/NAME-rocksdb: once for each format
that is released, never again for the same name.
"""
import json
import os
import shutil

from cluster import OK, SystemTest, await_that, main

COUNT = 6000
KEYS = 20
GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "golden")
RECORD = os.environ.get("PENSTOCK_RECORD_GOLDEN", "")


def expected():
    """Counted here, without the engine."""
    lines = set()
    for key in range(KEYS):
        numbers = range(key, COUNT, KEYS)
        newest = []
        for number in numbers:
            newest.append(number)
            if len(newest) > 3:
                newest = [number]
        digits = [sum(1 for n in numbers if n // KEYS % 10 == digit) for digit in range(10)]
        lines.add(f"{key}: count {len(numbers)}, text 'key {key} has {len(numbers)}', newest {len(newest)}, "
                  f"digits {' '.join(map(str, digits))}, largest {max(numbers)}, sum {sum(numbers)}/{len(numbers)}, "
                  f"rule-{(key % 5) ** 2}")
        lines.add(f"window {key} 0 {sum(numbers)}/{len(numbers)}")
    return lines


class Golden(SystemTest):
    def start(self, cluster, name, *options, rate, parallelism):
        return cluster.submit(
            "system_golden", "--count", str(COUNT), "--rate", str(rate), "--out", os.path.join(cluster.folder, name),
            parallelism=parallelism,
            options=(f"-Dexecution.checkpointing.dir={cluster.folder}/checkpoints-{name}",
                     "-Dexecution.checkpointing.interval=10 ms", *options))

    def lines(self, cluster, name):
        lines = []
        folder = os.path.join(cluster.folder, name)
        for file_name in os.listdir(folder):
            path = os.path.join(folder, file_name)
            if file_name.startswith((".", "_")) or not os.path.isfile(path):
                continue
            with open(path) as file:
                lines += file.read().splitlines()
        return lines

    def test_every_golden_savepoint_is_restored(self):
        names = sorted(os.listdir(GOLDEN))
        names = [name for name in names if os.path.isdir(os.path.join(GOLDEN, name))]
        self.assertGreaterEqual(len(names), 2)
        cluster = self.start_cluster()
        for name in names:
            with self.subTest(name):
                where = os.path.join(GOLDEN, name)
                shown = cluster.cli("state", "inspect", where, "--json")
                self.assertEqual(shown.returncode, OK, shown.stderr)
                backend = name.rsplit("-", 1)[1]
                job = self.start(cluster, name, "-s", where, f"-Dstate.backend.type={backend}", rate=100_000, parallelism=3)
                status = cluster.await_state(job, "FINISHED")
                self.assertEqual(status["checkpoints"]["restored"]["kind"], "savepoint")
                lines = self.lines(cluster, name)
                self.assertEqual(set(lines), expected())
                self.assertEqual(len(lines), len(expected()))
        cluster.stop()

    def record(self):
        cluster = self.start_cluster()
        for backend in ("hashmap", "rocksdb"):
            name = f"{RECORD}-{backend}"
            self.assertFalse(os.path.exists(os.path.join(GOLDEN, name)), f"{name} is recorded already")
            job = self.start(cluster, name, f"-Dstate.backend.type={backend}", rate=500, parallelism=2)
            # Behind so many segments there is a base.
            cluster.await_status(job, "a base is cut", lambda status: status["checkpoints"]["completed"] > 285)
            stopped = cluster.cli("stop", job, "--savepoint", os.path.join(cluster.folder, "saved-" + name), "--json")
            self.assertEqual(stopped.returncode, OK, stopped.stderr)
            await_that("the job ends", lambda: cluster.status(job)["state"] == "FINISHED")
            self.assertEqual(self.lines(cluster, name), [])
            shutil.copytree(json.loads(stopped.stdout)["location"], os.path.join(GOLDEN, name))
        cluster.stop()

    if RECORD:
        test_record = record


if __name__ == "__main__":
    main()
