"""What outlives a JobManager: its jobs, and with a standby the cluster."""
import os
import signal
import socket

import cluster as system
from cluster import await_that

COUNT = 6000
CHECKPOINTS = ("execution.checkpointing.interval=100 ms", "heartbeat.interval=200 ms", "heartbeat.timeout=2 s",
               "restart-strategy.exponential-delay.initial-backoff=10 ms")


def expected_lines():
    sums = {}
    lines = set()
    for number in range(COUNT):
        sums[number % 7] = sums.get(number % 7, 0) + number
        lines.add(f"{number} {sums[number % 7]}")
    return lines


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class LeaderCluster(system.Cluster):
    """JobManagers on fixed ports, so that each can come back where it was."""

    def __init__(self, jobmanagers, options):
        self.ports = [(free_port(), free_port()) for _ in range(jobmanagers)]
        self.jobmanagers = {}
        self.started = 0
        super().__init__(taskmanagers=0, options=options)

    def start_jobmanager(self, number=0):
        if not self.jobmanagers:
            self.options += [f"-Dexecution.checkpointing.dir={self.folder}/checkpoints",
                             "-Dhigh-availability.jobmanagers=" + ",".join(f"127.0.0.1:{rpc}" for rpc, _ in self.ports)]
        rpc, rest = self.ports[number]
        self.started += 1
        server = system.Server(self.folder, f"jobmanager-{number}-{self.started}", [
            system.program("penstock-jobmanager"), f"-Drest.port={rest}", f"-Djobmanager.rpc.port={rpc}",
            f"-Dweb.upload.dir={self.folder}/programs-{number}-{self.started}",
            f"-Drest.local-token-file={self.folder}/rest-token-{number}", *self.options])
        self.jobmanagers[number] = server
        if number == 0 or self.jobmanager is None:
            self.talk_to(number)
        return server

    def talk_to(self, number):
        self.jobmanager = self.jobmanagers[number]
        self.rpc, self.rest = (f"127.0.0.1:{port}" for port in self.ports[number])
        token = f"{self.folder}/rest-token"
        if os.path.islink(token):
            os.remove(token)
        os.symlink(f"rest-token-{number}", token)

    def stop(self, check=True):
        for server in self.jobmanagers.values():
            if server is not self.jobmanager and server.process.poll() is None:
                server.process.send_signal(signal.SIGCONT)
                server.stop()
        super().stop(check)

    def await_taskmanagers(self, count):
        self.await_leader()
        super().await_taskmanagers(count)

    def await_leader(self):
        def leads():
            try:
                return self.request("GET", "/overview")[0] == 200
            except OSError:  # it is not up yet, or its REST server is just being replaced
                return False
        await_that("the JobManager leads", leads)


class LeaderTest(system.SystemTest):
    def start(self, jobmanagers=1, options=()):
        cluster = LeaderCluster(jobmanagers, (*CHECKPOINTS, *options))
        self.addCleanup(lambda: cluster.stop(check=False))
        cluster.await_leader()
        return cluster

    def start_taskmanagers(self, cluster):
        for name in ("tm-1", "tm-2"):
            cluster.start_taskmanager(name)
        cluster.await_taskmanagers(2)

    def submit(self, cluster):
        self.out = os.path.join(cluster.folder, "lines")
        return cluster.submit("system_ledger", "--count", str(COUNT), "--rate", "1000", "--out", self.out)

    def lines(self):
        found = []
        for name in os.listdir(self.out):
            with open(os.path.join(self.out, name)) as file:
                found += file.read().splitlines()
        return found

    def newest_id(self, cluster):
        """The newest id that was decided in storage, be it a checkpoint or a tombstone; -1: none."""
        folder = f"{cluster.folder}/checkpoints/jobs/system-ledger/manifests"
        return max(map(int, filter(str.isdigit, os.listdir(folder))), default=-1) if os.path.exists(folder) else -1

    def await_checkpoints(self, cluster, count):
        first = self.newest_id(cluster)
        await_that(f"{count} more checkpoints", lambda: self.newest_id(cluster) >= first + count)

    def assert_exact(self, cluster, job):
        cluster.await_state(job, "FINISHED")
        self.assertEqual(set(self.lines()), expected_lines())

    def test_a_killed_jobmanager_goes_on_with_its_jobs(self):
        cluster = self.start()
        self.start_taskmanagers(cluster)
        job = self.submit(cluster)
        self.await_checkpoints(cluster, 5)
        old_workers = cluster.workers(job)
        cluster.jobmanager.kill()
        cluster.start_jobmanager()
        cluster.await_leader()
        cluster.await_running(job)
        self.assertRegex(cluster.jobmanager.log(), f"job {job} .* is taken over, from checkpoint [0-9]+")
        await_that("the workers of the old attempt are gone",
                   lambda: not set(old_workers.values()) & set(cluster.workers(job).values()))
        self.assert_exact(cluster, job)
        # Its end outlives the JobManager too, and so does the uid's freedom.
        cluster.jobmanager.kill()
        cluster.start_jobmanager()
        cluster.await_leader()
        self.assertEqual(cluster.get(f"/v2/jobs/{job}")["state"], "FINISHED")
        again = self.submit(cluster)
        cluster.cancel(again)
        cluster.jobmanager.kill()
        cluster.start_jobmanager()
        cluster.await_leader()
        self.assertEqual(cluster.get(f"/v2/jobs/{again}")["state"], "CANCELED")

    def test_a_standby_takes_over_from_a_killed_leader(self):
        cluster = self.start(2, ("high-availability.type=file", "high-availability.lease=2 s"))
        standby = cluster.start_jobmanager(1)
        self.start_taskmanagers(cluster)
        leader = cluster.rest
        cluster.rest = standby.ports["rest"]
        await_that("the standby says who leads",
                   lambda: cluster.request("GET", "/overview")[1].get("Penstock-Leader") == leader)
        self.assertEqual(cluster.request("GET", "/overview")[0], 503)
        cluster.rest = leader
        job = self.submit(cluster)
        self.await_checkpoints(cluster, 5)
        cluster.jobmanagers[0].kill()
        cluster.talk_to(1)
        cluster.await_leader()
        cluster.await_taskmanagers(2)
        cluster.await_running(job)
        self.assert_exact(cluster, job)

    def test_a_paused_leader_that_wakes_up_decides_nothing(self):
        cluster = self.start(2, ("high-availability.type=file", "high-availability.lease=1 s"))
        cluster.start_jobmanager(1)
        self.start_taskmanagers(cluster)
        job = self.submit(cluster)
        self.await_checkpoints(cluster, 5)
        paused = cluster.jobmanagers[0]
        paused.process.send_signal(signal.SIGSTOP)
        cluster.talk_to(1)
        cluster.await_leader()
        cluster.await_taskmanagers(2)
        cluster.await_running(job)
        self.await_checkpoints(cluster, 3)
        paused.process.send_signal(signal.SIGCONT)
        self.assertEqual(paused.process.wait(timeout=system.DEADLINE_S), 3, "it notices and ends")
        self.assertIn("does not lead any more", paused.log())
        self.assert_exact(cluster, job)
        failures = cluster.get(f"/jobs/{job}/exceptions")["exceptionHistory"]["entries"]
        self.assertEqual(failures, [], "the new leader was not disturbed")


if __name__ == "__main__":
    system.main()
