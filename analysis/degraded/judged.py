"""Judged tests of the last four weeks, one frame a day, with the sums of each hour that change detection needs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from measurement.columns import area_column

STATIONS, OPERATORS = "base_stations", "operators"
"""Names of the layers that are no areas."""
HORIZON_HOURS = 14 * 24
KEYS = ("area", "operator", "technology")
Key = tuple[str, str, str]
_HELD = 3.0
_MICROSECONDS = 3_600_000_000
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
_NAMES = dict.fromkeys(KEYS, pl.String)
_NO_SUMS = pl.DataFrame(schema={**_NAMES, "slot": pl.Int64, "total": pl.Float64, "mass": pl.Float64})
_NO_ROWS = pl.DataFrame(
    schema={
        **_NAMES, "probe_id": pl.String, "slot": pl.Int64, "server": pl.String,
        "started_at": pl.Datetime("us", "UTC"), "residual": pl.Float64, "deviation": pl.Float64, "tests": pl.UInt32,
        "is_simulated": pl.Boolean,
    }
)  # fmt: skip


def column_of(layer: str) -> str:
    """Return the column that a layer's areas stand in; empty for operators."""
    return {STATIONS: "base_station", OPERATORS: ""}.get(layer, area_column(layer))


def slot_of(at: datetime) -> int:
    """Return the number of the hour that an instant lies in, since 1970."""
    return int(at.timestamp() // 3600)


def collapse(rows: pl.DataFrame) -> pl.DataFrame:
    """Collapse each device's tests of an hour: an eager device speaks once."""
    slot = (pl.col("started_at").dt.epoch("us") // _MICROSECONDS).alias("slot")
    return (
        rows.with_columns(slot)
        .group_by(*KEYS, "probe_id", "slot", "server", maintain_order=True)
        .agg(
            pl.col("started_at").min(),
            pl.col("residual").mean(),
            pl.col("deviation").mean(),
            pl.len().alias("tests"),
            pl.col("is_simulated").any(),
        )
    )


class Day:
    """Judged tests of one day; its sums are made once."""

    def __init__(self, tests: pl.DataFrame) -> None:
        """Take rows of `residuals.judge`."""
        self.tests = tests
        self.first: datetime | None = tests["started_at"].min()  # type: ignore[assignment]
        self.last: datetime | None = tests["started_at"].max()  # type: ignore[assignment]
        self._hours: dict[tuple[str, str], pl.DataFrame] = {}

    def of(self, kpi: str, layer: str) -> pl.LazyFrame:
        """Return the tests of a KPI with `area`, `residual` and `deviation`; those outside every area left out."""
        column = column_of(layer)
        area = pl.col(column) if column else pl.lit("*")
        names = ("operator", "technology", "probe_id", "server", "started_at", "is_simulated")
        return (
            self.tests.lazy()
            .select(
                area.alias("area"),
                *names,
                pl.col(f"residual_{kpi}").alias("residual"),
                pl.col(f"deviation_{kpi}").alias("deviation"),
            )
            .filter(pl.col("area").is_not_null() & pl.col("residual").is_not_null())
        )

    def hours(self, kpi: str, layer: str) -> pl.DataFrame:
        """Return for each stream and hour the sum of its devices' scores by their weight, and the weight."""
        if (kpi, layer) not in self._hours:
            rows = collapse(self.of(kpi, layer).collect())
            score = (pl.col("residual") / pl.col("deviation")).clip(-_HELD, _HELD)
            self._hours[kpi, layer] = rows.group_by(*KEYS, "slot").agg(
                (score / pl.col("deviation")).sum().alias("total"), (1 / pl.col("deviation") ** 2).sum().alias("mass")
            )
        return self._hours[kpi, layer]


class Sums(NamedTuple):
    """Sums of hours: the streams by number, and stream, hour, total and weight of each sum."""

    names: pl.DataFrame
    number: Ints
    slot: Ints
    total: Floats
    mass: Floats


class Past:
    """Days that are over. What was asked of them once is kept: nothing of it changes until a day does."""

    def __init__(self, days: Sequence[Day]) -> None:
        """Take days in order."""
        self.days = [day for day in days if day.last is not None]
        self._sums: dict[tuple[str, str], Sums] = {}
        self._rows: dict[tuple[str, str, Key], pl.DataFrame] = {}

    def sums(self, kpi: str, layer: str) -> Sums:
        """Return the sums of the hours that any look at the day after can see."""
        if (kpi, layer) not in self._sums:
            last = max((day.last for day in self.days if day.last), default=None)
            since = last - timedelta(hours=HORIZON_HOURS + 1) if last else None
            parts = [day.hours(kpi, layer) for day in self.days if since and day.last and day.last >= since]
            self._sums[kpi, layer] = _summed(pl.concat(parts) if parts else _NO_SUMS, None)
        return self._sums[kpi, layer]

    def rows(self, kpi: str, layer: str, keys: Sequence[Key]) -> dict[Key, pl.DataFrame]:
        """Return the collapsed tests of some streams; those without any are left out."""
        missing = [key for key in keys if (kpi, layer, key) not in self._rows]
        if missing and self.days:
            found = _picked([day.of(kpi, layer) for day in self.days], missing)
            self._rows |= {(kpi, layer, key): found.get(key, _NO_ROWS) for key in missing}
        held = {key: self._rows.get((kpi, layer, key), _NO_ROWS) for key in keys}
        return {key: frame for key, frame in held.items() if frame.height}


def _picked(parts: Sequence[pl.LazyFrame], keys: Sequence[Key]) -> dict[Key, pl.DataFrame]:
    asked = pl.LazyFrame(list(keys), schema=dict.fromkeys(KEYS, pl.String), orient="row")
    rows = collapse(pl.concat(pl.collect_all([part.join(asked, on=KEYS, how="semi") for part in parts])))
    found = rows.sort("started_at").partition_by(*KEYS, as_dict=True, maintain_order=True)
    return {(str(key[0]), str(key[1]), str(key[2])): frame for key, frame in found.items()}


def _summed(rows: pl.DataFrame, known: pl.DataFrame | None) -> Sums:
    """Number the streams of hourly sums; those that are known keep their numbers."""
    names = rows.select(KEYS).unique().sort(KEYS)
    if known is not None:
        names = pl.concat([known.select(KEYS), names.join(known, on=KEYS, how="anti")])
    names = names.with_row_index("number")
    number = rows.join(names, on=KEYS, how="left", maintain_order="left")["number"]
    columns = (rows[name].to_numpy() for name in ("slot", "total", "mass"))
    return Sums(names, number.to_numpy().astype(np.int64), *columns)


class Judged:
    """What a look sees: days that are over, and today until now."""

    def __init__(self, past: Past, today: Day, now: datetime) -> None:
        """Take days none of which has a test after `now`."""
        self.past, self.today, self.now = past, today, now
        self.days = [*past.days, *([today] if today.last is not None else [])]

    @classmethod
    def of(cls, tests: pl.DataFrame, now: datetime) -> Judged:
        """Take rows of `residuals.judge` as one day; those after `now` or long before it are left out."""
        since = now - timedelta(hours=2 * HORIZON_HOURS)
        inside = (pl.col("started_at") <= now) & (pl.col("started_at") > since)
        return cls(Past([]), Day(tests.filter(inside)), now)

    def has(self, kpi: str) -> bool:
        """Tell whether a KPI was judged."""
        return any(f"residual_{kpi}" in day.tests.columns for day in self.days)

    def recent(self, span: timedelta) -> pl.DataFrame:
        """Return the tests of every KPI that began within a span before now."""
        since = self.now - span
        parts = [day.tests.filter(pl.col("started_at") >= since) for day in self._since(since)]
        return pl.concat(parts) if parts else pl.DataFrame()

    def _since(self, since: datetime) -> list[Day]:
        return [day for day in self.days if day.last is not None and day.last >= since]

    def streams(self, kpi: str, layer: str, keys: Sequence[Key]) -> dict[Key, pl.DataFrame]:
        """Return the collapsed tests of some streams in order of time."""
        if not keys:
            return {}
        past = self.past.rows(kpi, layer, keys)
        today = _picked([self.today.of(kpi, layer)], keys) if self.today.last is not None else {}
        both = {key: [part[key] for part in (past, today) if key in part] for key in keys}
        return {key: pl.concat(parts) for key, parts in both.items() if parts}

    def elsewhere(self, kpi: str, layer: str, area: str, since: datetime) -> pl.DataFrame:
        """Return the collapsed tests of every operator in all other areas from an instant on."""
        there = (pl.col("started_at") >= since) & (pl.col("area") != area)
        parts = pl.collect_all([day.of(kpi, layer).filter(there) for day in self._since(since)])
        return collapse(pl.concat(parts)) if parts else _NO_ROWS

    def hours(self, kpi: str, layer: str) -> tuple[list[Key], Floats]:
        """Return every stream, and the standardised mean of each of its hours, shape (streams, HORIZON_HOURS).

        Hours without tests are NaN. Where hours scatter more than their tests would, all are narrowed by that.
        """
        first = slot_of(self.now) - HORIZON_HOURS + 1
        past = self.past.sums(kpi, layer)
        today = _summed(self.today.hours(kpi, layer) if self.today.last is not None else _NO_SUMS, past.names)
        size = today.names.height * HORIZON_HOURS
        total, mass = np.zeros(size), np.zeros(size)
        for sums in (past, today):
            inside = sums.slot >= first
            cell = sums.number[inside] * HORIZON_HOURS + (sums.slot[inside] - first)
            # A stream has one sum an hour, and no hour lies in two days.
            total[cell], mass[cell] = sums.total[inside], sums.mass[inside]
        z = np.divide(total, np.sqrt(mass), out=np.full(size, np.nan), where=mass > 0)
        known = z[mass > 0]
        scatter = float(np.median(np.abs(known))) / 0.6745 if len(known) else 1.0
        keys = [(str(a), str(o), str(t)) for a, o, t in today.names.select(KEYS).iter_rows()]
        return keys, (z / max(1.0, scatter)).reshape(-1, HORIZON_HOURS)


def finest(layers: Sequence[str], state: pl.DataFrame) -> str:
    """Return the column of the layer with the most areas seen."""
    columns = [area_column(layer) for layer in layers]
    return max(columns, key=lambda name: state[name].n_unique())
