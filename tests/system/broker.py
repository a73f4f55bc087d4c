"""A real Kafka for a test program, which it does not outlive, and `penstock-events` to feed it."""
import os
import re
import shutil
import signal
import subprocess
import tempfile

from cluster import ROOT, await_that, program, run

KAFKA = os.path.join(ROOT, "tests", "support", "kafka", "kafka.py")
START_DEADLINE_S = 180  # the first start downloads Kafka
STOP_DEADLINE_S = 40


class Broker:
    def __init__(self, *settings):
        self.settings = [word for setting in settings for word in ("--set", setting)]
        self.folder = tempfile.mkdtemp(prefix="penstock-system-kafka-")
        self.process = None
        self.topics = 0
        self.start()

    def start(self):
        """Again with the same data at the same address, once it was stopped or killed."""
        port_file = os.path.join(self.folder, "address")
        if os.path.exists(port_file):
            os.remove(port_file)
        self.process = subprocess.Popen(["python3", KAFKA, "run", "--dir", os.path.join(self.folder, "broker"),
                                         "--port-file", port_file, "--with-parent", *self.settings], stdin=subprocess.DEVNULL)

        def is_up():
            if self.process.poll() is not None:
                raise AssertionError("the broker did not start; see the lines above")
            return os.path.exists(port_file)

        await_that("the broker is up", is_up, START_DEADLINE_S)
        with open(port_file) as file:
            self.address = file.read().strip()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=STOP_DEADLINE_S)

    def kill(self):
        """SIGKILL to the broker itself."""
        with open(os.path.join(self.folder, "broker", "pid")) as file:
            os.kill(int(file.read()), signal.SIGKILL)
        self.process.wait(timeout=STOP_DEADLINE_S)

    def close(self):
        if self.process.poll() is None:
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def new_name(self, stem):
        self.topics += 1
        return f"{stem}-{self.topics}"

    def events(self, command, topic, *arguments):
        result = run(program("penstock-events"), command, "--brokers", self.address, "--topic", topic, *arguments)
        if result.returncode != 0:
            raise AssertionError(f"penstock-events {command} {topic}: {result.stdout}{result.stderr}")
        return result.stdout

    def create(self, topic, partitions=4):
        self.events("create", topic, "--partitions", str(partitions))

    def count(self, topic):
        return int(self.events("count", topic).split()[1])

    def expected_path(self, topic):
        return os.path.join(self.folder, topic + ".expected")

    def publish(self, topic, count, *arguments):
        self.events("publish", topic, *self.publish_arguments(topic, count), *arguments)

    def lag(self, topic, group):
        """What is left to the group, and what it has committed, in all partitions."""
        lines = re.findall(r"committed (-?\d+) lag (-?\d+)", self.events("lag", topic, "--group", group))
        return sum(int(lag) for _, lag in lines), sum(int(at) for at, _ in lines)

    def start_publishing(self, topic, count, rate=None):
        """In the background, without a rate as fast as it goes; the process."""
        with open(os.path.join(self.folder, topic + ".log"), "wb") as log:
            return subprocess.Popen([program("penstock-events"), "publish", "--brokers", self.address, "--topic", topic,
                                     *self.publish_arguments(topic, count),
                                     *(("--rate", str(rate)) if rate else ())],
                                    stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def publish_arguments(self, topic, count):
        return ["--create", "4", "--count", str(count), "--sessions", "5000", "--windows", "6", "--size", "300",
                "--expected", self.expected_path(topic)]

    def verify(self, output, topic):
        """Compares with the independent count of what was published to the topic: no row missing, none wrong, none
        twice."""
        said = self.events("verify", output, "--expected", self.expected_path(topic), "--timeout", "100")
        if not re.match(r"EQUAL: .* 0 missing, 0 unexpected, 0 duplicates", said):
            raise AssertionError(said)
