"""TCP proxies on loopback that break connections, when told to or by chance."""
import collections
import random
import socket
import threading
import time

BLOCK_BYTES = 64 << 10


class CuttingProxy:
    """Cuts the first `cuts` connections that carry more than cut_after_bytes to the target; later ones pass."""

    def __init__(self, target, cut_after_bytes, cuts):
        host, port = target.rsplit(":", 1)
        self.target = (host, int(port))
        self.cut_after_bytes = cut_after_bytes
        self.cuts_left = cuts
        self.upstream_bytes = 0
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client, socket.create_connection(self.target) as server:
            answers = threading.Thread(target=self._pump, args=(server, client, False), daemon=True)
            answers.start()
            self._pump(client, server, True)
            answers.join()

    def _takes_a_cut(self, carried):
        with self.lock:
            if carried <= self.cut_after_bytes or self.cuts_left == 0:
                return False
            self.cuts_left -= 1
            return True

    def _pump(self, source, sink, upstream):
        carried = 0
        try:
            while block := source.recv(BLOCK_BYTES):
                sink.sendall(block)
                carried += len(block)
                if upstream:
                    with self.lock:
                        self.upstream_bytes += len(block)
                    if self._takes_a_cut(carried):
                        break
        except OSError:
            pass  # the other direction has cut
        for each in (source, sink):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class FlakyProxy:
    """Every connection draws how it goes wrong: refused, answered with 503, cut after some bytes of the request or of the
    answer, slowed down."""
    FATES = ("refuse", "503", "cut request", "cut request", "cut answer", "cut answer", "slow")
    CUT_BYTES_MAX = 60_000
    SLOW_BLOCK_BYTES = 4096
    SLOW_PAUSE_S = 0.01

    def __init__(self, target, seed):
        host, port = target.rsplit(":", 1)
        self.target = (host, int(port))
        self.random = random.Random(seed)
        self.seen = collections.Counter()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.address = "127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            fate = self.random.choice(self.FATES)
            self.seen[fate] += 1
            threading.Thread(target=self._serve, args=(client, fate, self.random.randrange(self.CUT_BYTES_MAX)),
                             daemon=True).start()

    def _serve(self, client, fate, cut_bytes):
        with client:
            if fate == "503":
                try:
                    client.recv(BLOCK_BYTES)
                    client.sendall(b"HTTP/1.1 503 Slow Down\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                except OSError:
                    pass
            if fate in ("503", "refuse"):
                return
            try:
                server = socket.create_connection(self.target)
            except OSError:
                return
            with server:
                slow = fate == "slow"
                answers = threading.Thread(target=self._pump, daemon=True, args=(
                    server, client, cut_bytes if fate == "cut answer" else None, slow))
                answers.start()
                self._pump(client, server, cut_bytes if fate == "cut request" else None, slow)
                answers.join()

    def _pump(self, source, sink, cut_bytes, slow):
        carried = 0
        try:
            while block := source.recv(self.SLOW_BLOCK_BYTES if slow else BLOCK_BYTES):
                if cut_bytes is not None and carried + len(block) > cut_bytes:
                    sink.sendall(block[:cut_bytes - carried])
                    break
                sink.sendall(block)
                carried += len(block)
                if slow:
                    time.sleep(self.SLOW_PAUSE_S)
        except OSError:
            pass  # the other direction has cut
        for each in (source, sink):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
