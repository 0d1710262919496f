"""Raw packets by scapy, the one file that knows it: probes with a chosen TTL out, answers with kernel timestamps in."""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import logging
import random
import select
import socket
import struct
import time
import warnings
from collections.abc import Iterator
from enum import StrEnum
from types import SimpleNamespace
from typing import Any, NamedTuple

from measurement.errors import ConfigError
from probe.path import kernel_filter

HEADER_BYTES = {4: 28, 6: 48}
UDP_PORT = 33_434
"""traceroute's own: nothing listens there, so the destination says so."""
TCP_PORT = 443
SMALLEST_BYTES = 60


class ProbeKind(StrEnum):
    """What the probes look like to the network."""

    UDP = "udp"
    TCP = "tcp"
    ICMP = "icmp"


class Probe(NamedTuple):
    """One packet to send; `size_bytes` is all of the IP packet, which may not be fragmented."""

    number: int
    ttl: int
    size_bytes: int = SMALLEST_BYTES


class Answer(NamedTuple):
    """What came back for a probe. `next_mtu_bytes` is set where a router says that the packet was too big."""

    number: int
    address: str
    rtt_ms: float
    is_destination: bool
    next_mtu_bytes: int | None = None
    is_refusal: bool = False


@functools.cache
def _scapy() -> SimpleNamespace:
    """Load scapy, which takes half a second and warns about what does not concern us."""
    logging.getLogger("scapy").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from scapy.config import conf
        from scapy.layers import inet, inet6
        from scapy.packet import Raw
        from scapy.utils import PcapWriter
    conf.verb = 0
    return SimpleNamespace(conf=conf, inet=inet, inet6=inet6, Raw=Raw, PcapWriter=PcapWriter)


