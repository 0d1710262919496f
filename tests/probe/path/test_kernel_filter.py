"""The filter lets through what may answer a probe, and nothing else: run by the kernel itself on loopback."""

import os
import socket

import pytest

from probe.path import kernel_filter


def seen(sock: socket.socket, mark: bytes) -> bytes:
    """Return all captured packets that carry the mark."""
    found = b""
    while True:
        try:
            packet = sock.recv(4096)
        except TimeoutError:
            return found
        found += packet if mark in packet else b""


@pytest.mark.root
@pytest.mark.skipif(os.geteuid() != 0, reason="a capturing socket needs root")
@pytest.mark.parametrize(
    ("family", "kind", "here", "other", "icmp"),
    [
        (socket.AF_INET, 0x0800, "127.0.0.1", "127.0.0.2", (socket.IPPROTO_ICMP, b"\x08\x00\x00\x00")),
        (socket.AF_INET6, 0x86DD, "::1", "2001:db8::1", (socket.IPPROTO_ICMPV6, b"\x80\x00\x00\x00")),
    ],
)
def test_the_kernel_runs_it(family: int, kind: int, here: str, other: str, icmp: tuple[int, bytes]) -> None:
    with (
        socket.socket(family, socket.SOCK_DGRAM) as listener,
        socket.socket(family, socket.SOCK_DGRAM) as udp,
        socket.socket(family, socket.SOCK_RAW, icmp[0]) as raw,
    ):
        listener.bind((here, 0))  # a closed port would be answered by ICMP, which quotes the packet
        for watched, passes in ((here, True), (other, False)):
            mark = os.urandom(16)
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(kind)) as capture:
                capture.bind(("lo", kind))
                kernel_filter.attach(capture, watched)
                capture.settimeout(0.3)
                udp.sendto(b"udp" + mark, listener.getsockname())
                raw.sendto(icmp[1] + b"\0\0\0\0icmp" + mark, (here, 0))
                told = seen(capture, mark)
            assert (b"udp" + mark in told) is passes
            assert b"icmp" + mark in told
