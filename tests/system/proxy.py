"""A TCP proxy on loopback that breaks connections when told to."""
import socket
import threading

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