class Link:
    """Raw sockets to one host.

    Raises
    ------
    PermissionError
        Where this process may not open raw sockets.
    OSError
        Where the name does not resolve.
    """

    def __init__(
        self,
        host: str,
        kind: ProbeKind,
        *,
        port: int | None = None,
        rng: random.Random | None = None,
        pcap: str | None = None,
        ip_version: int | None = None,
    ) -> None:
        family = {None: 0, 4: socket.AF_INET, 6: socket.AF_INET6}[ip_version]
        found = socket.getaddrinfo(host, None, family, socket.SOCK_DGRAM)[0]
        self.address, self.kind = str(found[4][0]), kind
        self.ip_version = 6 if found[0] == socket.AF_INET6 else 4
        rng = rng or random.Random()
        self._port = port or {ProbeKind.UDP: UDP_PORT, ProbeKind.TCP: TCP_PORT}.get(kind, 0)
        # One flow for all probes, so that routers which balance by flow send all on one way (as Paris traceroute).
        self._source_port, self._identifier = rng.randrange(33_000, 61_000), rng.randrange(1 << 16)
        self._sequence = rng.randrange(1 << 31)
        self._sent: dict[int, float] = {}
        self._errors6: tuple[Any, ...] = ()
        self._writer: Any = None
        # Ask the kernel first: scapy's own complaint would be a stack of frames.
        socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()
        self._scapy = _scapy()
        v6 = self._scapy.inet6
        self._errors6 = (v6.ICMPv6TimeExceeded, v6.ICMPv6DestUnreach, v6.ICMPv6PacketTooBig)
        self._socket = self._open()
        self._writer = self._open_pcap(pcap)

    def __enter__(self) -> Link:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        if self._writer is not None:
            self._writer.close()

    def _open(self) -> Any:
        scapy = self._scapy
        # Not PF_PACKET for sending: the kernel routes and resolves neighbours, also on a modem's raw-IP interface.
        name = "L3RawSocket" if self.ip_version == 4 else "L3RawSocket6"
        module = scapy.conf if not hasattr(socket, "AF_PACKET") else _supersocket()
        if module is scapy.conf:
            return scapy.conf.L3socket() if self.ip_version == 4 else scapy.conf.L3socket6()
        route = scapy.conf.route if self.ip_version == 4 else scapy.conf.route6
        interface = route.route(self.address)[0]
        opened = getattr(module, name)(iface=interface)
        with contextlib.suppress(OSError):
            opened.ins.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
            opened.ins.setsockopt(socket.SOL_SOCKET, 35, 1)  # SO_TIMESTAMPNS
            opened.auxdata_available = True
        kernel_filter.attach(opened.ins, self.address)
        return opened

    def _open_pcap(self, path: str | None) -> Any:
        if path is None:
            return None
        try:
            return self._scapy.PcapWriter(path, linktype=101, sync=True)  # LINKTYPE_RAW: packets begin at IP
        except OSError as error:
            self._socket.close()
            raise ConfigError(f"{path}: Cannot write the capture. {error.strerror}.") from None

    def _keep(self, packet: Any) -> None:
        if self._writer is not None:
            self._writer.write(packet)

    def send(self, probe: Probe) -> None:
        """Send a probe; what the local system refuses (no route, larger than the interface) is silence, or OSError."""
        packet = self._network_layer(probe) / self._transport_layer(probe)
        self._sent[probe.number] = time.time()
        self._socket.send(packet)
        packet.time = self._sent[probe.number]
        self._keep(packet)

    def _network_layer(self, probe: Probe) -> Any:
        if self.ip_version == 4:
            return self._scapy.inet.IP(dst=self.address, ttl=probe.ttl, id=probe.number & 0xFFFF or 1, flags="DF")
        return self._scapy.inet6.IPv6(dst=self.address, hlim=probe.ttl)

    def _transport_layer(self, probe: Probe) -> Any:
        scapy, number = self._scapy, probe.number
        fill = max(0, probe.size_bytes - HEADER_BYTES[self.ip_version])
        payload = number.to_bytes(4, "big") + bytes(max(0, fill - 4))
        if self.kind is ProbeKind.TCP:
            return scapy.inet.TCP(sport=self._source_port, dport=self._port, seq=self._sequence + number, flags="S")
        if self.kind is ProbeKind.UDP:
            return scapy.inet.UDP(sport=self._source_port, dport=self._port) / scapy.Raw(payload)
        if self.ip_version == 4:
            return scapy.inet.ICMP(id=self._identifier, seq=number & 0xFFFF) / scapy.Raw(payload)
        return scapy.inet6.ICMPv6EchoRequest(id=self._identifier, seq=number & 0xFFFF, data=payload)

    def receive(self, timeout_s: float) -> Iterator[Answer]:
        """Yield the answers that wait, after at most `timeout_s` for the first."""
        ready = select.select([self._socket], [], [], max(0.0, timeout_s))[0]
        while ready:
            # Whatever is on the wire may come in here, and what cannot be read is none of ours.
            with contextlib.suppress(OSError, ValueError, AttributeError, IndexError, TypeError, struct.error):
                packet = self._socket.recv()
                answer = None if packet is None else self._read(packet)
                if answer is not None:
                    self._keep(packet)
                    yield answer
            ready = select.select([self._socket], [], [], 0)[0]

    def _read(self, packet: Any) -> Answer | None:
        inet, inet6 = self._scapy.inet, self._scapy.inet6
        ip = packet.getlayer(inet.IP if self.ip_version == 4 else inet6.IPv6)
        if ip is None:
            return None
        errors = (inet.ICMP,) if self.ip_version == 4 else self._errors6
        error = next((found for kind in errors if (found := ip.getlayer(kind)) is not None), None)
        quoted = None if error is None else error.getlayer(inet.IPerror if self.ip_version == 4 else inet6.IPerror6)
        if quoted is not None:
            return self._read_error(packet, ip, error, quoted)
        number = self._number_of_reply(ip)
        return None if number is None else self._answer(packet, ip, number)

    def _answer(
        self, packet: Any, ip: Any, number: int, mtu: int | None = None, refused: bool = False
    ) -> Answer | None:
        sent = self._sent.get(number)
        if sent is None:
            return None
        rtt_ms = max(0.001, (float(packet.time) - sent) * 1000)
        is_here = ipaddress.ip_address(ip.src) == ipaddress.ip_address(self.address)
        return Answer(number, str(ip.src), rtt_ms, is_here and mtu is None, mtu, refused)

    def _number_of_reply(self, ip: Any) -> int | None:
        """Return which probe the destination itself answers."""
        inet, inet6 = self._scapy.inet, self._scapy.inet6
        if self.kind is ProbeKind.TCP:
            tcp = ip.getlayer(inet.TCP)
            if tcp is None or (tcp.dport, tcp.sport) != (self._source_port, self._port):
                return None
            return int(tcp.ack - 1 - self._sequence) & 0xFFFFFFFF
        echo = ip.getlayer(inet.ICMP if self.ip_version == 4 else inet6.ICMPv6EchoReply)
        if self.kind is not ProbeKind.ICMP or echo is None or echo.type not in (0, 129):
            return None
        return self._whole(int(echo.seq)) if echo.id == self._identifier else None

    def _read_error(self, packet: Any, ip: Any, error: Any, quoted: Any) -> Answer | None:
        """Read a router's complaint, which quotes the head of our probe."""
        number = self._number_of_quote(quoted)
        if number is None:
            return None
        if self.ip_version == 4:
            is_too_big = (error.type, error.code) == (3, 4)
            mtu = int(error.nexthopmtu) if is_too_big else None
            is_unreachable = error.type == 3 and not is_too_big
        else:
            mtu = int(error.mtu) if error.type == 2 else None
            is_unreachable = error.type == 1
        return self._answer(packet, ip, number, mtu, is_unreachable)

    def _number_of_quote(self, quoted: Any) -> int | None:
        if ipaddress.ip_address(quoted.dst) != ipaddress.ip_address(self.address):
            return None
        inet, inet6 = self._scapy.inet, self._scapy.inet6
        if self.kind is ProbeKind.TCP:
            tcp = quoted.getlayer(inet.TCPerror) or quoted.getlayer(inet.TCP)
            is_ours = tcp is not None and tcp.sport == self._source_port
            return (int(tcp.seq) - self._sequence) & 0xFFFFFFFF if is_ours else None
        if self.kind is ProbeKind.ICMP:
            echo = quoted.getlayer(inet.ICMPerror if self.ip_version == 4 else inet6.ICMPv6EchoRequest)
            is_ours = echo is not None and echo.id == self._identifier
            return self._whole(int(echo.seq)) if is_ours else None
        udp = quoted.getlayer(inet.UDPerror) or quoted.getlayer(inet.UDP)
        if udp is None or udp.sport != self._source_port:
            return None
        if self.ip_version == 4:
            return self._whole(int(quoted.id))
        return int.from_bytes(bytes(udp.payload)[:4], "big")

    def _whole(self, low: int) -> int | None:
        """Return the latest probe whose number ends in these 16 bits."""
        return next((number for number in reversed(self._sent) if (number & 0xFFFF or 1) == (low or 1)), None)


def _supersocket() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from scapy import supersocket
    return supersocket
