"""An HTTP proxy on loopback that goes wrong as it is told, request by request; signatures stay valid, as the headers
pass unchanged."""
import http.client
import http.server
import socket
import struct
import threading
import time
import urllib.parse

ANSWER_BYTES_MAX = 64 << 20


class Request:
    """What a rule sees."""

    def __init__(self, method, path, body_bytes):
        self.method, self.path, self.body_bytes = method, path, body_bytes

    @property
    def of_upload_in_parts(self):
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query, keep_blank_values=True)
        return "uploads" in query or "uploadId" in query


class RuledProxy:
    """rule(Request) says what becomes of it: None (it passes), a status to answer with, a pause ("pause", seconds),
    "cut request" (reset in the middle of its body) or "cut answer". Rules may be replaced at any time."""

    def __init__(self, target):
        self.target = target
        self.rule = lambda request: None
        self.spoilt = 0  # requests that did not just pass
        self.lock = threading.Lock()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.address = "127.0.0.1:%d" % self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def set_rule(self, rule):
        """The number of requests that the former one has spoilt."""
        with self.lock:
            spoilt, self.spoilt = self.spoilt, 0
            self.rule = rule
        return spoilt

    def _fate_of(self, request):
        with self.lock:
            fate = self.rule(request)
            self.spoilt += fate is not None
        return fate

    def _handler(proxy):
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def reset(self):
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                self.connection.shutdown(socket.SHUT_RD)
                self.close_connection = True
                self.connection.close()

            def serve(self):
                size = int(self.headers.get("Content-Length", 0))
                fate = proxy._fate_of(Request(self.command, self.path, size))
                if fate == "cut request":
                    self.rfile.read(size // 2)
                    return self.reset()
                body = self.rfile.read(size)
                if isinstance(fate, int):
                    return self.answer(fate, {"Content-Length": "0"}, b"")
                if isinstance(fate, tuple):
                    time.sleep(fate[1])
                status, headers, content = self.forward(body)
                if fate == "cut answer":
                    self.answer(status, headers, content[:len(content) // 2])
                    self.wfile.flush()
                    return self.reset()
                return self.answer(status, headers, content)

            def forward(self, body):
                upstream = http.client.HTTPConnection(proxy.target, timeout=60)
                try:
                    upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                    for name, value in self.headers.items():
                        if name.lower() not in ("expect", "connection"):
                            upstream.putheader(name, value)
                    upstream.endheaders(body)
                    answer = upstream.getresponse()
                    content = answer.read(ANSWER_BYTES_MAX)
                    headers = {name: value for name, value in answer.getheaders()
                               if name.lower() not in ("connection", "transfer-encoding")}
                    if "Content-Length" not in headers:
                        headers["Content-Length"] = str(len(content))
                    return answer.status, headers, content
                finally:
                    upstream.close()

            def answer(self, status, headers, content):
                self.send_response_only(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(content)

            do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = serve

        return Handler
