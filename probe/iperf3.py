"""The method `iperf3`: the binary of that name, by its JSON. The one file that knows its options and its report."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

from measurement.errors import ConfigError
from measurement.vocabulary import Failure, Operation, StopReason, ThroughputMethod
from probe.failures import NetworkFailure
from probe.target import Target
from probe.throughput.foreign import Transfer, as_result, attended
from probe.throughput.plan import Direction, Listener, Measured, Plan

INTERVAL_S = 0.1
STREAMS = 4
GRACE_S = 5.0
REPORT_MOST_BYTES = 32 << 20
HOW_TO_INSTALL = "The method iperf3 needs the program iperf3. On Debian: apt install iperf3."

# What its messages mean; the first that is found counts.
_MESSAGES = (
    ("server is busy", Failure.SERVER_BUSY, Operation.CONNECT),
    ("Connection refused", Failure.CONNECTION_REFUSED, Operation.CONNECT),
    ("No route to host", Failure.HOST_UNREACHABLE, Operation.CONNECT),
    ("Network is unreachable", Failure.NETWORK_UNREACHABLE, Operation.CONNECT),
    ("timed out", Failure.GENERIC_TIMEOUT_ERROR, Operation.CONNECT),
    ("Name or service not known", Failure.DNS_NXDOMAIN_ERROR, Operation.RESOLVE),
    ("reset by peer", Failure.CONNECTION_RESET, Operation.TRANSFER),
    ("Broken pipe", Failure.CONNECTION_RESET, Operation.TRANSFER),
    ("has terminated", Failure.EOF_ERROR, Operation.TRANSFER),
    ("closed unexpectedly", Failure.EOF_ERROR, Operation.TRANSFER),
)


def arguments(direction: Direction, target: Target, plan: Plan) -> list[str]:
    """Return the command line of one direction."""
    host, port = target.socket_address
    words = ["iperf3", "--client", host, "--port", str(port), "--json", "--interval", str(INTERVAL_S)]
    words += ["--connect-timeout", str(int(plan.timeout_s * 1000)), "--parallel", str(plan.stream_count or STREAMS)]
    words += ["--time", str(max(1, round(plan.duration_s)))]
    # The server's own report is where an uplink's bytes arrive.
    return [*words, "--reverse"] if direction is Direction.DOWNLINK else [*words, "--get-server-output"]


def measure(direction: Direction, target: Target, plan: Plan, listener: Listener) -> Measured:
    """Measure one direction; never longer than the plan's time, its timeout and five seconds.

    Raises
    ------
    ConfigError
        Where the program is missing.
    """
    if shutil.which("iperf3") is None:
        raise ConfigError(HOW_TO_INSTALL)
    if plan.byte_budget is not None:
        # Its --bytes counts what is sent, so the time limit goes: the budget ends the test.
        words = arguments(direction, target, plan)
        place = words.index("--time")
        words[place : place + 2] = ["--bytes", str(plan.byte_budget)]
    else:
        words = arguments(direction, target, plan)
    limit = plan.duration_s + plan.timeout_s + GRACE_S
    try:
        report = attended(lambda: _run(words, limit), direction, listener)
    except subprocess.TimeoutExpired:
        return Measured(None, NetworkFailure(Failure.GENERIC_TIMEOUT_ERROR, Operation.TRANSFER, "iperf3 did not end."))
    failure = failure_of(report)
    reason = StopReason.BYTES if plan.byte_budget is not None else StopReason.TIME
    try:
        transfer = transfer_of(report, direction)
    except (KeyError, TypeError, IndexError, ValueError, ZeroDivisionError):
        failure = failure or NetworkFailure(
            Failure.PROTOCOL_ERROR, Operation.TRANSFER, "iperf3's report is incomplete."
        )
        return Measured(None, failure)
    return Measured(as_result(ThroughputMethod.IPERF3, transfer, StopReason.ERROR if failure else reason), failure)


def _run(words: list[str], limit: float) -> dict[str, Any]:
    done = subprocess.run(words, capture_output=True, timeout=limit, check=False)
    try:
        report = json.loads(done.stdout[:REPORT_MOST_BYTES])
    except (ValueError, RecursionError):
        report = None
    return (
        report if isinstance(report, dict) else {"error": done.stderr.decode(errors="replace").strip() or "no report"}
    )


def failure_of(report: dict[str, Any]) -> NetworkFailure | None:
    """Return the stable word for what the report complains of."""
    message = report.get("error")
    if not message:
        return None
    for part, failure, operation in _MESSAGES:
        if part in str(message):
            return NetworkFailure(failure, operation, f"iperf3: {message}")
    return NetworkFailure(Failure.UNKNOWN_FAILURE, Operation.TRANSFER, f"iperf3: {message}")


def transfer_of(report: dict[str, Any], direction: Direction) -> Transfer:
    """Read the receiver's side of a report.

    Raises
    ------
    KeyError, TypeError, IndexError, ValueError, ZeroDivisionError
        Where the report lacks it.
    """
    received = report["end"]["sum_received"]
    served = report.get("server_output_json")
    at_receiver = served if direction is Direction.UPLINK and isinstance(served, dict) else report
    sums = [part["sum"] for part in at_receiver["intervals"]]
    whole = [float(s["bytes"]) for s in sums if 0.8 * INTERVAL_S <= s["seconds"] <= 1.2 * INTERVAL_S]
    senders = [stream["sender"] for stream in report["end"]["streams"]]
    # A downlink's sender is the server: its round trips and retransmissions come only with its own report.
    rtts = [sender["min_rtt"] / 1000 for sender in senders if sender.get("min_rtt")]
    sent = report["end"]["sum_sent"]
    segment = report["start"].get("tcp_mss_default") or 1448
    again = sent.get("retransmits")
    ratio = None if again is None or not sent["bytes"] else min(1.0, again * segment / sent["bytes"])
    # On a starved machine its intervals are of any length: then there is no series.
    is_regular = len(whole) >= 0.9 * len(sums) - 1
    return Transfer(
        bytes_count=int(received["bytes"]),
        seconds=float(received["seconds"]),
        slice_s=INTERVAL_S if is_regular else None,
        slices_bytes=whole if is_regular else (),
        stream_count=len(senders),
        rtt_min_ms=max(0.001, min(rtts)) if rtts else None,
        retransmit_ratio=ratio,
    )
