"""One look at every stream: which fell, since when, by how much, how sure, and who is to blame."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import polars as pl

from analysis.degraded import blame, confirm
from analysis.degraded.cusum import Floats, change_point, cusum
from analysis.degraded.events import NEW_NORMAL, Event, Stream, calmed, end, together
from analysis.degraded.judged import HORIZON_HOURS, Judged, Key, slot_of
from analysis.degraded.kpis import Watched, drop
from analysis.degraded.recovery import is_back

LOOKS = 720
"""Looks at a stream in a day, one every two minutes: each is a test that may err, so all are counted against it."""
_EARLIER_HOURS = 12
_RECENT = timedelta(hours=6)
_LONGER = timedelta(hours=24)
_EARLY = timedelta(hours=6)


class Finding(NamedTuple):
    """A stream that may have fallen: its rows on both sides of the change, and the test between them."""

    stream: Stream
    since: datetime
    before: pl.DataFrame
    after: pl.DataFrame
    shift: confirm.Shift
    drop: float


def _compare(row: Watched, before: pl.DataFrame, after: pl.DataFrame) -> confirm.Shift:
    """Compare residuals; of shares the means differ where the medians cannot."""
    a, b = before["residual"].to_numpy(), after["residual"].to_numpy()
    found = confirm.shift(a, b)
    if row.is_log:
        return found
    gap = float(b.mean() - a.mean())
    error = float(np.sqrt(a.var() / len(a) + b.var() / len(b)))
    return confirm.Shift(found.p_value, gap, gap - 1.96 * error, gap + 1.96 * error)


def _is_enough(side: pl.DataFrame) -> bool:
    return int(side["tests"].sum()) >= confirm.SAMPLES and side["probe_id"].n_unique() >= confirm.DEVICES


def _mute(z: Floats, keys: Sequence[Key], ended: dict[Key, datetime], now: datetime) -> None:
    """Forget the hours before a stream's last event ended."""
    for number, key in enumerate(keys):
        if key in ended:
            hours = slot_of(now) - slot_of(ended[key])
            z[number, : max(HORIZON_HOURS - hours, 0)] = np.nan


def _findings(judged: Judged, layer: str, row: Watched, known: dict[Stream, Event]) -> tuple[list[Finding], int]:
    """Return the streams whose sums alarm and whose fall is large enough on enough evidence; how many there are."""
    keys, z = judged.hours(row.kpi, layer)
    ended = {
        event.stream[1:4]: event.resolved_at
        for event in known.values()
        if event.stream.layer == layer and event.resolved_at is not None
    }
    _mute(z, keys, ended, judged.now)
    alarms = cusum(z)
    lasting = {one[1:4] for one, event in known.items() if one.layer == layer and event.resolved_at is None}
    starts = {
        keys[int(number)]: int(start)
        for number, start in zip(alarms.stream, alarms.start, strict=True)
        if keys[int(number)] not in lasting
    }
    rows = judged.streams(row.kpi, layer, list(starts))
    found = [_finding(Stream(layer, *key, row.kpi), row, rows[key], start, judged.now) for key, start in starts.items()]
    return [finding for finding in found if finding is not None], len(keys)


def _finding(stream: Stream, row: Watched, own: pl.DataFrame, start: int, now: datetime) -> Finding | None:
    """Look closer at a stream whose sum left zero at an hour of the horizon."""
    searched = HORIZON_HOURS - start + _EARLIER_HOURS
    earliest = int((own["started_at"] < now - timedelta(hours=searched)).sum())
    if own.height < 12:
        return None
    weight = 1 / own["deviation"].to_numpy() ** 2
    held = np.clip(own["residual"].to_numpy(), -4 * own["deviation"].to_numpy(), 4 * own["deviation"].to_numpy())
    cut = change_point(held, weight, max(earliest, 5))
    before, after = own.slice(0, cut), own.slice(cut)
    if not (_is_enough(before) and _is_enough(after)) or after.height < 6:
        return None
    shift = _compare(row, before, after)
    fall = drop(row, shift.estimate)
    # The cut was chosen among these hours as the one that looks worst: each was a chance to err.
    shift = shift._replace(p_value=min(shift.p_value * searched, 1.0))
    if shift.p_value >= confirm.LEVEL or fall < row.fall:
        return None
    return Finding(stream, after["started_at"][0], before, after, shift, fall)


