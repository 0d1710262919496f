"""Whatever bytes arrive, the peer answers with an error or closes; nothing of ours breaks and it serves on."""

from __future__ import annotations

import contextlib
import logging
import socket
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from probe.peer.router import ROUTES
from probe.peer.server import Peer
from probe.peer.state import PeerSettings
from tests.servers.loopback import http

verbs = st.sampled_from(["GET", "POST", "HEAD", "PUT", "OPTIONS", "", "get", "\x00"])
paths = st.one_of(
    st.sampled_from(sorted(ROUTES)),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40).map(lambda text: f"/{text}"),
)
queries = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=40)
fields = st.dictionaries(
    st.sampled_from(["Host", "Content-Length", "Transfer-Encoding", "Connection", "Expect", "Upgrade", "X"]),
    st.one_of(st.integers(-5, 50).map(str), st.sampled_from(["chunked", "close", "websocket", "100-continue", "é"])),
    max_size=5,
)


@st.composite
def heads(draw: st.DrawFn) -> bytes:
    lines = [f"{draw(verbs)} {draw(paths)}?{draw(queries)} HTTP/{draw(st.sampled_from(['1.0', '1.1', '2.0', 'x']))}"]
    lines += [f"{name}: {value}" for name, value in draw(fields).items()]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + draw(st.binary(max_size=30))


@pytest.fixture(scope="module")
def peer() -> Iterator[Peer]:
    one = Peer(PeerSettings(host="127.0.0.1", port=0, stamp_port=-1))
    one.start()
    yield one
    one.stop(0.1)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.one_of(st.binary(max_size=300), heads()))
def test_any_bytes(peer: Peer, caplog: pytest.LogCaptureFixture, data: bytes) -> None:
    with caplog.at_level(logging.ERROR), socket.create_connection(("127.0.0.1", peer.port), 5) as sock:
        answer = b""
        with contextlib.suppress(ConnectionError):
            sock.sendall(data)
            sock.shutdown(socket.SHUT_WR)
            while len(answer) < 100_000 and (part := sock.recv(65_536)):
                answer += part
    assert answer == b"" or answer.startswith(b"HTTP/1.1 ")
    assert not caplog.records
    assert http("GET", f"{peer.url}/healthz").status == 200
