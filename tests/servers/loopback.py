"""Reach servers on this machine: free ports and plain HTTP."""

import json
import random
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any

HOST = "127.0.0.1"

# Below the kernel's range for outgoing connections (from 32768), which would otherwise take a port
# between our look and the server's bind.
PORTS = range(20_000, 32_000)

# No proxy of the environment stands between a test and its server.
_opener = urllib.request.build_opener(
    urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=ssl._create_unverified_context())
)


def free_port() -> int:
    """Choose a port on which nobody listens, neither with TCP nor with UDP."""
    for port in random.sample(PORTS, 100):
        with (
            socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tcp,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        ):
            try:
                tcp.bind((HOST, port))
                udp.bind((HOST, port))
            except OSError:
                continue
            return port
    raise RuntimeError(f"No free port in {PORTS}.")


@dataclass(frozen=True)
class Reply:
    """Hold one HTTP answer, whatever its status; status 0 says that nobody answered."""

    status: int
    body: bytes = b""

    @property
    def text(self) -> str:
        """Decode the body as UTF-8."""
        return self.body.decode()

    @property
    def data(self) -> Any:
        """Decode the body as JSON."""
        return json.loads(self.body)


def http(
    method: str, url: str, body: object = None, headers: Mapping[str, str] | None = None, timeout_s: float = 10
) -> Reply:
    """Send one request and give the answer; bytes and text are sent as they are, anything else as JSON."""
    sent = dict(headers or {})
    if body is None or isinstance(body, bytes):
        content = body
    elif isinstance(body, str):
        content = body.encode()
    else:
        content = json.dumps(body).encode()
        sent.setdefault("Content-Type", "application/json")
    request = urllib.request.Request(url, data=content, headers=sent, method=method)
    try:
        with _opener.open(request, timeout=timeout_s) as response:
            return Reply(response.status, response.read())
    except urllib.error.HTTPError as error:
        with error:
            return Reply(error.code, error.read())
    except (OSError, HTTPException):
        return Reply(0)


def answers(url: str, timeout_s: float = 2) -> bool:
    """Tell whether a GET of the address succeeds now."""
    return 200 <= http("GET", url, timeout_s=timeout_s).status < 300
