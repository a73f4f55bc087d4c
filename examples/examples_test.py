"""Runs each example alone, and holds what comes out against the same question asked the plain way."""
import collections
import os
import subprocess
import sys
import tempfile
import unittest

BINARIES = sys.argv.pop(1)
MASK = (1 << 64) - 1


class Random:
    """What datagen::Random draws for one record (SplitMix64)."""

    def __init__(self, index, seed):
        self.state = (seed * 0x9E3779B97F4A7C15 & MASK) ^ ((index + 1) * 0xD1B54A32D192ED03 & MASK)

    def next(self):
        self.state = x = (self.state + 0x9E3779B97F4A7C15) & MASK
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
        return x ^ (x >> 31)

    def below(self, bound):
        return self.next() % bound


def run(example, *arguments, parallelism=1):
    """The lines it wrote."""
    with tempfile.TemporaryDirectory(prefix="penstock-example-") as folder:
        out = os.path.join(folder, "out")
        done = subprocess.run([os.path.join(BINARIES, example), "-p", str(parallelism), "--out", out, *arguments],
                              capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            raise AssertionError(f"{example} ended with {done.returncode}:\n{done.stderr[-4000:]}")
        lines = []
        for directory, _, names in os.walk(out):
            for name in names:
                with open(os.path.join(directory, name)) as file:
                    lines += file.read().splitlines()
        return lines


class Examples(unittest.TestCase):
    def test_word_count(self):
        text = "To be, or not to be: that is the question.\nWhether 'tis nobler in the mind\nto suffer\n" * 200
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write(text)
            file.flush()
            lines = run("word_count", "--in", file.name, parallelism=2)
        words = "".join(c.lower() if c.isalnum() else " " for c in text).split()
        self.assertEqual(dict(line.split(",") for line in lines),
                         {word: str(count) for word, count in collections.Counter(words).items()})

    def test_sessions(self):
        clicks = []
        for index in range(20_000):
            random = Random(index, SEED)
            user, page, time = random.below(500), random.below(5), index * 2000
            if random.below(10) == 0:
                time -= random.below(60_000)
            clicks.append((user, time, page == 4))
        visits, open_visits = [], {}
        for user, time, bought in sorted(clicks):
            visit = open_visits.get(user)
            if visit is None or time - visit[1] > 30 * 60_000:
                if visit is not None:
                    visits.append((user, *visit))
                visit = open_visits[user] = [time, time, 0, False]
            visit[1] = time
            visit[2] += 1
            visit[3] |= bought
        visits += [(user, *visit) for user, visit in open_visits.items()]
        wanted = sorted(f"{user},{first},{last},{count},{'bought' if bought else 'left'}"
                        for user, first, last, count, bought in visits)
        self.assertEqual(sorted(run("sessions", "--clicks", "20000", parallelism=2)), wanted)

    def test_fraud_detection(self):
        wanted, recent = [], collections.defaultdict(dict)
        for index in range(20_000):
            random = Random(index, SEED)
            card, cents, time = random.below(1000), random.below(20_000), index * 100
            if index % 50 < 5:
                card, cents = 7, 90_000
            recent[card][time] = recent[card].get(time, 0) + cents
            found = sum(1 for at, paid in recent[card].items() if time - 60_000 <= at <= time and paid > 50_000)
            if cents > 50_000 and found >= 3:
                wanted.append((card, "three large ones", found, time))
        lines = [line.split(",") for line in run("fraud_detection", "--payments", "20000", "--rate", "20000")]
        alerts = [(int(card), rule, int(found), int(time)) for card, rule, found, time in lines]
        # The rule may come some payments late.
        self.assertTrue(alerts)
        self.assertEqual(alerts, [alert for alert in wanted if alert[3] >= alerts[0][3]])

    def test_top_products(self):
        sales = []
        for index in range(60_000):
            random = Random(index, SEED)
            draw = random.next() | 1 << 10
            level = min((draw & -draw).bit_length() - 1, 9)
            sales.append((index, (1 << level) - 1 + random.below(1 << level)))
        wanted = []
        for end in range(10_000, 120_000, 10_000):
            counts = collections.Counter(product for time, product in sales if end - 60_000 <= time < end)
            ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:10]
            wanted += [f"{end},{rank + 1},{product},{count}" for rank, (product, count) in enumerate(ranked)]
        self.assertEqual(sorted(run("top_products", "--sales", "60000", parallelism=2)), sorted(wanted))

    def test_logins(self):
        by_user = collections.defaultdict(list)
        for index in range(200_000):
            random = Random(index, SEED)
            user, ok = random.below(500), random.below(4) > 0
            by_user[user].append((index * 10, ok))
        wanted = []
        for user, logins in by_user.items():
            failed = []  # at those times, one behind the other
            for time, ok in logins:
                if not ok:
                    failed.append(time)
                    continue
                failed = [start for start in failed if start + 60_000 > time]
                if len(failed) >= 3:
                    wanted.append(f"{user},{len(failed)},{failed[0]},{time}")
                failed = []
        self.assertGreater(len(wanted), 100)
        self.assertEqual(sorted(run("logins", "--logins", "200000", parallelism=2)), sorted(wanted))

    def test_async_enrichment(self):
        countries = ["AT", "BE", "CZ", "DE", "ES", "FI"]
        wanted = []
        for index in range(2000):
            random = Random(index, SEED)
            customer, cents = random.below(5000), random.below(100_000)
            wanted.append(f"{index},customer {customer},{countries[customer % 6]},{cents}")
        for form in ("callback", "coroutine"):
            self.assertEqual(run("async_enrichment", "--orders", "2000", "--form", form), wanted)


SEED = 1

if __name__ == "__main__":
    unittest.main(verbosity=2)
