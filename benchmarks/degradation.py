"""Degradation on simulated cities: how soon a known fall is found, and how often a healthy city alarms."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl

from analysis import thresholds
from analysis.degraded.compact import files, read
from analysis.degraded.detect import look
from analysis.degraded.events import Event, exceptions
from analysis.degraded.judged import Day, Judged, Past, finest
from analysis.degraded.kpis import BY_KPI, Watched
from analysis.degraded.residuals import Except, books, judge, learn, prepare
from archive.store import Archive
from benchmarks import Row
from simulation.city import City, Scale
from simulation.degradation import Degradation

TOPIC = "degradation"
START = date(2026, 5, 1)
LOCAL = timedelta(hours=7)
LIMITS = thresholds.load()
DOWNLINK = BY_KPI["downlink"]


@contextmanager
def state_of(city: City, records: int, days: int) -> Iterator[tuple[pl.DataFrame, list[str]]]:
    """Yield the whole rolling state of a city's records, and its layers."""
    with tempfile.TemporaryDirectory() as folder, Archive(Path(folder) / "a", create=True) as archive:
        archive.set_layers(city.layers)
        archive.set_base_stations(city.stations)
        for frame in city.records(records, days=days, start=START):
            archive.append_frame(frame)
        ends = (
            [START + timedelta(days - 1)] if days <= 57 else [START + timedelta(days - 58), START + timedelta(days - 1)]
        )
        parts = [read(files(archive, end, LIMITS).values()) for end in ends]
        whole = pl.concat([part for part in parts if part is not None])
        yield whole.unique(maintain_order=True).sort("started_at"), archive.layer_keys()


def watch(
    state: pl.DataFrame, layers: list[str], first: datetime, last: datetime, step: timedelta, watched: list[str],
    row: Watched = DOWNLINK,
) -> list[Event]:  # fmt: skip
    """Look every `step`, learning the baseline anew each civil day, as `haidang-analysis degraded --watch` does."""
    events: list[Event] = []
    now, day, past, judged = first, None, Past([]), pl.DataFrame()
    while now <= last:
        today = (now + LOCAL).replace(hour=0, minute=0, second=0, microsecond=0) - LOCAL
        if today != day:
            day = today
            window = state.filter(
                (pl.col("started_at") > today - timedelta(56)) & (pl.col("started_at") < today + timedelta(1))
            )
            judged = judge_all(window, layers, today, [row], exceptions(events))
            past = Past(
                [Day(judged.filter(pl.col("started_at").is_between(today - timedelta(28), today, closed="left")))]
            )
            print(f"  {today + LOCAL:%m-%d}: {window.height} tests, {len(events)} events", file=sys.stderr, flush=True)
        fresh = Day(judged.filter(pl.col("started_at").is_between(today, now)))
        known = {event.stream for event in events}
        events = look(Judged(past, fresh, now), row, watched, events)
        for event in events:
            if event.stream not in known:
                print(f"  {now + LOCAL:%m-%d %H:%M} {event}", file=sys.stderr, flush=True)
        now += step
    return events


def judge_all(
    state: pl.DataFrame, layers: list[str], today: datetime, kpis: Sequence[Watched], but: Sequence[Except] = ()
) -> pl.DataFrame:
    """Learn from a state and judge all of it."""
    area = finest(layers, state)
    numbers = books(state, area)
    prepared = prepare(state, area, known=numbers)
    return judge(prepared, {row.kpi: learn(prepared, numbers.sizes, today, row, but) for row in kpis})


