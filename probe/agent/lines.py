"""Log lines that a person can read."""

from __future__ import annotations

from measurement.record import Record, ThroughputResult
from measurement.vocabulary import Status

_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
_SPANS = ((86_400.0, "d"), (3600.0, "h"), (60.0, "min"))


def amount(value: float, unit: str = "B") -> str:
    """Return a number with a decimal prefix.

    >>> amount(150_000_000)
    '150 MB'
    """
    for size, prefix in _PREFIXES:
        if value >= size:
            return f"{value / size:.3g} {prefix}{unit}"
    return f"{value:.3g} {unit}".rstrip()


def span(seconds: float) -> str:
    """Return a length of time in its largest fitting unit.

    >>> span(5400)
    '1.5 h'
    """
    for size, unit in _SPANS:
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds:.3g} s"


def line_of(record: Record) -> str:
    """Return one line on a test: what came out, over what, how strong."""
    outcome = record.outcome
    if outcome.status is Status.FAILED:
        step = f" at {outcome.operation}" if outcome.operation else ""
        return f"test failed: {outcome.failure}{step}{_where(record)}"
    parts = []
    if record.throughput is not None:
        for arrow, result in (("↓", record.throughput.downlink), ("↑", record.throughput.uplink)):
            if result is not None and result.goodput_bps is not None:
                parts.append(f"{arrow} {amount(result.goodput_bps, 'bit/s')}{_doubt(result)}")
    idle = record.latency.idle if record.latency is not None else None
    if idle is not None and idle.rtt_median_ms is not None:
        parts.append(f"{idle.rtt_median_ms:.3g} ms")
    if idle is not None and idle.loss_ratio:
        parts.append(f"loss {idle.loss_ratio:.1%}")
    partly = f" (partly: {outcome.failure})" if outcome.status is Status.PARTIAL else ""
    return f"test{partly}: {', '.join(parts) or 'nothing measured'}{_where(record)}"


def _doubt(result: ThroughputResult) -> str:
    return "" if result.confidence in (None, "high") else f" ({result.confidence} confidence)"


def _where(record: Record) -> str:
    network = record.network
    parts = [network.operator, network.technology] if network is not None else []
    serving = next((s for s in reversed(record.radio or ()) if s.is_serving and s.rsrp_dbm is not None), None)
    if serving is not None:
        parts.append(f"RSRP {serving.rsrp_dbm:.0f} dBm")
    known = [str(part) for part in parts if part]
    return f" · {' '.join(known)}" if known else ""
