"""The aggregation job on a real Kafka: exact counts across processes, and brokers that are not there or die."""
from broker import Broker
from cluster import Cluster, SystemTest, await_that, main

EVENTS = 200_000
PARTITIONS = 4

broker = None
cluster = None


def setUpModule():
    global broker, cluster
    broker = Broker()
    try:
        cluster = Cluster()
    except BaseException:
        broker.close()
        raise


def tearDownModule():
    try:
        cluster.stop()
    finally:
        broker.close()


class Kafka(SystemTest):
    def setUp(self):
        if broker.process.poll() is not None:  # left so by a test that failed
            broker.start()
        self.input, self.output = broker.new_name("events"), broker.new_name("sessions")

    def submit(self, *arguments):
        job = cluster.submit("realtime_aggregator", "--brokers", broker.address, "--input", self.input, "--output",
                             self.output, *arguments, parallelism=PARTITIONS)
        self.addCleanup(self.end, job)
        return job

    def end(self, job):
        """All tests run the same job: one that failed must leave room for the next."""
        if not cluster.get(f"/v2/jobs/{job}")["terminal"]:
            cluster.cancel(job)

    def await_note(self, job, *parts):
        def says(status):
            return any(all(part in note["note"] for part in parts) for note in status["notes"])
        cluster.await_status(job, f"a note says {parts}", says)
        self.assertTrue(all(part in cluster.cli("status", job).stdout for part in parts))

    def test_a_bounded_run_ends_with_exactly_the_independent_count(self):
        broker.publish(self.input, EVENTS)
        broker.create(self.output)
        ended = cluster.await_state(self.submit("--bounded"), "FINISHED")
        broker.verify(self.output, self.input)
        self.assertEqual(ended["records_in"], EVENTS + PARTITIONS)  # and the closing events
        self.assertEqual(ended["lag"], 0)
        source = next(vertex for vertex in ended["vertices"] if vertex["is_source"])
        self.assertEqual(len(source["subtasks"]), PARTITIONS)
        self.assertTrue(all(each["records_in"] > 0 for each in source["subtasks"]))
        self.assertEqual({each["taskmanager_id"] for each in source["subtasks"]}, {"tm-1", "tm-2"})
        self.assertEqual(sum(vertex["late_records"] for vertex in ended["vertices"]), 0)

    def test_an_unbounded_run_fires_its_windows_by_time_alone(self):
        broker.publish(self.input, EVENTS)
        broker.create(self.output)
        job = self.submit()
        broker.verify(self.output, self.input)
        status = cluster.await_status(job, "all is read", lambda now: now["records_in"] == EVENTS + PARTITIONS)
        self.assertEqual((status["state"], status["attempt"]), ("RUNNING", 1))
        cluster.await_status(job, "the lag is gone", lambda now: now["lag"] == 0 and len(now["splits"]) == PARTITIONS)

    def test_a_broker_and_topics_that_come_later(self):
        broker.stop()
        job = self.submit()
        self.await_note(job, broker.address)
        broker.start()
        self.await_note(job, self.input)
        broker.publish(self.input, EVENTS // 4)
        self.await_note(job, self.output)
        broker.create(self.output)
        broker.verify(self.output, self.input)
        status = cluster.await_status(job, "all is well again", lambda now: not now["notes"])
        self.assertEqual((status["state"], status["attempt"]), ("RUNNING", 1))

    def test_a_broker_that_is_killed_midway(self):
        broker.create(self.input)
        broker.create(self.output)
        job = self.submit()
        publisher = broker.start_publishing(self.input, EVENTS, EVENTS // 8)
        self.addCleanup(publisher.kill)
        cluster.await_status(job, "rows come out", lambda now: now["records_out"] > 0)
        broker.kill()
        self.assertIsNone(publisher.poll(), "the kill came too late")
        self.await_note(job, broker.address)
        broker.start()
        await_that("all is published", lambda: publisher.poll() is not None)
        self.assertEqual(publisher.returncode, 0)
        broker.verify(self.output, self.input)
        status = cluster.await_status(job, "all is read", lambda now: now["records_in"] == EVENTS + PARTITIONS)
        self.assertEqual((status["state"], status["attempt"]), ("RUNNING", 1))


if __name__ == "__main__":
    main()
