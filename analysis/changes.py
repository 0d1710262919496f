"""What changed in each area since the month before: `analysis.compare` for every area, operator, technology and KPI.

A thousand areas compared at 95 % show fifty changes where there are none. So each family (one layer, operator,
technology, KPI) is judged together: a change is told where its interval leaves out no change at all, and its
q-value after Benjamini and Hochberg (1995) is at most 5 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Executor
from itertools import product
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.stats import false_discovery_control, norm

from analysis import results, rules
from analysis.compare import BETTER, SAME, TOO_FEW, WORSE, Difference, Side, difference
from analysis.executors import each
from analysis.observations import day_records, read_day
from analysis.rate import Progress, silent
from analysis.results import ALL
from analysis.thresholds import Thresholds
from archive.layout import DEFAULT_TIME_ZONE
from archive.store import Archive
from measurement.columns import area_column

KPIS = ("downlink", "uplink", "latency", "access_failure", "floor_share", "rsrp")
"""KPIs whose change is told."""

DRAWS = 200
TESTS = 1500
"""Tests of a side at most, the first of every device before the second of any: more would narrow no verdict much."""

LEAST_TESTS = 30
Q_TOLD = 0.05
_SEED = 1
_UNIT = ("probe_id", "h3_cell", "technology", "operator", "day")


class Task(NamedTuple):
    """Tests of one layer and KPI in two months, as arrays of equal length; `is_later` marks the second month."""

    layer: str
    kpi: str
    tests: pl.DataFrame


def two_months(days: Sequence[str], month: str | None = None) -> tuple[str, str] | None:
    """Return the newest month (or `month`) and the one with data before it.

    Examples
    --------
    >>> two_months(['2026-04-30', '2026-05-01', '2026-07-01'])
    ('2026-05', '2026-07')
    """
    months = sorted({day[:7] for day in days})
    later = month or (months[-1] if months else None)
    before = [each for each in months if later is not None and each < later]
    return (before[-1], later) if before and later in months else None


def read_tests(
    archive: Archive, months: tuple[str, str], thresholds: Thresholds, progress: Progress = silent
) -> pl.DataFrame:
    """Return the clean tests of two months, with what a comparison asks of them."""
    zone = archive.setting("time_zone") or DEFAULT_TIME_ZONE
    areas = [area_column(layer) for layer in archive.layer_keys()]
    parts = []
    with archive.snapshot() as snapshot:
        days = [day for day in snapshot.days if day[:7] in months]
        for index, day in enumerate(days):
            seen = read_day(day_records(snapshot, day), zone, thresholds).filter(rules.reason(rules.AREA).is_null())
            parts.append(
                seen.select(
                    *_UNIT[:-1],
                    pl.lit(day).alias("day"),
                    (pl.lit(day[:7]) == months[1]).alias("is_later"),
                    pl.col("is_simulated").fill_null(False),
                    *areas,
                    *KPIS,
                )
            )
            progress("days", index + 1, len(days))
    frame = pl.concat(parts)
    # The order in which a device's tests are taken: by chance, but the same chance on every run.
    order = np.random.default_rng(_SEED).permutation(frame.height)
    return frame.with_columns(pl.Series("order", order))


def _task(frame: pl.DataFrame, layer: str, kpi: str) -> Task:
    """Keep of each area, operator, technology and month the tests that its sides may hold."""
    area = area_column(layer)
    side = (area, "operator", "technology", "is_later")
    known = frame.filter(pl.col(kpi).is_not_null() & pl.col(area).is_not_null())
    thin = (
        known.with_columns(
            (1 / pl.len().over(_UNIT)).alias("weight"),
            pl.col("order").rank("ordinal").over(*side, "probe_id").alias("turn"),
        )
        .sort("turn", "order")
        .with_columns(pl.int_range(pl.len()).over(side).alias("place"))
        .filter(pl.col("place") < TESTS)
    )
    return Task(
        layer,
        kpi,
        thin.select(
            pl.col(area).alias("area"), "operator", "technology", "is_later", "is_simulated", "weight", "turn", "order",
            pl.col("probe_id").rank("dense").cast(pl.UInt32).alias("device"), pl.col(kpi).alias("value"),
        ),
    )  # fmt: skip


def _side(tests: pl.DataFrame, devices: npt.NDArray[np.uint32]) -> Side:
    """Return a side as `analysis.compare.side` makes it: each device weighs the same, within it each of its units."""
    device = np.searchsorted(devices, tests["device"].to_numpy())
    weight = tests["weight"].to_numpy()
    whole = np.bincount(device, weight, minlength=len(devices))
    return Side(tests["value"].to_numpy().astype(np.float64), device.astype(np.int64), weight / whole[device])


def _difference(tests: pl.DataFrame, kpi: str) -> tuple[Difference, int, int] | None:
    """Compare the two months of one group; nothing where a side has too few tests or devices."""
    sides = [part.head(TESTS) for later in (False, True) for part in [tests.filter(pl.col("is_later") == later)]]
    if min(part.height for part in sides) < LEAST_TESTS:
        return None
    devices = np.unique(np.concatenate([part["device"].to_numpy() for part in sides]))
    before, after = (_side(part, devices) for part in sides)
    found = difference(before, after, kpi, np.random.default_rng(_SEED), DRAWS)
    return None if found.verdict == TOO_FEW else (found, sides[0].height, sides[1].height)


def judge(task: Task) -> pl.DataFrame:
    """Compare every area, operator and technology (with their mixes) of one layer and KPI."""
    rows: list[dict[str, Any]] = []
    for by_operator, by_technology in product((False, True), repeat=2):
        keys = ["area", *["operator"] * by_operator, *["technology"] * by_technology]
        for part in task.tests.sort("turn", "order").partition_by(keys, maintain_order=True):
            found = _difference(part, task.kpi)
            if found is not None:
                rows.append(
                    {
                        "layer": task.layer,
                        "area": part["area"][0],
                        "operator": part["operator"][0] if by_operator else ALL,
                        "technology": part["technology"][0] if by_technology else ALL,
                        "kpi": task.kpi,
                        **found[0]._asdict(),
                        "first_tests": found[1],
                        "second_tests": found[2],
                        "is_simulated": bool(part["is_simulated"].any()),
                    }
                )
    return pl.DataFrame(rows) if rows else pl.DataFrame()


def _p_value(rows: pl.DataFrame) -> npt.NDArray[np.float64]:
    """Return two-sided p-values from the intervals, taken as normal (on the logarithm for ratios)."""
    ratio = rows["is_ratio"].to_numpy()
    change, low, high = (rows[name].to_numpy() for name in ("change", "low", "high"))
    with np.errstate(invalid="ignore", divide="ignore"):
        change, low, high = (np.where(ratio, np.log(x), x) for x in (change, low, high))
        error = (high - low) / (2 * norm.ppf(0.975))
        found = 2 * norm.sf(np.abs(change) / error)
    return np.asarray(np.where(np.isfinite(found), found, 1.0))


def told(rows: pl.DataFrame) -> pl.DataFrame:
    """Judge each family together: a difference that is not told apart from chance becomes no difference.

    Examples
    --------
    >>> one = dict(layer='l', operator='*', technology='*', kpi='rsrp', is_ratio=False, verdict='better')
    >>> ends = [(9.0, 8.0, 10.0), (1.0, 0.01, 2.0), (1.0, -1.0, 3.0)]
    >>> rows = [one | dict(area='a', change=change, low=low, high=high) for change, low, high in ends]
    >>> [row['verdict'] for row in told(pl.DataFrame(rows)).to_dicts()]
    ['better', 'no difference shown', 'no difference shown']
    """
    judged = rows.with_columns(pl.Series("p_value", _p_value(rows)))
    families = [
        family.with_columns(pl.Series("q_value", false_discovery_control(family["p_value"].to_numpy())))
        for family in judged.partition_by("layer", "operator", "technology", "kpi", maintain_order=True)
    ]
    clear = pl.col("verdict").is_in([BETTER, WORSE]) & (pl.col("q_value") <= Q_TOLD)
    return pl.concat(families).with_columns(pl.when(clear).then("verdict").otherwise(pl.lit(SAME)).alias("verdict"))


def changes(
    archive: Archive, thresholds: Thresholds, pool: Executor, month: str | None = None, progress: Progress = silent
) -> pl.DataFrame:
    """Return the `changes` table: the newest month (or `month`) against the one before it; empty without two."""
    with archive.snapshot() as snapshot:
        months = two_months(snapshot.days, month)
    layers = archive.layer_keys()
    if months is None or not layers:
        return pl.DataFrame(schema=results.schema("changes"))
    frame = read_tests(archive, months, thresholds, progress)
    tasks = [_task(frame, layer, kpi) for layer, kpi in product(layers, KPIS)]
    done = iter(range(1, len(tasks) + 1))
    judged = each(pool, judge, tasks, lambda: progress("layers and KPIs compared", next(done), len(tasks)))
    held = [rows for rows in judged if rows.height]
    if not held:
        return pl.DataFrame(schema=results.schema("changes"))
    named = told(pl.concat(held)).with_columns(pl.lit(months[0]).alias("before"), pl.lit(months[1]).alias("period"))
    return results.shape("changes", named).sort("layer", "operator", "technology", "kpi", "area")
