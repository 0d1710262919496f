"""The interface a test goes out of: its byte counters and its link speed (Linux)."""

from __future__ import annotations

import socket
import struct
from pathlib import Path
from typing import NamedTuple

_NET = Path("/sys/class/net")
_SIOCGIFADDR = 0x8915


class Counters(NamedTuple):
    """Bytes since the interface came up."""

    received: int
    sent: int


def local_address(address: str, port: int) -> str | None:
    """Return the source address the system would use towards another; sends nothing."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as sock:
            sock.connect((address, port))
            return str(sock.getsockname()[0])
    except OSError:
        return None


def interface_of(address: str | None) -> str | None:
    """Return the name of the interface that carries a local address, None where it cannot be told."""
    if address is None:
        return None
    try:
        return _by_v6(address) if ":" in address else _by_v4(address)
    except (OSError, ImportError):
        return None


def counters(interface: str | None, root: Path = _NET) -> Counters | None:
    """Read the counters of an interface."""
    if interface is None:
        return None
    try:
        received, sent = ((root / interface / "statistics" / f"{way}_bytes").read_text() for way in ("rx", "tx"))
        return Counters(int(received), int(sent))
    except (OSError, ValueError):
        return None


def link_bps(interface: str | None, root: Path = _NET) -> float | None:
    """Return the negotiated speed of a wired interface, None where there is none."""
    if interface is None:
        return None
    try:
        megabits = int((root / interface / "speed").read_text())
    except (OSError, ValueError):
        return None
    return megabits * 1e6 if megabits > 0 else None


def is_virtual(interface: str, root: Path = _NET) -> bool:
    """Has the interface no device behind it? The link speed of such a one means nothing."""
    return not (root / interface / "device").exists()


def _by_v4(address: str) -> str | None:
    import fcntl

    wanted = socket.inet_aton(address)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        for _, name in socket.if_nameindex():
            try:
                answer = fcntl.ioctl(sock, _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
            except OSError:
                continue  # no IPv4 address on this one
            if answer[20:24] == wanted:
                return name
    return "lo" if address.startswith("127.") else None


def _by_v6(address: str) -> str | None:
    wanted = socket.inet_pton(socket.AF_INET6, address.partition("%")[0]).hex()
    for line in Path("/proc/net/if_inet6").read_text().splitlines():
        fields = line.split()
        if fields[0] == wanted:
            return fields[5]
    return None
