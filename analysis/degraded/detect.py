"""One look at every stream: which fell, since when, by how much, how sure, and who is to blame."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import polars as pl

from analysis.degraded import blame, confirm
from analysis.degraded.cusum import change_point, cusum
from analysis.degraded.events import NEW_NORMAL, Event, Stream, calmed, end
from analysis.degraded.kpis import Watched, drop
from analysis.degraded.recovery import is_back
from analysis.degraded.streams import HORIZON_HOURS, Streams, of_layer

LOOKS = 288
"""Looks at a stream in a day, one every five minutes: each is a test that may err, so all are counted against it."""
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


def _mute(streams: Streams, ended: dict[Stream, datetime], kpi: str, now: datetime) -> None:
    """Forget the hours before a stream's last event ended."""
    for number, (area, operator, technology) in enumerate(streams.keys.iter_rows()):
        at = ended.get(Stream(streams.layer, area, operator, technology, kpi))
        if at is not None:
            hours = int((now - at).total_seconds() // 3600)
            streams.z[number, : max(HORIZON_HOURS - hours, 0)] = np.nan


def _findings(streams: Streams, row: Watched, now: datetime, open_: set[Stream]) -> list[Finding]:
    """Return the streams whose sums alarm and whose fall is large enough on enough evidence."""
    alarms = cusum(streams.z)
    found = []
    for number, start in zip(alarms.stream, alarms.start, strict=True):
        area, operator, technology = streams.keys.row(int(number))
        stream = Stream(streams.layer, area, operator, technology, row.kpi)
        if stream in open_:
            continue
        own = streams.rows.slice(int(streams.first[number]), int(streams.last[number] - streams.first[number]))
        own = own.filter((pl.col("back") >= 0) & (pl.col("back") < 2 * HORIZON_HOURS))
        began = now - timedelta(hours=int(HORIZON_HOURS - start + _EARLIER_HOURS))
        earliest = int((own["started_at"] < began).sum())
        if own.height < 12:
            continue
        weight = 1 / own["deviation"].to_numpy() ** 2
        held = np.clip(own["residual"].to_numpy(), -4 * own["deviation"].to_numpy(), 4 * own["deviation"].to_numpy())
        cut = change_point(held, weight, max(earliest, 5))
        before, after = own.slice(0, cut), own.slice(cut)
        if not (_is_enough(before) and _is_enough(after)) or after.height < 6:
            continue
        shift = _compare(row, before, after)
        fall = drop(row, shift.estimate)
        # The cut was chosen among these hours as the one that looks worst: each was a chance to err.
        searched = float(HORIZON_HOURS - start + _EARLIER_HOURS)
        shift = shift._replace(p_value=min(shift.p_value * searched, 1.0))
        if shift.p_value < confirm.LEVEL and fall >= row.fall:
            found.append(Finding(stream, after["started_at"][0], before, after, shift, fall))
    return found


def _event(finding: Finding, row: Watched, q: float, everyone: pl.DataFrame, shared: str, now: datetime) -> Event:
    stream, after = finding.stream, finding.after
    others = everyone.filter((pl.col("started_at") >= finding.since) & (pl.col("area") != stream.area))
    guilty = blame.judge(finding.before, after, others, stream.operator, -finding.shift.estimate)
    return Event(
        stream, row.severity(finding.drop), finding.since, finding.drop,
        drop(row, finding.shift.high), drop(row, finding.shift.low), q, guilty.what, guilty.name,
        int(after["tests"].sum()), after["probe_id"].n_unique(), shared, now, None, None, None,
        bool(after["is_simulated"].any()),
    )  # fmt: skip


def _follow(event: Event, streams: Streams, row: Watched, now: datetime) -> Event:
    """Look again at a degradation that lasts: how large it is now, whether it is over, whether it is the new normal."""
    if now - event.since >= NEW_NORMAL:
        return end(event, now, "new_normal")
    own = streams.rows.filter(
        (pl.col("area") == event.stream.area)
        & (pl.col("operator") == event.stream.operator)
        & (pl.col("technology") == event.stream.technology)
        & (pl.col("back") >= 0)
    )
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
        others = streams.rows.filter((pl.col("started_at") >= event.since) & (pl.col("area") != event.stream.area))
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


def look(
    judged: pl.DataFrame, row: Watched, layers: Sequence[str], events: Sequence[Event], now: datetime
) -> list[Event]:
    """Look at every stream of one KPI once.

    Parameters
    ----------
    judged
        Tests with residuals (`residuals.judge`).
    row
        The KPI.
    layers
        Layers of areas, `base_stations`, `operators`.
    events
        All events of this KPI so far.
    now
        Tests after it are not seen.

    Returns
    -------
    The events as they are now, new ones included.
    """
    judged = judged.filter(
        (pl.col("started_at") <= now) & (pl.col("started_at") > now - timedelta(hours=2 * HORIZON_HOURS))
    )
    if judged.is_empty():
        return list(events)
    by_layer = {layer: of_layer(judged, layer, now) for layer in layers}
    lasting = [event for event in events if event.resolved_at is None]
    current = {
        event.stream: _follow(event, by_layer[event.stream.layer], row, now)
        if event.stream.layer in by_layer
        else event
        for event in lasting
    }
    ended = {event.stream: event.resolved_at for event in events if event.resolved_at is not None}
    findings: list[Finding] = []
    tests_count = 0
    for streams in by_layer.values():
        _mute(streams, ended, row.kpi, now)
        findings += _findings(streams, row, now, set(current))
        tests_count += streams.keys.height
    q_values = confirm.discoveries(np.array([f.shift.p_value for f in findings]), tests_count * LOOKS)
    sure = [(f, float(q)) for f, q in zip(findings, q_values, strict=True) if q <= confirm.FALSE_DISCOVERY]
    fallen = [(f.stream, f.stream.area) for f, _ in sure] + [(s, s.area) for s in current]
    for finding, q in sure:
        own = finding.stream
        shared = sorted({
            area for other, area in fallen
            if other != own and other._replace(area=own.area) == own
        })  # fmt: skip
        everyone = by_layer[own.layer].rows
        current[own] = _event(finding, row, q, everyone, ",".join(shared), now)
    return [event for event in events if event.resolved_at is not None] + list(current.values())
