"""Judged tests of the last four weeks, one frame a day, with the sums of each hour that change detection needs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import polars as pl

from measurement.columns import area_column

STATIONS, OPERATORS = "base_stations", "operators"
"""Names of the layers that are no areas."""
HORIZON_HOURS = 14 * 24
KEYS = ("area", "operator", "technology")
Key = tuple[str, str, str]
_HELD = 3.0
_MICROSECONDS = 3_600_000_000


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


class Judged:
    """The days that end with a look."""

    def __init__(self, days: Sequence[Day], now: datetime) -> None:
        """Take days in order, none with a test after `now`."""
        self.days = [day for day in days if day.first is not None]
        self.now = now

    @classmethod
    def of(cls, tests: pl.DataFrame, now: datetime) -> Judged:
        """Take rows of `residuals.judge` as one day; those after `now` or long before it are left out."""
        since = now - timedelta(hours=2 * HORIZON_HOURS)
        inside = (pl.col("started_at") <= now) & (pl.col("started_at") > since)
        return cls([Day(tests.filter(inside))], now)

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
        asked = pl.LazyFrame(list(keys), schema=dict.fromkeys(KEYS, pl.String), orient="row")
        parts = pl.collect_all([day.of(kpi, layer).join(asked, on=KEYS, how="semi") for day in self.days])
        rows = collapse(pl.concat(parts)).sort("started_at")
        found = rows.partition_by(*KEYS, as_dict=True, maintain_order=True)
        return {(str(key[0]), str(key[1]), str(key[2])): frame for key, frame in found.items()}

    def elsewhere(self, kpi: str, layer: str, area: str, since: datetime) -> pl.DataFrame:
        """Return the collapsed tests of every operator in all other areas from an instant on."""
        there = (pl.col("started_at") >= since) & (pl.col("area") != area)
        parts = pl.collect_all([day.of(kpi, layer).filter(there) for day in self._since(since)])
        if not parts:
            return self.days[-1].of(kpi, layer).collect().clear()
        return collapse(pl.concat(parts))

    def hours(self, kpi: str, layer: str) -> tuple[list[Key], np.ndarray]:
        """Return every stream, and the standardised mean of each of its hours, shape (streams, HORIZON_HOURS).

        Hours without tests are NaN. Where hours scatter more than their tests would, all are narrowed by that.
        """
        first = slot_of(self.now) - HORIZON_HOURS + 1
        since = self.now - timedelta(hours=HORIZON_HOURS + 1)
        parts = [day.hours(kpi, layer) for day in self._since(since)]
        if not parts:
            return [], np.zeros((0, HORIZON_HOURS))
        rows = pl.concat(parts).filter(pl.col("slot") >= first)
        names = rows.select(KEYS).unique().sort(KEYS)
        number = rows.join(names.with_row_index("number"), on=KEYS, how="left", maintain_order="left")["number"]
        cell = number.to_numpy().astype(np.int64) * HORIZON_HOURS + (rows["slot"].to_numpy() - first)
        size = names.height * HORIZON_HOURS
        total = np.bincount(cell, rows["total"].to_numpy(), minlength=size)
        mass = np.bincount(cell, rows["mass"].to_numpy(), minlength=size)
        z = np.divide(total, np.sqrt(mass), out=np.full(size, np.nan), where=mass > 0).reshape(-1, HORIZON_HOURS)
        scatter = np.nanmedian(np.abs(z)) / 0.6745 if np.isfinite(z).any() else 1.0
        return [(str(a), str(o), str(t)) for a, o, t in names.iter_rows()], z / max(1.0, float(scatter))


def finest(layers: Sequence[str], state: pl.DataFrame) -> str:
    """Return the column of the layer with the most areas seen."""
    columns = [area_column(layer) for layer in layers]
    return max(columns, key=lambda name: state[name].n_unique())
