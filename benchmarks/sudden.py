"""Sudden falls on simulated cities: how far healthy sums rise, how soon a fall of 40 % is told at 60 tests an hour."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl

from analysis.degraded import early
from analysis.degraded.judged import KEYS, OPERATORS, Day, Judged, Past, column_of
from analysis.degraded.kpis import BY_KPI
from analysis.degraded.sudden import (
    REFERENCE,
    RUN,
    SOUGHT,
    WAYS,
    falls,
    limit,
    ratios,
    scatter,
    scores,
    standards,
)
from benchmarks import Row
from benchmarks.degradation import LOCAL, districts, judge_all, state_of, thinned
from simulation.city import City, Scale
from simulation.degradation import Degradation

TOPIC = "sudden"
LEARNT_DAYS = 30
HEIGHTS = (6, 8, 10, 11, 12, 13)


def _judged(state: pl.DataFrame, layers: list[str], first: datetime) -> pl.DataFrame:
    """Learn once from what was before an instant, and judge all that comes after."""
    rows = [BY_KPI[kpi] for kpi in SOUGHT]
    return judge_all(state, layers, first + timedelta(2), rows).filter(pl.col("started_at") >= first - REFERENCE)


def _moments(tests: pl.DataFrame, height: float) -> list[datetime]:
    """Return when the sum of any stream stood above a height, had it never been cut at three hours."""
    found = []
    for stream in tests.partition_by(*KEYS):
        total = 0.0
        for ratio, at in stream.select("ratio", "started_at").iter_rows():
            total = max(total + ratio, 0.0)
            if total > height:
                found.append(at)
    return found


def _runs(scored: pl.DataFrame, steps: int = 6_000, streams: int = 4_000) -> dict[int, float]:
    """Draw healthy tests anew without end; return the tests between two rises above each height."""
    rng = np.random.default_rng(1)
    ratio = (-scored["gap"] * scored["score"] - scored["gap"] ** 2 / 2).to_numpy()
    total, peak = np.zeros(streams), np.zeros(streams)
    peaks = []
    for _ in range(steps):
        total = np.maximum(total + ratio[rng.integers(0, len(ratio), streams)], 0.0)
        peak = np.maximum(peak, total)
        peaks.append(peak[(total == 0) & (peak > 0)])
        peak[total == 0] = 0.0
    highs = np.concatenate(peaks)
    return {height: steps * streams / max(int((highs > height).sum()), 1) for height in HEIGHTS}


def run_lengths(days: int = 30, records_a_day: int = 11_000) -> list[Row]:
    """Watch a healthy city for a month, and draw how far apart the false alarms of each height are."""
    city = City(11)
    with state_of(city, records_a_day * (LEARNT_DAYS + days), LEARNT_DAYS + days) as (state, layers):
        last = state["started_at"].max()
        assert isinstance(last, datetime)
        judged = _judged(state, layers, last - timedelta(days))
    whole = standards(Judged(Past([]), Day(judged), last), timedelta(days))
    assert whole is not None
    told = limit(whole.height / days * 30 * len(WAYS))
    alarms: set[tuple[str, ...]] = set()
    rows = []
    for way in WAYS:
        scored = scores(whole, way)
        for layer in [*layers, OPERATORS]:
            column = column_of(layer)
            named = scored.with_columns((pl.col(column) if column else pl.lit("*")).alias("area")).drop_nulls("area")
            wider = scatter(named)
            moments = _moments(ratios(named, wider, pl.col("started_at").dt.truncate("3h")), told)
            for at in moments:
                recent = scored.filter(pl.col("started_at").is_between(at - REFERENCE, at))
                alarms |= {(layer, *fall[:3], f"{at:%m-%d}") for fall in falls(recent, layer, at, told, {})}
            print(f"  {layer} {'+'.join(way)}: scatter {wider:.2f}, {len(moments)} moments, {len(alarms)} alarms",
                  file=sys.stderr, flush=True)  # fmt: skip
        between = ", ".join(f"{height}: {count:,.0f}" for height, count in _runs(scored).items())
        rows.append(Row(TOPIC, f"healthy tests between two sums above a height, {' + '.join(way)}, simulated",
                        f"{RUN:g} e^height", between, "scores drawn anew from the month"))  # fmt: skip
    what = f"false alarms in {days} days, healthy city of {whole.height:,} tests, areas and operators, simulated"
    note = "; ".join(" ".join(alarm) for alarm in sorted(alarms))
    return [Row(TOPIC, what, "<= 1", f"{len(alarms)} at the limit of {told:.1f}", note), *rows]


def delays(trials: int = 10, rate: float = 60.0) -> Row:
    """Take 40 % from one operator in one district at about 60 tests an hour; look every two minutes."""
    minutes: list[float] = []
    rates: list[float] = []
    for trial, (seed, district) in enumerate(districts(trials)):
        since = datetime(2026, 5, 26, 1 + trial % 12, tzinfo=UTC)
        fall = Degradation(district, "Viettel", 0.6, since, since + timedelta(hours=1))
        city = City(seed, communes=8, scale=Scale(200, 2500, 30), degradations=[fall])
        with state_of(city, 28 * 11_000, 28) as (state, keys):
            own = thinned(state, district, since, rate)
            judged = judge_all(own, keys, since.replace(hour=0) - LOCAL, [BY_KPI[kpi] for kpi in SOUGHT])
        hit = (pl.col("areas_districts_2024") == district) & (pl.col("operator") == "Viettel")
        hour = own.filter(hit & pl.col("started_at").is_between(since, since + timedelta(hours=1)))
        rates.append(hour.height)
        told = _told(judged, keys, district, since)
        minutes.append(told)
        print(f"  trial {trial}: {rates[-1]:.0f} tests, told after {told:g} min", file=sys.stderr, flush=True)
    order = sorted(minutes)
    return Row(
        TOPIC, "40 % off one operator in one district at 60 tests/h: until it is told, simulated", "<= 13 min",
        f"median {order[len(order) // 2]:g} min; {sum(m <= 13 for m in order)} of {trials} within 13 min, "
        f"{sum(m <= 18 for m in order)} within 18, slowest {order[-1]:g}",
        f"{np.mean(rates):.0f} tests in that hour in both technologies; a page comes 2 min later at most",
    )  # fmt: skip


def _told(judged: pl.DataFrame, layers: list[str], district: str, since: datetime) -> float:
    for minute in range(2, 61, 2):
        for event in early.look(Judged.of(judged, since + timedelta(minutes=minute)), layers, []):
            if (event.stream.area, event.stream.operator) == (district, "Viettel"):
                return minute
    return float("inf")


def run() -> list[Row]:
    """Return the rows."""
    return [*run_lengths(), delays()]


if __name__ == "__main__":
    for row in [delays()] if sys.argv[1:] == ["delays"] else run_lengths() if sys.argv[1:] else run():
        print(row)
