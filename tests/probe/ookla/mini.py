"""A Speedtest Mini server, as Ookla's package served it: a page that names its extension, pictures, and an upload."""

import contextlib
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BYTES_PER_PIXEL = 2

# What speedtest.net answers, shortened to what speedtest-cli reads.
CONFIG = b"""<?xml version="1.0"?><settings>
<client ip="192.0.2.1" lat="20.86" lon="106.68" isp="x" country="VN" isprating="0" rating="0"/>
<server-config threadcount="4" ignoreids=""/>
<download testlength="10" threadsperurl="4"/>
<upload testlength="10" ratio="5" threads="2" maxchunkcount="50" mintestsize="0"/>
</settings>"""
SERVERS = b"""<?xml version="1.0"?><settings><servers>
<server url="http://127.0.0.1:%d/speedtest/upload.php" lat="20.86" lon="106.68" name="Hai Phong" country="Vietnam"
 cc="VN" sponsor="x" id="1" host="127.0.0.1:8080"/>
</servers></settings>"""


class Mini(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    page = b'<html><script>var config = { upload_extension: "php" };</script></html>'

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        picture = re.fullmatch(r"/speedtest/random(\d+)x\1\.jpg", path)
        port = self.server.server_address[1]
        if path == "/speedtest-config.php":
            self.give(CONFIG)
        elif path.startswith("/speedtest-servers"):
            self.give(SERVERS % port)
        elif path == "/":
            self.give(self.page)
        elif path == "/speedtest/latency.txt":
            self.give(b"test=test\n")
        elif picture:
            self.give(b"\x5a" * (BYTES_PER_PIXEL * int(picture[1]) ** 2))
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        left = size = int(self.headers["Content-Length"])
        while left:
            data = self.rfile.read(min(left, 65536))
            if not data:
                return
            left -= len(data)
        self.give(b"size=%d" % size)

    def give(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextlib.contextmanager
def mini(**changes: object) -> Iterator[str]:
    """Serve one; gives its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), type("Here", (Mini,), changes)) as server:
        server.daemon_threads = True
        server.handle_error = lambda *_: None  # type: ignore[method-assign]
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
