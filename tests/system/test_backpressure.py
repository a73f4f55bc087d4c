"""A sink that takes nothing behind a source as fast as it goes, across two worker processes: the source stops and
memory stays bounded."""
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


if __name__ == "__main__":
    main()