def false_alarms(days: int = 30, records_a_day: int = 11_000, hours: float = 6) -> Row:
    """Watch a healthy city of 114 communes for a month."""
    before = 44
    city = City(11)
    with state_of(city, records_a_day * (before + days), before + days) as (state, layers):
        first = datetime(2026, 5, 1, tzinfo=UTC) + timedelta(before) - LOCAL
        events = watch(state, layers, first, first + timedelta(days), timedelta(hours=hours), ["communes-2025"])
        streams = state.select("areas_communes_2025", "operator", "technology").drop_nulls().n_unique()
    told = "; ".join(f"{e.stream.area} {e.stream.operator} {e.stream.technology} {e.drop_ratio:.2f}" for e in events)
    return Row(
        TOPIC, "false alarms in 30 days, 114 communes x 4 operators x 2 technologies, simulated", "<= 1",
        f"{len(events)} over {streams} streams",
        f"downlink; a look every {hours:g} h, {records_a_day:,} tests a day. {told}".strip(),
    )  # fmt: skip


def delays(trials: int = 5, rate: float = 60.0) -> Row:
    """Take 30 % from one operator in one district, at about 60 tests an hour, and see when it is told."""
    found: list[float] = []
    sizes: list[float] = []
    rates: list[float] = []
    for trial, (seed, district) in enumerate(districts(trials)):
        since = datetime(2026, 5, 26, 2 + trial, tzinfo=UTC)
        fall = Degradation(district, "Viettel", 0.7, since)
        city = City(seed, communes=8, scale=Scale(200, 2500, 30), degradations=[fall])
        with state_of(city, 28 * 11_000, 28) as (state, keys):
            own = thinned(state, district, since, rate)
            events = watch(own, keys, since, since + timedelta(hours=6), timedelta(minutes=15), ["districts-2024"])
            mine = [e for e in events if e.stream.area == district and e.stream.operator == "Viettel"]
            inside = own.filter(_inside(district) & pl.col("started_at").is_between(since, since + timedelta(hours=4)))
            rates.append(inside.height / 4)
            if mine:
                found.append(min((e.confirmed_at - since).total_seconds() / 3600 for e in mine))
                sizes.append(sum(e.drop_ratio for e in mine) / len(mine))
            print(
                f"  trial {trial}: {rates[-1]:.0f}/h, {found[-1:] if mine else 'missed'}", file=sys.stderr, flush=True
            )
    soon, last = sum(hours <= 2 for hours in found), max(found, default=0.0)
    middle, size = sorted(found)[len(found) // 2] if found else 0.0, 100 * sum(sizes) / max(len(sizes), 1)
    return Row(
        TOPIC, "30 % median drop over a district in one operator at 60 samples/h, simulated", "found within 2 h",
        f"{soon} of {trials} within 2 h; found {len(found)}, median {middle:.2f} h, slowest {last:.2f} h",
        f"{sum(rates) / len(rates):.0f} tests/h of the operator there in both technologies; told as {size:.0f} %",
    )  # fmt: skip


def districts(count: int) -> Iterator[tuple[int, str]]:
    """Yield seeds of small cities, and the district of each with the most tests; a city may lie outside any."""
    seed = 100
    while count:
        frame = next(iter(City(seed, communes=8, scale=Scale(200, 2500, 30)).records(2000, days=1, start=START)))
        inside = frame["areas_districts_2024"].drop_nulls()
        if len(inside) > 1000:
            yield seed, str(inside.mode().sort()[0])
            count -= 1
        seed += 1


def _inside(district: str) -> pl.Expr:
    return (pl.col("areas_districts_2024") == district) & (pl.col("operator") == "Viettel")


def thinned(state: pl.DataFrame, district: str, since: datetime, rate: float) -> pl.DataFrame:
    """Keep so many of all tests that the operator makes `rate` an hour in the district."""
    inside = state.filter(_inside(district) & pl.col("started_at").is_between(since, since + timedelta(hours=4)))
    share = min(1.0, rate / max(inside.height / 4, 1e-9))
    return state.sample(fraction=share, seed=1).sort("started_at")


def run() -> list[Row]:
    """Return the rows."""
    return [delays(), false_alarms()]


if __name__ == "__main__":
    for row in [delays()] if sys.argv[1:] == ["delays"] else [false_alarms()] if sys.argv[1:] else run():
        print(row)
