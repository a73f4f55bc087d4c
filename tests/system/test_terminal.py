"""The foreground `run` on a terminal: a live line, and Ctrl-C asks."""
import fcntl
import os
import pty
import re
import select
import subprocess
import termios
import time

from cluster import SystemTest, main, program

INTERRUPTED, CANCELED = 130, 6
DEADLINE_S = 60


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, *command, env):
        self.master, slave = pty.openpty()
        self.process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
                                        env=dict(os.environ, **env),
                                        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        os.close(slave)
        self.text = ""

    def await_text(self, pattern):
        end = time.monotonic() + DEADLINE_S
        while not re.search(pattern, self.text):
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.master], [], [], left)[0]:
                raise AssertionError(f"no {pattern!r} in:\n{self.text}")
            try:
                self.text += os.read(self.master, 65536).decode(errors="replace")
            except OSError:  # the other end is closed
                raise AssertionError(f"ended without {pattern!r}:\n{self.text}") from None
        found = re.search(pattern, self.text)
        self.text = self.text[found.end():]
        return found

    def type(self, text):
        os.write(self.master, text.encode())

    def end(self):
        code = self.process.wait(DEADLINE_S)
        os.close(self.master)
        return code


class OnATerminal(SystemTest):
    def test_ctrl_c_asks_whether_to_cancel(self):
        cluster = self.start_cluster()
        command = (program("penstock"), "-m", cluster.rest, "run", program("system_steady"), "--", "--count", "1000000",
                   "--out", os.path.join(cluster.folder, "out"))
        terminal = Terminal(*command, env=cluster.cli_env())
        job = terminal.await_text(r"Job has been submitted with JobID ([0-9a-f]{32})").group(1)
        # Written over and over, in its place.
        terminal.await_text(r"\r\x1b\[KRUNNING  in [0-9,]+/s  out [0-9,]+/s")
        terminal.await_text(r"\r\x1b\[KRUNNING  in [0-9,]+/s  out [0-9,]+/s")
        terminal.type("\x03")
        terminal.await_text(rf"Cancel job {job}\? \[y/N\] ")
        terminal.type("n\n")
        terminal.await_text(rf"Job {job} goes on; `penstock cancel {job}` ends it")
        self.assertEqual(terminal.end(), INTERRUPTED)
        self.assertEqual(cluster.status(job)["state"], "RUNNING")
        self.assertEqual(cluster.cli("cancel", job).returncode, 0)
        cluster.await_state(job, "CANCELED")

        terminal = Terminal(*command, env=cluster.cli_env())
        job = terminal.await_text(r"Job has been submitted with JobID ([0-9a-f]{32})").group(1)
        terminal.await_text(r"RUNNING")
        terminal.type("\x03")
        terminal.await_text(rf"Cancel job {job}\? \[y/N\] ")
        terminal.type("y\n")
        terminal.await_text(rf"Job {job} is CANCELED")
        self.assertEqual(terminal.end(), CANCELED)
        cluster.stop()


if __name__ == "__main__":
    main()
