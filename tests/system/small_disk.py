"""File systems that can be filled up: a tmpfs of a few megabytes, in a mount namespace of the test program's own, so
that none outlives it however it ends."""
import os
import shutil
import subprocess
import sys
import tempfile

INSIDE = "PENSTOCK_SYSTEM_OWN_MOUNTS"
BLOCK_BYTES = 4096
NAMESPACES = (("unshare", "--mount"), ("unshare", "--user", "--map-root-user", "--mount"))


def enter_namespace():
    """Runs the program again where it may mount; returns there. Without any such place it returns the reason."""
    if INSIDE in os.environ:
        return None
    os.environ[INSIDE] = "yes"
    said = ""
    for command in NAMESPACES:
        probe = [*command, "sh", "-c", "mount -t tmpfs -o size=1m tmpfs /mnt"]
        tried = subprocess.run(probe, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               text=True)
        if tried.returncode == 0:
            os.execvp(command[0], [*command, sys.executable, "-B", *sys.argv])
        said += tried.stdout
    del os.environ[INSIDE]
    return f"no file system may be mounted here: {said.strip()}"


class SmallDisk:
    def __init__(self, megabytes):
        self.folder = tempfile.mkdtemp(prefix="penstock-system-disk-")
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "tmpfs", self.folder], check=True)
        self.ballast = os.path.join(self.folder, "ballast")

    def fill(self):
        """Until nothing more goes in."""
        with open(self.ballast, "ab", buffering=0) as file:
            try:
                while True:
                    file.write(b"x" * BLOCK_BYTES)
            except OSError:
                pass

    def make_room(self):
        os.remove(self.ballast)

    def close(self):
        subprocess.run(["umount", "--lazy", self.folder], check=True)
        shutil.rmtree(self.folder)
