"""The loopback ceiling: what a method reaches on this device with no network in the way. It feeds `limited_by`."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from measurement.vocabulary import Failure, Operation
from probe import methods
from probe.doctor import Finding, Subject
from probe.failures import NetworkFailure
from probe.limits import ceiling as stored
from probe.target import Target, parse, resolve
from probe.throughput.plan import Direction, Plan

ENOUGH_BPS = 1e9
"""5G peaks; below this the ceiling, not the network, may be what a test sees."""
PRETEST_S = 0.5
_COMMAND = "import sys; from probe.cli import main; sys.argv[0] = 'haidang-probe'; main()"


def http(subject: Subject) -> Finding:
    """Measure the native method."""
    return _ceiling(subject, "http", "http", is_tls=False)


def tls(subject: Subject) -> Finding:
    """Measure the native method over TLS."""
    return _ceiling(subject, "http", "http-tls", is_tls=True)


def ndt7(subject: Subject) -> Finding:
    """Measure ndt7."""
    return _ceiling(subject, "ndt7", "ndt7", is_tls=False)


@contextlib.contextmanager
def loopback_peer(certificate: Path | None = None) -> Iterator[Target]:
    """Run a peer of its own process on loopback."""
    command = [sys.executable, "-c", _COMMAND, "peer", "--host", "127.0.0.1", "--port", "0", "--stamp-port", "-1"]
    if certificate is not None:
        command += ["--certificate", str(certificate), "--key", str(certificate)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True) as process:
        try:
            assert process.stderr is not None
            line = process.stderr.readline()  # "peer: serving on URL", or the reason why not, or nothing at its end
            url = line.removeprefix("peer: serving on ").split(",")[0].strip()
            if not line.startswith("peer: serving on "):
                raise OSError(line.strip() or "the peer did not start")
            yield resolve(parse(url, None if certificate is None else str(certificate)))
        finally:
            process.terminate()


def self_signed(folder: Path) -> Path | None:
    """Make a key and certificate for loopback in one file; None where openssl is missing."""
    if shutil.which("openssl") is None:
        return None
    key, chain = folder / "key.pem", folder / "chain.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=loopback"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(chain)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        return None
    both = folder / "both.pem"
    both.touch(mode=0o600)
    both.write_bytes(key.read_bytes() + chain.read_bytes())
    return both


def _ceiling(subject: Subject, method: str, name: str, *, is_tls: bool) -> Finding:
    with contextlib.ExitStack() as stack:
        certificate = None
        if is_tls:
            certificate = self_signed(Path(stack.enter_context(tempfile.TemporaryDirectory())))
            if certificate is None:
                return Finding(None, ("cần openssl để thử", "openssl is needed to try"))
        try:
            target = stack.enter_context(loopback_peer(certificate))
        except OSError as error:
            return Finding(False, (f"không chạy được máy chủ: {error}", f"no peer could be run: {error}"))
        try:
            down, up = (_rate(method, direction, target, subject.seconds) for direction in Direction)
        except NetworkFailure as failure:
            said = (f"phép đo thất bại trên chính máy này: {failure}", f"the test fails on this very device: {failure}")
            return Finding(False, said)
    if subject.stores_ceiling:
        _store(name, down, up)
    said = (
        f"tải xuống {down / 1e9:.1f} Gbit/s, tải lên {up / 1e9:.1f} Gbit/s",
        f"downlink {down / 1e9:.1f} Gbit/s, uplink {up / 1e9:.1f} Gbit/s",
    )
    is_good = min(down, up) >= ENOUGH_BPS
    cure = ("dùng máy mạnh hơn để đo mạng nhanh hơn mức này", "use a stronger device for faster networks than this")
    figures = {"downlink_bps": down, "uplink_bps": up}
    return Finding(is_good, said, None if is_good else cure, figures)


def _rate(method: str, direction: Direction, target: Target, seconds: float) -> float:
    plan = Plan(duration_s=seconds + PRETEST_S, pretest_s=PRETEST_S, is_thorough=True)
    measured = methods.load(method)(direction, target, plan, lambda progress: None)
    if measured.failure is not None:
        raise measured.failure
    if measured.result is None or measured.result.goodput_bps is None:
        raise NetworkFailure(Failure.UNKNOWN_FAILURE, Operation.TRANSFER)
    return measured.result.goodput_bps


def _store(name: str, down: float, up: float) -> None:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    old = stored.read() or stored.Ceiling(measured_at=now)
    changed = {"downlink_bps": old.downlink_bps | {name: down}, "uplink_bps": old.uplink_bps | {name: up}}
    with contextlib.suppress(OSError):  # a device that keeps no state still has its answer on the screen
        stored.write(msgspec.structs.replace(old, measured_at=now, **changed))
