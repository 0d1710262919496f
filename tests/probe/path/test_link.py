"""The reading of packets: what is ours is found, what is not is left, whatever the bytes."""

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.path.link import Answer, Link, Probe, ProbeKind, _scapy

HERE, THERE, ROUTER = "192.0.2.1", "192.0.2.9", "192.0.2.5"


def link(kind: ProbeKind, ip_version: int = 4) -> Link:
    """A link without sockets, which has sent probe 7."""
    made = Link.__new__(Link)
    made._scapy = _scapy()
    v6 = made._scapy.inet6
    made.address, made.kind, made.ip_version = (THERE if ip_version == 4 else "2001:db8::9"), kind, ip_version
    made._port, made._source_port, made._identifier, made._sequence = 443, 40_000, 0x1234, 1_000_000
    made._sent, made._writer = {7: time.time()}, None
    made._errors6 = (v6.ICMPv6TimeExceeded, v6.ICMPv6DestUnreach, v6.ICMPv6PacketTooBig)
    return made


def sent(made: Link) -> object:
    return made._network_layer(Probe(7, 3)) / made._transport_layer(Probe(7, 3))


def arrived(made: Link, packet: object) -> Answer | None:
    kind = made._scapy.inet.IP if made.ip_version == 4 else made._scapy.inet6.IPv6
    read = kind(bytes(packet))
    read.time = time.time() + 0.01
    return made._read(read)


def exceeded(made: Link, quoted: bytes) -> object:
    inet, inet6, raw = made._scapy.inet, made._scapy.inet6, made._scapy.Raw
    if made.ip_version == 4:
        return inet.IP(src=ROUTER, dst=HERE) / inet.ICMP(type=11) / raw(quoted)
    return inet6.IPv6(src="2001:db8::5", dst="2001:db8::1") / inet6.ICMPv6TimeExceeded() / raw(quoted)


@pytest.mark.parametrize("kind", list(ProbeKind))
@pytest.mark.parametrize("ip_version", [4, 6])
def test_a_routers_complaint_names_the_probe(kind: ProbeKind, ip_version: int) -> None:
    made = link(kind, ip_version)
    packet = sent(made)
    packet.src = HERE if ip_version == 4 else "2001:db8::1"
    found = arrived(made, exceeded(made, bytes(packet)))
    assert found.number == 7
    assert found.address == (ROUTER if ip_version == 4 else "2001:db8::5")
    assert not found.is_destination
    assert 0 < found.rtt_ms < 1000


@pytest.mark.parametrize("kind", list(ProbeKind))
def test_eight_quoted_octets_are_enough_over_ipv4(kind: ProbeKind) -> None:
    made = link(kind)
    packet = sent(made)
    packet.src = HERE
    assert arrived(made, exceeded(made, bytes(packet)[:28])).number == 7


@pytest.mark.parametrize("kind", list(ProbeKind))
def test_the_complaint_about_anothers_packet_is_left(kind: ProbeKind) -> None:
    made = link(kind)
    packet = sent(made)
    packet.src, packet.dst = HERE, "192.0.2.77"
    assert arrived(made, exceeded(made, bytes(packet))) is None


def test_a_packet_too_big_names_the_size() -> None:
    made = link(ProbeKind.ICMP)
    inet, raw = made._scapy.inet, made._scapy.Raw
    packet = sent(made)
    packet.src = HERE
    error = inet.IP(src=ROUTER, dst=HERE) / inet.ICMP(type=3, code=4, nexthopmtu=1400) / raw(bytes(packet))
    found = arrived(made, error)
    assert (found.next_mtu_bytes, found.is_destination, found.is_refusal) == (1400, False, False)


def test_replies_of_the_destination() -> None:
    made = link(ProbeKind.TCP)
    inet = made._scapy.inet
    for flags in ("SA", "R"):
        reply = inet.IP(src=THERE, dst=HERE) / inet.TCP(sport=443, dport=40_000, ack=1_000_008, flags=flags)
        found = arrived(made, reply)
        assert (found.number, found.is_destination) == (7, True)
    other = inet.IP(src=THERE, dst=HERE) / inet.TCP(sport=443, dport=40_001, ack=1_000_008, flags="SA")
    assert arrived(made, other) is None
    made = link(ProbeKind.ICMP)
    assert arrived(made, inet.IP(src=THERE, dst=HERE) / inet.ICMP(type=0, id=0x1234, seq=7)).is_destination
    assert arrived(made, inet.IP(src=THERE, dst=HERE) / inet.ICMP(type=0, id=0x9999, seq=7)) is None
    assert arrived(made, inet.IP(src=THERE, dst=HERE) / inet.ICMP(type=0, id=0x1234, seq=8)) is None


@given(st.sampled_from(list(ProbeKind)), st.sampled_from([4, 6]), st.integers(0, 90), st.randoms())
@settings(max_examples=150, deadline=None)
def test_torn_and_bent_packets_are_read_or_left(kind: ProbeKind, ip_version: int, cut: int, rng: random.Random) -> None:
    made = link(kind, ip_version)
    packet = sent(made)
    packet.src = HERE if ip_version == 4 else "2001:db8::1"
    data = bytearray(bytes(exceeded(made, bytes(packet))))
    for _ in range(rng.randrange(4)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    whole = bytes(data[: len(data) - cut % len(data)])

    class Wire:
        """One packet, as the socket would give it."""

        left = 1

        def fileno(self) -> int:
            return 0

        def recv(self) -> object:
            self.left = 0
            layer = made._scapy.inet.IP if ip_version == 4 else made._scapy.inet6.IPv6
            read = layer(whole)
            read.time = time.time()
            return read

    made._socket = Wire()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("probe.path.link.select.select", lambda *_: ([1] if made._socket.left else [], [], []))
        for answer in made.receive(0):
            assert answer.number in (7, 0) or answer.number in made._sent
