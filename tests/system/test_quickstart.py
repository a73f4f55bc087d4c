"""`./quickstart` in a folder of its own: it verifies its counts itself and cleans up behind itself."""
import os
import subprocess
import tempfile
import time
import unittest

from cluster import ROOT, main

DEADLINE_S = 200
SECOND_RUN_S = 60
EVENTS = 5000


class Quickstart(unittest.TestCase):
    def run_script(self, *words):
        env = dict(os.environ, PENSTOCK_QUICKSTART_DIR=self.folder.name)
        done = subprocess.run([os.path.join(ROOT, "quickstart"), *words], stdin=subprocess.DEVNULL, text=True, env=env,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=DEADLINE_S)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def processes_left(self):
        """Those that run in the folder or were started with it."""
        left = []
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{entry}/cmdline") as file:
                    command = file.read().replace("\0", " ")
            except OSError:
                continue
            if self.folder.name in command:
                left.append(command)
        return left

    def test_twice_and_stop(self):
        self.folder = tempfile.TemporaryDirectory(prefix="penstock-quickstart-")
        self.addCleanup(self.folder.cleanup)
        self.addCleanup(lambda: self.run_script("stop"))
        said = self.run_script("--events", str(EVENTS))
        for part in ("EQUAL", "0 missing, 0 unexpected", "first rows", "RUNNING", "lag 0", "http://127.0.0.1:"):
            self.assertIn(part, said)
        self.assertEqual(self.processes_left(), [])

        begun = time.monotonic()
        said = self.run_script("--keep", "--events", str(EVENTS))
        self.assertLess(time.monotonic() - begun, SECOND_RUN_S)
        self.assertIn("./quickstart stop", said)
        self.assertTrue(self.processes_left())
        self.run_script("stop")
        self.assertEqual(self.processes_left(), [])


if __name__ == "__main__":
    main()
