"""What the results of speed tests have in common: their JSON, numbers within the record's ranges, the record."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import msgspec

from analysis.importers.account import Account
from analysis.importers.options import Options
from analysis.importers.ranges import field_range
from measurement.identity import uuid7
from measurement.record import (
    SCHEMA_VERSION,
    Latency,
    LatencyResult,
    Network,
    Outcome,
    Record,
    Server,
    Throughput,
    ThroughputResult,
)
from measurement.vocabulary import Failure, LatencyMethod, Mode, Operation, Status, ThroughputMethod

_ASN = re.compile(r"^AS([0-9]{1,10})\b")
_FRACTION = re.compile(r"(\.[0-9]{6})[0-9]+")


def objects(content: bytes) -> list[dict[str, Any]]:
    """Return the results of a document: one object, a list of them, or one on each line.

    Raises
    ------
    ValueError
        Where it is no JSON, with the place.
    """
    try:
        raw = msgspec.json.decode(content)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        rows = [line for line in content.splitlines() if line.strip()]
        if len(rows) < 2 or not all(row.lstrip().startswith(b"{") and row.rstrip().endswith(b"}") for row in rows):
            raise ValueError(f"broken JSON: {error}") from None
        raw = [_decoded(row) for row in rows]
    listed = raw if isinstance(raw, list) else [raw]
    return [one for one in listed if isinstance(one, dict)]


def _decoded(row: bytes) -> Any:
    try:
        return msgspec.json.decode(row)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"broken JSON: {error}") from None


def part(raw: Any, *names: str) -> Any:
    """Return a member of nested objects, None where any of them is missing."""
    for name in names:
        raw = raw.get(name) if isinstance(raw, dict) else None
    return raw


def number(value: Any) -> float | None:
    """Return a number, also one written as text; None else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


class Builder:
    """Builds the record of one result; values out of range are left out and counted."""

    def __init__(self, kind: str, method: ThroughputMethod, options: Options, account: Account) -> None:
        self._kind, self._method, self._options, self._account = kind, method, options, account

    def checked(self, struct: type[msgspec.Struct], field: str, value: float | None) -> float | None:
        """Return a value that its field allows, None else."""
        allowed = field_range(struct, (field,))
        if value is None or allowed is None:
            return value
        low, high = allowed
        if (low is not None and value < low) or (high is not None and value > high) or value != value:
            self._account.refuse_values(field, f"{value:g} is outside {allowed}")
            return None
        return value

    def latency(self, **values: float | None) -> LatencyResult | None:
        """Return latency by whatever the tool's figures are, None where there are none.

        How many echoes they stand on these tools do not tell: the counts are 0 here and absent in the archive.
        """
        known = {n: self.checked(LatencyResult, n, v) for n, v in values.items()}
        if all(value is None for value in known.values()):
            return None
        return LatencyResult(method=LatencyMethod.TCP, sent_count=0, received_count=0, **known)  # type: ignore[arg-type]

    def throughput(self, goodput_bps: float | None, **values: float | int | None) -> ThroughputResult | None:
        """Return the goodput of one direction, None where it was not measured."""
        goodput = self.checked(ThroughputResult, "goodput_bps", goodput_bps)
        if goodput is None:
            return None
        known: dict[str, Any] = {n: self.checked(ThroughputResult, n, v) for n, v in values.items()}
        for name in ("bytes_count", "stream_count"):
            if known.get(name) is not None:
                known[name] = int(known[name])
        return ThroughputResult(method=self._method, goodput_bps=goodput, **known)

    def started(self, text: Any) -> datetime | None:
        """Return the time of a result: its own, else what the user says; refuses the row where there is neither."""
        moment = instant(text, self._options)
        if moment is None:
            self._account.refuse_rows("no time in the result; --at gives one")
        return moment

    def record(
        self,
        identity: Any,
        started_at: datetime,
        downlink: ThroughputResult | None = None,
        uplink: ThroughputResult | None = None,
        idle: LatencyResult | None = None,
        loaded: tuple[LatencyResult | None, LatencyResult | None] = (None, None),
        server: Server | None = None,
        operator: Any = None,
        failure: Failure | None = None,
    ) -> Record:
        """Return the record of one result. Its id follows from the content, so that it counts once."""
        options = self._options
        digest = blake2b(msgspec.json.encode(identity, order="sorted"), digest_size=10).digest()
        milliseconds = max(0, int(started_at.timestamp() * 1000))
        told = options.operator or (operator if isinstance(operator, str) and operator.strip() else None)
        latencies = {"idle": idle, "downlink": loaded[0], "uplink": loaded[1]}
        dead = [r for r in (downlink, uplink) if r is not None and r.goodput_bps == 0]
        failure = failure or (Failure.TRANSFER_STALLED if dead else None)
        all_dead = failure is not None and len(dead) == sum(r is not None for r in (downlink, uplink))
        status = Status.COMPLETE if failure is None else Status.FAILED if all_dead else Status.PARTIAL
        return Record(
            record_id=uuid7(milliseconds, digest),
            schema_version=SCHEMA_VERSION,
            probe_id=options.probe_id or f"import-{self._kind}",
            agent=f"import/{self._kind}",
            mode=Mode.IMPORT,
            started_at=started_at,
            campaign=options.campaign,
            organisation=options.organisation,
            outcome=Outcome(status=status, failure=failure, operation=Operation.TRANSFER if failure else None),
            position=options.place(),
            network=Network(operator=told[:200], asn=asn_of(operator)) if told else None,
            latency=Latency(**latencies) if any(v is not None for v in latencies.values()) else None,
            throughput=Throughput(downlink=downlink, uplink=uplink) if downlink or uplink else None,
            server=server,
        )


def asn_of(text: Any) -> int | None:
    """Return the ASN that a text such as `AS7552 Viettel Group` begins with."""
    match = _ASN.match(text) if isinstance(text, str) else None
    return int(match.group(1)) if match and 0 < int(match.group(1)) < 2**32 else None


def instant(text: Any, options: Options) -> datetime | None:
    """Return a time in UTC of ISO text with up to nine decimals, or seconds since 1970; else what the user says."""
    moment: datetime | None = None
    try:
        if isinstance(text, str) and text:
            moment = datetime.fromisoformat(_FRACTION.sub(r"\1", text.strip()).replace("Z", "+00:00"))
        elif isinstance(text, int | float) and not isinstance(text, bool) and 0 < text < 1e11:
            moment = datetime.fromtimestamp(text, UTC)
    except (ValueError, OverflowError, OSError):
        moment = None
    if moment is None:
        return options.instant()
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=options.zone()).astimezone(UTC)


def text(value: Any) -> str | None:
    """Return a text of at most 200 characters, None where there is none."""
    return value.strip()[:200] or None if isinstance(value, str) else None


def scaled(value: Any, factor: float) -> float | None:
    """Return a number times a factor, None where there is none."""
    known = number(value)
    return None if known is None else known * factor


def each(content: bytes, account: Account) -> Iterator[dict[str, Any]]:
    """Yield each result of a document, counting it as a row read."""
    for one in objects(content):
        account.rows_read_count += 1
        yield one
