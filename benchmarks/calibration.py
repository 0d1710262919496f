"""Whether intervals hold what they promise: simulated cities whose truth is known, judged as real ones are."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from analysis import rules, thresholds
from analysis.judge import Scheme, judge
from analysis.observations import BASE_COLUMNS, observe
from analysis.partition import KPI_IDS, NO_AREA, parent_cell, partial_of
from analysis.quantisation import SHARES
from analysis.scores import score
from analysis.tally import Rows
from archive.frames import conform
from measurement.columns import area_column
from simulation.city import City, Scale
from simulation.panel import Mix
from simulation.truth import draw

LAYER = "communes-2025"
ZONE = "Asia/Ho_Chi_Minh"
START = date(2026, 5, 4)
TECHNOLOGIES = ("5g", "4g")
OPERATORS = ("Viettel", "VinaPhone", "MobiFone", "Vietnamobile")
PROBABILITIES = {"p10": 0.1, "median": 0.5, "p90": 0.9}


class Design(NamedTuple):
    """How a city is sampled."""

    name: str
    communes: int
    phones: int
    records: int
    days: int
    mix: tuple[float, float, float, float] = (0, 1, 0, 0)
    skew: float = 1.0
    urban_bias: float = 0.0


def _observed(frame: pl.DataFrame, areas: Sequence[str]) -> pl.DataFrame:
    columns = [*BASE_COLUMNS, area_column(LAYER)]
    held = [name for name in columns if name in frame.columns]
    return observe(conform(frame.select(held), [LAYER]).select(columns), [LAYER], ZONE, thresholds.load())


def sample(city: City, design: Design) -> tuple[pl.DataFrame, list[str]]:
    """Return the collapsed rows of a city's records, day by day, and the keys of its communes."""
    areas = list(city.settlement.keys)
    parts = []
    for frame in city.records(design.records, days=design.days, start=START):
        local = pl.col("started_at").dt.convert_time_zone(ZONE).dt.date().alias("civil")
        for (day,), part in frame.with_columns(local).partition_by("civil", as_dict=True).items():
            number = (day - date(1970, 1, 1)).days
            seen = _observed(part, areas)
            parts.append(partial_of(seen, {LAYER: areas}, number).area_rows)
    return pl.concat(parts), areas


def votes(rows: pl.DataFrame) -> tuple[Any, Any]:
    """Return the share of its unit, and of its device's vote, that each test holds."""
    share = rows.select(share=(1 / pl.col("unit_size")).cast(pl.Float32), device="device")
    weight = share.select((pl.col("share") / pl.col("share").sum().over("device")).cast(pl.Float32))
    return share["share"].to_numpy(), weight.to_series().to_numpy()


def rated(rows: pl.DataFrame, areas: Sequence[str]) -> pl.DataFrame:
    """Judge communes as `haidang-analysis rate` does."""
    hashes = pl.Series(OPERATORS).hash(seed=0).to_list()
    rows = rows.filter(pl.col(area_column(LAYER)) != NO_AREA)
    operator = rows["operator"].replace_strict(dict(zip(hashes, range(4), strict=True)), return_dtype=pl.Int64)
    columns = Rows(
        rows[area_column(LAYER)].to_numpy().astype(np.int64),
        operator.to_numpy(),
        rows["technology"].to_numpy().astype(np.int64),
        rows["device"].to_numpy(),
        *votes(rows),
        rows["day"].to_numpy(),
        rows["is_simulated"].to_numpy(),
        {kpi: rows[kpi].to_numpy() for kpi in KPI_IDS},
    )
    scheme = Scheme(thresholds.load(), "area", TECHNOLOGIES)
    return judge(columns, (len(areas), 4, 2), scheme, KPI_IDS)


