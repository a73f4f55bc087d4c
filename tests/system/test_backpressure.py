"""Consumers that are too slow for a source as fast as it goes, across two worker processes: the source stops, memory
stays bounded, and barriers get through."""
import json
import os

from cluster import Cluster, SystemTest, await_that, main, rss_bytes

NETWORK_BYTES = 8 << 20  # taskmanager.network.memory.size, per worker
# Beside the pool: messages inside gRPC, arenas of the threads, what the metrics and the log take.
SLACK_BYTES = 24 << 20
SAMPLES = 60

cluster = None


def setUpModule():
    global cluster
    cluster = Cluster(options=("taskmanager.network.memory.size=8 mb", "heartbeat.interval=200 ms"))


def tearDownModule():
    cluster.stop()


class Backpressure(SystemTest):
    def start(self, *arguments):
        job = cluster.submit("system_blocked", *arguments, parallelism=2)
        cluster.await_running(job)
        workers = cluster.workers(job)
        self.assertEqual(sorted(workers), ["tm-1", "tm-2"])
        return job, workers

    def test_a_blocked_sink_stops_the_source(self):
        slow, workers = self.start("--rate", "10")
        cluster.await_status(slow, "records flow", lambda status: status["records_in"] > 0)
        baseline = {name: rss_bytes(pid) for name, pid in workers.items()}
        cluster.cancel(slow)

        fast, workers = self.start()
        counts, peak = [], dict.fromkeys(workers, 0)

        def stands_still():
            for name, pid in workers.items():
                peak[name] = max(peak[name], rss_bytes(pid))
            counts.append(cluster.get(f"/v2/jobs/{fast}")["records_in"])
            return counts[-1] > 0 and counts[-SAMPLES:] == [counts[-1]] * SAMPLES

        await_that(f"{SAMPLES} looks show the same count", stands_still)
        # A thousand bytes each: what came in lies in the buffers of both sides, and in nothing else.
        self.assertLess(counts[-1] * 1000, 2 * 2 * NETWORK_BYTES + SLACK_BYTES)
        for name in workers:
            self.assertLess(peak[name] - baseline[name], NETWORK_BYTES + SLACK_BYTES, f"{name}: {peak} {baseline}")
        status = cluster.status(fast)
        self.assertTrue(any("a customer who never comes" in note["note"] for note in status["notes"]), status["notes"])
        source = next(vertex for vertex in status["vertices"] if vertex["is_source"])
        self.assertGreater(source["backpressured_ms"], source["busy_ms"])
        cluster.cancel(fast)  # from inside the wait

    def slow_checkpoint(self, debloat):
        """Of a job under full backpressure: milliseconds, the details, and the slow subtasks as status shows them."""
        job = cluster.submit(
            "system_slow", "--out", os.path.join(cluster.folder, f"out-{debloat}"), parallelism=2,
            options=(f"-Dexecution.checkpointing.dir={cluster.folder}/checkpoints-{debloat}",
                     "-Dexecution.checkpointing.interval=1 h",
                     f"-Dtaskmanager.network.memory.buffer-debloat.enabled={debloat}"))

        def pressed(status):
            source, slow = status["vertices"]
            return source["backpressured_ms"] > 10 * source["busy_ms"] and slow["records_in"] > 600

        status = cluster.await_status(job, "the source stands and the slow operator works", pressed)
        result = cluster.cli("checkpoint", job, "--json")
        self.assertEqual(result.returncode, 0, result.stderr)
        taken = json.loads(result.stdout)
        details = cluster.get(f"/jobs/{job}/checkpoints/details/{taken['id']}")
        self.check_statistics(job, taken["id"], details)
        cluster.cancel(job)
        return details["end_to_end_duration"], status["vertices"][1]["subtasks"]

    def check_statistics(self, job, checkpoint, details):
        """The same story over Flink's routes, our own and the command line: the source was held up by its consumer."""
        ours = cluster.get(f"/v2/jobs/{job}/checkpoints/{checkpoint}")
        source, slow = ours["vertices"]
        for subtask in source["subtasks"]:
            self.assertRegex(subtask["waited_for"], "^room in the exchange to subtask [01] of customs$")
            self.assertGreater(subtask["waited_us"], 0)
        for subtask in slow["subtasks"]:
            self.assertNotEqual(subtask["waited_for"], "")
            self.assertGreater(subtask["start_delay_us"] + subtask["alignment_us"], 0)
            self.assertLess(subtask["start_delay_us"] + subtask["alignment_us"], 1000 * details["end_to_end_duration"])
        theirs = cluster.get(f"/jobs/{job}/checkpoints/details/{checkpoint}/subtasks/{slow['id']}")
        delays = [subtask["start_delay"] for subtask in theirs["subtasks"]]
        self.assertEqual(delays, [subtask["start_delay_us"] // 1000 for subtask in slow["subtasks"]])
        summary = theirs["summary"]["start_delay"]
        self.assertEqual((summary["min"], summary["max"]), (min(delays), max(delays)))
        self.assertIn(checkpoint, [each["id"] for each in cluster.get(f"/v2/jobs/{job}/checkpoints")["checkpoints"]])
        shown = cluster.cli("checkpoints", job, str(checkpoint)).stdout
        self.assertIn(f"checkpoint {checkpoint}: COMPLETED, 4 of 4 subtasks", shown)
        self.assertIn("room in the exchange to subtask", shown)
        self.assertIn(" COMPLETED ", cluster.cli("checkpoints", job).stdout)

    def test_with_debloating_a_barrier_is_not_stuck_in_full_queues(self):
        plain_ms, plain = self.slow_checkpoint("false")
        debloated_ms, debloated = self.slow_checkpoint("true")
        said = f"{plain_ms} ms without, {debloated_ms} ms with"
        # A hundred records a second and subtask: all buffers of both sides are worth seconds, the target is 0.2 s.
        self.assertLess(debloated_ms * 5, plain_ms, said)
        for subtask in plain:
            self.assertEqual(subtask["debloated_buffer_bytes"], 32 << 10)
        for before, after in zip(plain, debloated):
            self.assertLess(after["debloated_buffer_bytes"], 8 << 10)
            self.assertGreater(after["debloated_buffer_bytes"], 0)
            self.assertLess(after["consume_buffers_ms"], 2000)


if __name__ == "__main__":
    main()
