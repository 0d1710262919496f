"""Events of sudden falls: sized by what was tested since, blamed, and followed like every other."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import polars as pl

from analysis.degraded import blame, confirm
from analysis.degraded.events import Event, Stream, together
from analysis.degraded.judged import STATIONS, Judged
from analysis.degraded.kpis import BY_KPI, Watched, drop
from analysis.degraded.sudden import REFERENCE, TESTS, WAYS, Sudden, falls, limit, scores, standards

_MONTH = timedelta(days=30)


def _event(row: Watched, judged: Judged, layer: str, fall: Sudden) -> Event | None:
    """Size one fall in one KPI; None where it is no fall there that counts."""
    own = judged.streams(row.kpi, layer, [fall[:3]]).get(fall[:3])
    if own is None:
        return None
    is_after = pl.col("started_at") >= fall.since
    before, after = own.filter(~is_after), own.filter(is_after)
    if before.height < confirm.SAMPLES or after.height < TESTS - 1:
        return None
    shift = confirm.shift(before["residual"].to_numpy(), after["residual"].to_numpy())
    size = drop(row, shift.estimate)
    if size < row.fall:
        return None
    others = judged.elsewhere(row.kpi, layer, fall.area, fall.since)
    guilty = blame.judge(before, after, others, fall.operator, -shift.estimate)
    return Event(
        Stream(layer, fall.area, fall.operator, fall.technology, row.kpi), row.severity(size), fall.since, size,
        drop(row, shift.high), drop(row, shift.low), float(np.exp(-fall.height)), guilty.what, guilty.name,
        int(after["tests"].sum()), after["probe_id"].n_unique(), "", judged.now, None, None, None,
        bool(after["is_simulated"].any()),
    )  # fmt: skip


def look(judged: Judged, layers: Sequence[str], events: Sequence[Event]) -> list[Event]:
    """Look once for sudden falls.

    Parameters
    ----------
    judged
        Tests with residuals until now.
    layers
        Layers of areas, `operators`. Stations are left out: their tests come from few places.
    events
        All events so far; a stream that is degraded already is not looked at.

    Returns
    -------
    The new events: one a stream, of the KPI that fell most.
    """
    tests = standards(judged)
    if tests is None:
        return []
    lasting = {event.stream for event in events if event.resolved_at is None}
    ended = {event.stream: event.resolved_at for event in events if event.resolved_at is not None}
    height = limit(tests.height * len(WAYS) * (_MONTH / REFERENCE))
    found: dict[Stream, Event] = {}
    for way in WAYS:
        scored = scores(tests, way)
        for layer in layers:
            if layer == STATIONS:
                continue
            over = {one[1:4]: at for one, at in ended.items() if one.layer == layer and one.kpi in way}
            known = {one[1:4] for one in (*lasting, *found) if one.layer == layer and one.kpi in way}
            for fall in falls(scored, layer, judged.now, height, over):
                if fall[:3] not in known:
                    sized = [_event(BY_KPI[kpi], judged, layer, fall) for kpi in way if judged.has(kpi)]
                    worst = sorted((event for event in sized if event is not None), key=lambda event: -event.drop_ratio)
                    found |= {event.stream: event for event in worst[:1]}
    fallen = lasting | set(found)
    return [event._replace(neighbours=together(event.stream, fallen)) for event in found.values()]