def truth(city: City, areas: Sequence[str], draws: int, weighting: str) -> pl.DataFrame:
    """Return true statistics and scores of commune x operator x technology, over a whole week."""
    drawn = draw(city, draws, START)
    seen = _observed(drawn, areas).with_columns(drawn["weight"]).filter(pl.col(area_column(LAYER)).is_not_null())
    # What a rating is about: tests that the network limited. Those it leaves out are left out of the truth as well.
    seen = seen.filter(rules.reason(rules.AREA).is_null())
    seen = seen.with_columns(
        pl.Series("cell", parent_cell(seen["h3_cell"].to_numpy(), 9)), pl.col(area_column(LAYER)).alias("area")
    )
    by = ["area", "operator", "technology"]
    tables = []
    for kpi in KPI_IDS:
        known = seen.select(*by, "cell", "weight", pl.col(kpi).alias("x")).drop_nulls("x")
        if weighting == "cells":
            known = known.with_columns(pl.col("weight") / pl.col("weight").sum().over(*by, "cell"))
        known = known.sort("x")
        share = pl.col("weight").cum_sum() / pl.col("weight").sum()
        mean = ((pl.col("x") * pl.col("weight")).sum() / pl.col("weight").sum()).alias(
            "share" if kpi in SHARES else "mean"
        )
        quantiles = (
            [] if kpi in SHARES else [pl.col("x").filter(share >= p).first().alias(n) for n, p in PROBABILITIES.items()]
        )
        table = known.group_by(by, maintain_order=True).agg(mean, *quantiles, pl.len().alias("draws"))
        tables.append(
            table.unpivot(index=[*by, "draws"], variable_name="statistic", value_name="truth").with_columns(
                kpi=pl.lit(kpi)
            )
        )
    whole = pl.concat(tables)
    return pl.concat((whole, true_scores(whole)), how="diagonal")


def true_scores(whole: pl.DataFrame) -> pl.DataFrame:
    """Return the scores of the true statistics."""
    limits = thresholds.load()
    parts, weights = limits.part[0].weights, limits.weights("area")
    rows = []
    for (area, operator, technology), group in whole.group_by("area", "operator", "technology"):
        values = {(k, s): v for k, s, v in group.select("kpi", "statistic", "truth").iter_rows()}
        total = weight = 0.0
        for kpi, own in weights.items():
            target = limits.targets(str(technology)).get(kpi)
            if target is None:
                continue
            found = [(parts.get(s, 1.0) if len(target.values) > 1 else 1.0, float(score(values[kpi, s], target, s, limits)))
                     for s in target.values if (kpi, s) in values]  # fmt: skip
            if found:
                total += own * sum(w * x for w, x in found) / sum(w for w, _ in found)
                weight += own
        rows.append((area, operator, technology, "score", "score", total / weight))
    return pl.DataFrame(rows, schema=["area", "operator", "technology", "kpi", "statistic", "truth"], orient="row")


def compare(city_seed: int, design: Design, draws: int, weighting: str = "cells") -> pl.DataFrame:
    """Return estimates beside the truth of one city."""
    city = City(city_seed, communes=design.communes, scale=Scale(30 * design.communes, design.phones, 2),
                mix=Mix(*design.mix), skew=design.skew, urban_bias=design.urban_bias)  # fmt: skip
    rows, areas = sample(city, design)
    found = rated(rows, areas).filter((pl.col("operator") < 4) & (pl.col("technology") < 2))
    named = found.with_columns(
        pl.col("unit").replace_strict(dict(enumerate(areas)), return_dtype=pl.String).alias("area"),
        pl.col("operator").replace_strict(dict(enumerate(OPERATORS)), return_dtype=pl.String),
        pl.col("technology").replace_strict(dict(enumerate(TECHNOLOGIES)), return_dtype=pl.String),
    )
    keys = ["area", "operator", "technology", "kpi", "statistic"]
    out = []
    for w in weighting.split(","):
        out.append(named.join(truth(city, areas, draws, w), on=keys).with_columns(weighting=pl.lit(w)))
    return pl.concat(out).with_columns(seed=pl.lit(city_seed), design=pl.lit(design.name))
