"""Processes come, go and die: slots, restarts, lost TaskManagers, SIGTERM."""
import os
import signal

from cluster import SystemTest, await_that, main

LONG = ("--count", "1000000000", "--rate", "1000")


class Processes(SystemTest):
    def out(self, cluster, name="numbers"):
        return os.path.join(cluster.folder, name)

    def test_too_few_slots_are_waited_for(self):
        cluster = self.start_cluster(taskmanagers=1)
        job = cluster.submit("system_steady", "--count", "1000", "--rate", "100000", "--out", self.out(cluster),
                             parallelism=4)
        cluster.await_status(job, "it says what it waits for",
                             lambda status: status["waits_for"] == "waiting for 4 slots: have 2")
        self.assertIn("waiting for 4 slots: have 2", cluster.cli("status", job).stdout)
        cluster.start_taskmanager("tm-2")
        ended = cluster.await_state(job, "FINISHED")
        self.assertEqual(ended["waits_for"], "")
        self.assertEqual(ended["records_in"], 1000)
        self.assertEqual({each["taskmanager_id"] for each in ended["vertices"][0]["subtasks"]}, {"tm-1", "tm-2"})

    def test_a_killed_worker_fails_its_job_with_the_signal(self):
        cluster = self.start_cluster()
        job = cluster.submit("system_steady", *LONG, "--out", self.out(cluster), parallelism=2)
        cluster.await_running(job)
        os.kill(cluster.workers(job)["tm-1"], signal.SIGKILL)
        failed = cluster.await_state(job, "FAILED")
        self.assertIn("signal 9 (SIGKILL)", failed["failure"]["message"])
        self.assertEqual(failed["failure"]["taskmanager_id"], "tm-1")
        self.assertIn("signal 9 (SIGKILL)", cluster.root_exception(job)["stacktrace"])
        # Both TaskManagers are whole: the next job runs on all slots.
        job = cluster.submit("system_steady", "--count", "100", "--out", self.out(cluster, "again"), parallelism=4)
        cluster.await_state(job, "FINISHED")
        cluster.stop()

    def test_a_killed_taskmanager_is_named(self):
        cluster = self.start_cluster(options=("heartbeat.timeout=2 s", "heartbeat.interval=200 ms"))
        job = cluster.submit("system_steady", *LONG, "--out", self.out(cluster), parallelism=4)
        cluster.await_running(job)
        workers = cluster.workers(job)
        cluster.kill_taskmanager("tm-2")
        failed = cluster.await_state(job, "FAILED")
        self.assertIn("TaskManager tm-2 is lost", failed["failure"]["message"])
        self.assertEqual(failed["failure"]["taskmanager_id"], "tm-2")
        # Its workers die with it, those of the other are sent home.
        await_that("no worker is left", lambda: not any(os.path.exists(f"/proc/{pid}") for pid in workers.values()))
        cluster.await_taskmanagers(1)
        cluster.stop()

    def test_with_fixed_delay_a_job_outlives_its_taskmanager(self):
        cluster = self.start_cluster(options=(
            "heartbeat.timeout=2 s", "heartbeat.interval=200 ms", "restart-strategy.type=fixed-delay",
            "restart-strategy.fixed-delay.attempts=3", "restart-strategy.fixed-delay.delay=100 ms"))
        out = self.out(cluster)
        job = cluster.submit("system_steady", "--count", "6000", "--rate", "2000", "--out", out, parallelism=2)
        running = cluster.await_running(job)
        self.assertEqual(len(cluster.workers(job)), 2, running)
        cluster.kill_taskmanager("tm-1")
        ended = cluster.await_state(job, "FINISHED")
        self.assertGreater(ended["attempt"], 1)
        self.assertIn("TaskManager tm-1 is lost", cluster.root_exception(job)["stacktrace"])
        numbers = set()
        for name in os.listdir(out):
            with open(os.path.join(out, name)) as file:
                numbers.update(file.read().split())
        self.assertEqual(numbers, {str(number) for number in range(6000)})  # at least once
        cluster.stop()

    def test_taskmanagers_find_a_restarted_jobmanager(self):
        cluster = self.start_cluster()
        ports = [address.rsplit(":", 1)[1] for address in (cluster.rpc, cluster.rest)]
        pids = {name: server.pid for name, server in cluster.taskmanagers.items()}
        cluster.jobmanager.kill()
        self.assertEqual(cluster.cli("list").returncode, 3)
        cluster.start_jobmanager(*ports)
        cluster.await_taskmanagers(2)
        self.assertEqual({each["id"] for each in cluster.get("/taskmanagers")["taskmanagers"]}, set(pids))
        job = cluster.submit("system_steady", "--count", "100", "--out", self.out(cluster), parallelism=4)
        cluster.await_state(job, "FINISHED")
        cluster.stop()

    def test_sigterm_drains_every_process(self):
        cluster = self.start_cluster()
        job = cluster.submit("system_steady", *LONG, "--out", self.out(cluster), parallelism=4)
        cluster.await_running(job)
        workers = cluster.workers(job)
        self.assertEqual(len(workers), 2)
        self.assertEqual(cluster.taskmanagers.pop("tm-1").stop(), 0)
        self.assertFalse(os.path.exists(f"/proc/{workers['tm-1']}"))
        failed = cluster.await_state(job, "FAILED")
        self.assertIn("TaskManager tm-1 is lost", failed["failure"]["message"])
        self.assertEqual(cluster.jobmanager.stop(), 0)  # before its TaskManager
        self.assertEqual(cluster.taskmanagers["tm-2"].stop(), 0)
        self.assertFalse(any(os.path.exists(f"/proc/{pid}") for pid in workers.values()))


if __name__ == "__main__":
    main()