def _event(finding: Finding, row: Watched, q: float, judged: Judged, shared: str) -> Event:
    stream, after = finding.stream, finding.after
    others = judged.elsewhere(row.kpi, stream.layer, stream.area, finding.since)
    guilty = blame.judge(finding.before, after, others, stream.operator, -finding.shift.estimate)
    return Event(
        stream, row.severity(finding.drop), finding.since, finding.drop,
        drop(row, finding.shift.high), drop(row, finding.shift.low), q, guilty.what, guilty.name,
        int(after["tests"].sum()), after["probe_id"].n_unique(), shared, judged.now, None, None, None,
        bool(after["is_simulated"].any()),
    )  # fmt: skip


def _follow(event: Event, own: pl.DataFrame | None, row: Watched, judged: Judged) -> Event:
    """Look again at a degradation that lasts: how large it is now, whether it is over, whether it is the new normal."""
    now = judged.now
    if now - event.since >= NEW_NORMAL:
        return end(event, now, "new_normal")
    if own is None:
        return event
    before = own.filter(pl.col("started_at") < event.since)
    after = own.filter(pl.col("started_at") >= event.since)
    is_calm = _is_calm(event, row, before, after, now)
    if is_calm is None:
        return event
    event = calmed(event, is_calm, now)
    if event.resolved_at is not None or is_calm or not (_is_enough(before) and _is_enough(after)):
        return event
    whole = _compare(row, before, after)
    fall = drop(row, whole.estimate)
    if now - event.confirmed_at < _EARLY and fall > 0:
        # A sudden fall was blamed on the word of a dozen tests.
        others = judged.elsewhere(row.kpi, event.stream.layer, event.stream.area, event.since)
        guilty = blame.judge(before, after, others, event.stream.operator, -whole.estimate)
        event = event._replace(blame=guilty.what, blamed=guilty.name)
    return event._replace(
        severity=row.severity(fall), drop_ratio=fall, low=drop(row, whole.high), high=drop(row, whole.low),
        samples_count=int(after["tests"].sum()), devices_count=after["probe_id"].n_unique(),
    )  # fmt: skip


def _is_calm(event: Event, row: Watched, before: pl.DataFrame, after: pl.DataFrame, now: datetime) -> bool | None:
    """Tell whether a degradation looks over; None where too few tests tell."""
    if row.is_log and before.height >= confirm.SAMPLES and after.height:
        return is_back(before, after, -float(np.log(1 - max(event.drop_ratio, row.fall))))
    recent = after.filter(pl.col("started_at") >= now - _RECENT)
    if not _is_enough(recent):
        recent = after.filter(pl.col("started_at") >= now - _LONGER)
    if not (_is_enough(before) and _is_enough(recent)):
        return None
    lately = _compare(row, before, recent)
    return drop(row, lately.estimate) < row.fall / 2 and lately.p_value > confirm.LEVEL


def look(judged: Judged, row: Watched, layers: Sequence[str], events: Sequence[Event]) -> list[Event]:
    """Look at every stream of one KPI once.

    Parameters
    ----------
    judged
        Tests with residuals until now.
    row
        The KPI.
    layers
        Layers of areas, `base_stations`, `operators`.
    events
        All events of this KPI so far.

    Returns
    -------
    The events as they are now, new ones included.
    """
    if not judged.days or not judged.has(row.kpi):
        return list(events)
    over = [event for event in events if event.resolved_at is not None]
    lasting = {event.stream: event for event in events if event.resolved_at is None}
    current: dict[Stream, Event] = {}
    findings: list[Finding] = []
    tests_count = 0
    known = {event.stream: event for event in over} | lasting
    for layer in layers:
        own = [stream for stream in lasting if stream.layer == layer]
        rows = judged.streams(row.kpi, layer, [stream[1:4] for stream in own])
        current |= {stream: _follow(lasting[stream], rows.get(stream[1:4]), row, judged) for stream in own}
        found, count = _findings(judged, layer, row, known)
        findings += found
        tests_count += count
    current = {stream: current.get(stream, event) for stream, event in lasting.items()}
    q_values = confirm.discoveries(np.array([f.shift.p_value for f in findings]), tests_count * LOOKS)
    sure = [(f, float(q)) for f, q in zip(findings, q_values, strict=True) if q <= confirm.FALSE_DISCOVERY]
    fallen = {f.stream for f, _ in sure} | set(current)
    for finding, q in sure:
        current[finding.stream] = _event(finding, row, q, judged, together(finding.stream, fallen))
    return [*over, *current.values()]
