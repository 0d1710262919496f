"""The truth lab: a line whose rate, round trip and loss are known, between two network namespaces.

    with line(rate_bps=50e6, rtt_ms=40, loss=0.001) as lab:
        lab.run("probe", ["ping", "-c", "3", lab.peer_address])

probe ──veth, shaper── middle ──(TUN relay, delay)── peer. Without delay the veth goes straight to the peer. The rate is
shaped by `tbf` or `htb` where packets leave for the shaped link, loss is nftables' at random where they arrive. With
loss and delay a gate stands between probe and middle: single packets are lost there, and joined again for the relay.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.lab.shaper import Shaper

RELAY = Path(__file__).with_name("relay.py")
PAYLOAD_SHARE = 1448 / 1514
"""TCP payload of a full frame over what the shaper counts of it: Ethernet 14, IPv4 20, TCP with timestamps 32 bytes."""
PROBE, PEER, MIDDLE_NEAR, MIDDLE_FAR = "198.18.0.1", "198.18.1.1", "198.18.0.2", "198.18.1.2"  # RFC 2544's own range
GATE_INNER, MIDDLE_INNER = "198.18.2.1", "198.18.2.2"
_numbers = itertools.count()


@dataclass
class Lab:
    """A line that stands. Truth is `goodput_bps`: what TCP can carry of the shaped rate."""

    name: str
    downlink_bps: float
    uplink_bps: float
    rtt_ms: float
    loss: float
    peer_address: str = PEER
    probe_address: str = PROBE
    _processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def namespace(self, end: str) -> str:
        """Return the namespace of an end: `probe`, `middle` or `peer`."""
        return f"{self.name}-{end}"

    def goodput_bps(self, direction: str = "downlink") -> float:
        """Return the true goodput of a direction."""
        return (self.downlink_bps if direction == "downlink" else self.uplink_bps) * PAYLOAD_SHARE

    def run(self, end: str, command: Sequence[str], timeout: float = 60, **options: object) -> str:
        """Run a command at one end and return what it printed."""
        whole = ["ip", "netns", "exec", self.namespace(end), *map(str, command)]
        done = subprocess.run(whole, capture_output=True, text=True, timeout=timeout, check=False, **options)  # type: ignore[call-overload]
        if done.returncode:
            raise RuntimeError(f"{' '.join(whole)} ended with {done.returncode}: {done.stderr.strip()}")
        return str(done.stdout)

    run_in = run

    def start(self, end: str, command: Sequence[str], **options: object) -> subprocess.Popen[bytes]:
        """Start a command at one end; it is ended with the line."""
        whole = ["ip", "netns", "exec", self.namespace(end), *map(str, command)]
        process = subprocess.Popen(whole, **options)  # type: ignore[call-overload]
        self._processes.append(process)
        return process  # type: ignore[no-any-return]

    def stop(self) -> None:
        """End what was started and take the line down."""
        for process in reversed(self._processes):
            with contextlib.suppress(OSError):
                process.terminate()
        for process in self._processes:
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            for stream in (process.stdout, process.stderr, process.stdin):
                if stream is not None:
                    stream.close()
        for end in ("probe", "gate", "middle", "peer"):
            subprocess.run(["ip", "netns", "del", self.namespace(end)], capture_output=True, check=False)


def missing() -> str | None:
    """Return what keeps the lab from standing here, by name; None where nothing does."""
    if sys.platform != "linux":
        return "the lab needs Linux"
    for program in ("ip", "tc", "nft", "ethtool"):
        if shutil.which(program) is None:
            return f"the lab needs {program}"
    if os.geteuid() != 0:
        return "the lab needs root"
    if not os.path.exists("/dev/net/tun"):
        return "the lab needs /dev/net/tun"
    name = f"hd{os.getpid()}-try"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return None if made.returncode == 0 else f"the lab needs network namespaces: {made.stderr.strip()}"


def require() -> None:
    """Skip by name where the lab cannot stand; fail where it must (HAIDANG_REQUIRE_SERVERS=1)."""
    why = missing()
    if why is None:
        return
    if os.environ.get("HAIDANG_REQUIRE_SERVERS") == "1":
        pytest.fail(f"{why}; HAIDANG_REQUIRE_SERVERS=1 makes that a failure")
    pytest.skip(why)


@contextlib.contextmanager
def ahead() -> Iterator[bool]:
    """Put this process and what it starts before the machine's other work for a while; say whether we may.

    Shaper and relay are programs too: a line whose processor is taken carries less than it should.
    """
    group, before = Path("/proc/self/autogroup"), os.getpriority(os.PRIO_PROCESS, 0)
    try:
        os.setpriority(os.PRIO_PROCESS, 0, -15)
    except OSError:
        yield False
        return
    old = group.read_text().rpartition("nice ")[2].strip() if group.exists() else ""
    _set(group, "-20")
    try:
        yield True
    finally:
        os.setpriority(os.PRIO_PROCESS, 0, before)
        _set(group, old)


def _set(path: Path, text: str) -> None:
    with contextlib.suppress(OSError):
        if text:
            path.write_text(text)


@contextlib.contextmanager
def line(
    rate_bps: float = 0.0,
    rtt_ms: float = 0.0,
    loss: float = 0.0,
    *,
    downlink_bps: float | None = None,
    uplink_bps: float | None = None,
    shaper: str = "tbf",
    burst_ms: float = 1.0,
    buffer_ms: float | None = None,
) -> Iterator[Lab]:
    """Set a line up and take it down. A rate of 0 is not shaped; `burst_ms` is the shaper's bucket at its rate.

    `shaper` is `tbf` or `htb`, the token buckets that carriers' equipment has.
    `buffer_ms` is the queue before the shaper; by default a bandwidth-delay product and a quarter, 60 ms at least.
    """
    lab = Lab(
        f"hd{os.getpid()}n{next(_numbers)}",
        rate_bps if downlink_bps is None else downlink_bps,
        rate_bps if uplink_bps is None else uplink_bps,
        rtt_ms,
        loss,
    )
    try:
        _set_up(lab, Shaper(shaper, burst_ms, max(60.0, 1.25 * rtt_ms) if buffer_ms is None else buffer_ms))
        yield lab
    finally:
        lab.stop()


def _set_up(lab: Lab, shaper: Shaper) -> None:
    has_delay = lab.rtt_ms > 0
    has_gate = has_delay and lab.loss > 0
    far_end = "gate" if has_gate else "middle" if has_delay else "peer"
    for end in ("probe", "peer", *(["middle"] if has_delay else []), *(["gate"] if has_gate else [])):
        _sh("ip", "netns", "add", lab.namespace(end))
        lab.run(end, ["ip", "link", "set", "lo", "up"])
    near = ["name", "line0", "netns", lab.namespace("probe")]
    _sh("ip", "link", "add", *near, "type", "veth", "peer", "name", "line1", "netns", lab.namespace(far_end))
    lab.run("probe", ["ip", "address", "add", f"{PROBE}/24", "dev", "line0"])
    lab.run(far_end, ["ip", "address", "add", f"{MIDDLE_NEAR if has_delay else PEER}/24", "dev", "line1"])
    for end, device in (("probe", "line0"), (far_end, "line1")):
        lab.run(end, ["ip", "link", "set", device, "up"])
    if has_delay:
        _delay(lab)
        if has_gate:
            _join(lab)
    else:
        lab.run("probe", ["ip", "route", "add", f"{PEER}/32", "dev", "line0"])
        lab.run("peer", ["ip", "route", "add", f"{PROBE}/32", "dev", "line1"])
    for end, device, rate_bps in (("probe", "line0", lab.uplink_bps), (far_end, "line1", lab.downlink_bps)):
        if rate_bps > 0:
            for words in shaper.words(device, rate_bps):
                lab.run(end, ["tc", *words])
    if lab.loss > 0:
        for end, device in (("probe", "line0"), (far_end, "line1")):
            _lose(lab, end, device)


def _delay(lab: Lab) -> None:
    command = [sys.executable, str(RELAY), "near0", "far0", str(lab.rtt_ms / 2)]
    relay = lab.start("middle", command, stdout=subprocess.PIPE)
    assert relay.stdout is not None
    if relay.stdout.readline().strip() != b"ready":
        raise RuntimeError("the relay did not start")
    lab.run("middle", ["ip", "link", "set", "far0", "netns", lab.namespace("peer")])
    for end, device, address in (("middle", "near0", MIDDLE_FAR), ("peer", "far0", PEER)):
        lab.run(end, ["ip", "address", "add", f"{address}/24", "dev", device])
        lab.run(end, ["ip", "link", "set", device, "txqueuelen", "20000", "up"])
    lab.run("middle", ["sysctl", "-qw", "net.ipv4.ip_forward=1"])
    lab.run("probe", ["ip", "route", "add", "default", "via", MIDDLE_NEAR])
    lab.run("peer", ["ip", "route", "add", "default", "via", MIDDLE_FAR])


def _join(lab: Lab) -> None:
    """Link gate and middle by a veth whose inner end joins packets again."""
    outer = ["name", "line2", "netns", lab.namespace("gate")]
    _sh("ip", "link", "add", *outer, "type", "veth", "peer", "name", "line3", "netns", lab.namespace("middle"))
    for end, device, address in (("gate", "line2", GATE_INNER), ("middle", "line3", MIDDLE_INNER)):
        lab.run(end, ["ip", "address", "add", f"{address}/24", "dev", device])
        lab.run(end, ["ip", "link", "set", device, "up"])
    # veth joins only what comes from a device that does not segment.
    lab.run("gate", ["ethtool", "-K", "line2", "tso", "off"])
    lab.run("middle", ["ethtool", "-K", "line3", "gro", "on"])
    lab.run("gate", ["sysctl", "-qw", "net.ipv4.ip_forward=1"])
    lab.run("gate", ["ip", "route", "add", f"{PEER}/32", "via", MIDDLE_INNER])
    lab.run("middle", ["ip", "route", "add", "198.18.0.0/24", "via", GATE_INNER])


def _lose(lab: Lab, end: str, device: str) -> None:
    """Drop single packets at random where they arrive; the sender's side must not hand over unsegmented ones."""
    lab.run(end, ["ethtool", "-K", device, "tso", "off", "gso", "off"])
    threshold = round(lab.loss * 1_000_000)
    rules = (
        f"add table netdev lab; add chain netdev lab loss {{ type filter hook ingress device {device} priority 0; }}; "
        f"add rule netdev lab loss numgen random mod 1000000 < {threshold} drop"
    )
    lab.run(end, ["nft", rules])


def _sh(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}: {done.stderr.strip()}")
