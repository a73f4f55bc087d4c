"""Feeds the oracle job and audits what it has written: nothing lost, nothing twice, nothing out of order."""
import random
import subprocess
import threading

from cluster import await_that, run

MODULUS = 1_000_000_007
NEXT_STATE = (1, 2, 0, 3, 3, 0, 1, 2)  # of the events a to h: state i knows the events 2i and 2i + 1


class Input:
    """Numbers per key, written to a topic in the background at a bounded rate."""

    def __init__(self, broker, topic, keys=200, seed=0, sent=None):
        self.broker, self.topic, self.keys = broker, topic, keys
        self.random = random.Random(seed)
        self.sent = sent if sent is not None else {}  # key: how many
        self.states = {}  # of each key's automaton
        self.process = subprocess.Popen(["kcat", "-P", "-b", broker.address, "-t", topic, "-K", ":",
                                         "-X", "partitioner=murmur2_random", "-X", "enable.idempotence=true"],
                                        stdin=subprocess.PIPE, text=True)
        self.stopping = threading.Event()
        self.thread = None

    def write(self, count):
        for _ in range(count):
            key = f"k{self.random.randrange(self.keys)}"
            event = 2 * self.states.get(key, 0) + self.random.randrange(2)
            self.states[key] = NEXT_STATE[event]
            self._send(key, event)
        self.process.stdin.flush()

    def _send(self, key, event):
        sequence = self.sent.get(key, 0)
        self.sent[key] = sequence + 1
        self.process.stdin.write(f"{key}:{key},{sequence},{chr(ord('a') + event)}\n")

    def pause_and_write_wrong(self):
        """No more in the background; then an event that its key's automaton does not know. The key."""
        self.pause()
        key = min(self.states)
        event = (2 * self.states[key] + 2) % len(NEXT_STATE)
        self.states[key] = NEXT_STATE[event]
        self._send(key, event)
        self.process.stdin.flush()
        return key

    def start(self, rate):
        def loop():
            while not self.stopping.wait(0.02):
                self.write(max(1, rate // 50))
        self.thread = threading.Thread(target=loop, daemon=True)
        self.thread.start()

    def pause(self):
        self.stopping.set()
        if self.thread:
            self.thread.join()

    def stop(self):
        """Returns how many records there are."""
        self.pause()
        self.process.stdin.close()
        if self.process.wait(timeout=60) != 0:
            raise AssertionError("kcat could not write the input")
        return sum(self.sent.values())


def expected_of(sent):
    """{key: lines in order} of what was sent."""
    expected = {}
    for key, count in sent.items():
        chain, lines = 0, []
        for sequence in range(count):
            chain = (chain * 31 + sequence + 1) % MODULUS
            lines.append(f"{key},{sequence + 1},{chain}")
        expected[key] = lines
    return expected


def committed(broker, topic):
    """{key: lines in order} of what readers of committed records see now."""
    result = run("kcat", "-C", "-b", broker.address, "-t", topic, "-o", "beginning", "-e", "-q", "-X",
                 "isolation.level=read_committed", "-f", "%s\\n")
    if result.returncode != 0:
        raise AssertionError(f"kcat could not read {topic}: {result.stderr}")
    by_key = {}
    for line in result.stdout.splitlines():
        by_key.setdefault(line.split(",")[0], []).append(line)
    return by_key


def audit(broker, topic, sent, deadline_s=60):
    """Waits until as many lines are out as there should be, and compares them all."""
    expected = expected_of(sent)
    total = sum(sent.values())
    await_that(f"{total} lines are committed",
               lambda: sum(len(lines) for lines in committed(broker, topic).values()) >= total, deadline_s)
    seen = committed(broker, topic)
    wrong = [key for key in expected.keys() | seen.keys() if expected.get(key) != seen.get(key)]
    if wrong:
        key = wrong[0]
        for number, (want, have) in enumerate(zip(expected.get(key, []), seen.get(key, []))):
            if want != have:
                raise AssertionError(f"{len(wrong)} keys are wrong; {key} first at {number}: {have} instead of {want}")
        raise AssertionError(f"{len(wrong)} keys are wrong; {key} has {len(seen.get(key, []))} lines instead of "
                             f"{len(expected.get(key, []))}")
