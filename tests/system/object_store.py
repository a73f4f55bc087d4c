"""A real S3 server for a test program, which it does not outlive, and a proxy before it that can be told to fail."""
import os
import shutil
import signal
import subprocess
import sys
import tempfile

from cluster import ROOT, await_that

S3 = os.path.join(ROOT, "tests", "support", "s3", "s3.py")
START_DEADLINE_S = 600  # the first start builds the server
STOP_DEADLINE_S = 40
sys.path.insert(0, os.path.dirname(S3))
import s3  # noqa: E402


class ObjectStore:
    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="penstock-system-s3-")
        self.process = None
        self.start()

    def start(self):
        """Again with the same objects at the same address, once it was stopped."""
        port_file = os.path.join(self.folder, "address")
        if os.path.exists(port_file):
            os.remove(port_file)
        self.process = subprocess.Popen(["python3", "-B", S3, "run", "--dir", os.path.join(self.folder, "server"),
                                         "--port-file", port_file, "--with-parent"], stdin=subprocess.DEVNULL)

        def is_up():
            if self.process.poll() is not None:
                raise AssertionError("the S3 server did not start; see the lines above")
            return os.path.exists(port_file)

        await_that("the S3 server is up", is_up, START_DEADLINE_S)
        with open(port_file) as file:
            self.address = file.read().strip()

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=STOP_DEADLINE_S)

    def close(self):
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def environment(self):
        """Where processes find their key."""
        return {"AWS_ACCESS_KEY_ID": s3.ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": s3.SECRET_KEY}

    def uri(self, prefix):
        return f"s3://{s3.BUCKET}/{prefix}"

    def objects(self, prefix):
        """{name below the prefix: bytes}."""
        root = os.path.join(self.folder, "server", "data", s3.BUCKET, prefix)
        return {os.path.relpath(os.path.join(folder, name), root): os.path.getsize(os.path.join(folder, name))
                for folder, _, names in os.walk(root) for name in names}
