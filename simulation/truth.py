"""The true quality of a simulated city: the same model over citizens drawn afresh, far more than any panel has.

Each citizen is measured once, at a place and hour of their own, so every draw is independent. Communes and operators
are drawn in strata of equal size, so that a small commune is known as well as a large one; weights undo that. The error
of the drawing itself is told beside each value (`standard_error`), and is far below any sample's.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple

import h3.api.basic_int as h3
import numpy as np
import numpy.typing as npt
import polars as pl

from measurement.columns import area_column
from simulation import panel as panels
from simulation.city import MONDAY, City
from simulation.fixes import FIXES_A_SPOT
from simulation.operators import OPERATORS
from simulation.panel import Mix, Panel, Spots
from simulation.schedule import Habits, Tests

Reals = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

CLASSES = {"nr_sa": "5g", "nr_nsa": "5g", "lte": "4g"}
"""What is rated apart. No service counts against 4G, the layer every operator must offer."""

QUANTITIES: dict[str, pl.Expr] = {
    "downlink": pl.col("throughput_downlink_goodput_bps"),
    "uplink": pl.col("throughput_uplink_goodput_bps"),
    "latency": pl.col("latency_idle_rtt_median_ms"),
    "loaded_latency": pl.col("latency_downlink_rtt_median_ms"),
    "jitter": pl.col("latency_idle_ipdv_mean_ms"),
    "loss": pl.col("latency_idle_loss_ratio"),
    "responsiveness": pl.col("responsiveness_downlink_rpm"),
    "access_delay": pl.col("access_connect_ms"),
    "rsrp": pl.coalesce("radio_nr_rsrp_dbm", "radio_anchor_rsrp_dbm"),
    "rsrq": pl.coalesce("radio_nr_rsrq_db", "radio_anchor_rsrq_db"),
    "sinr": pl.coalesce("radio_nr_sinr_db", "radio_anchor_sinr_db"),
}
"""Values by the id of their KPI; NR levels on 5G, the anchor's elsewhere."""

SHARES: dict[str, pl.Expr] = {
    "access_failure": (pl.col("outcome_status") == "failed").cast(pl.Float64),
    "drop": pl.when(pl.col("outcome_status") != "failed").then(
        (pl.col("outcome_status") == "partial").cast(pl.Float64)
    ),
    "no_service": (pl.col("outcome_failure") == "no_service").fill_null(False).cast(pl.Float64),
}
"""Chances over the tests that could show them."""

LEVELS = ((0.1, "p10"), (0.5, "median"), (0.9, "p90"))
WEIGHTINGS = ("people", "cells")
FEWEST = 30
"""Areas with fewer draws are left out: a reported position that strayed over the city's border makes no truth."""


def draw(city: City, count: int, start: date = date(2026, 5, 4), days: int = 7) -> pl.DataFrame:
    """Return one test each of `count` fresh citizens: records with `weight`, the people a draw stands for.

    Each citizen's test falls on one of the days by chance; degradations are in force as on that day. Instruments
    never fail here: every rate is the network's.
    """
    rng = np.random.default_rng([city.seed, 3, start.toordinal(), days])
    communes, operators = len(city.settlement.keys), len(OPERATORS)
    each = max(1, count // (communes * operators))
    home = np.repeat(np.arange(communes), operators * each)
    operator = np.tile(np.repeat(np.arange(operators), each), communes)
    frames = []
    for rows in np.array_split(rng.permutation(len(home)), max(1, len(home) // 200_000)):
        everywhere = panels.population(city.settlement, home[rows], operator[rows], rng)
        tests = Habits(everywhere.devices, Mix(0, 1, 0, 0)).each_once(start, days, rng)
        people, tests = at_one_spot(everywhere, tests)
        links, fixes = city.sense(people, rng)
        frame = city.run(people, links, fixes, tests, rng, is_panel=False)
        weight = city.settlement.people[home[rows]] * np.array([o.user_share for o in OPERATORS])[operator[rows]] / each
        frames.append(frame.with_columns(pl.Series("weight", weight[tests.device])))
    return pl.concat(frames)


def at_one_spot(panel: Panel, tests: Tests) -> tuple[Panel, Tests]:
    """Leave each citizen only the spot of their one test: no other needs its radio computed."""
    spots = Spots._make(column[tests.spot] for column in panel.spots)
    number = np.arange(len(tests.device))
    devices = panel.devices._replace(first_spot=number, spot_count=np.ones_like(number))
    fix = number * FIXES_A_SPOT + tests.fix % FIXES_A_SPOT
    return panel._replace(devices=devices, spots=spots), tests._replace(spot=number, fix=fix)


class Ranked(NamedTuple):
    """The draws in which a quantity is known, in the order of its values: sorted once, grouped many times."""

    row: Integers
    value: Reals


def rank(draws: pl.DataFrame, kpis: Iterable[str] | None = None) -> dict[str, Ranked]:
    """Sort the draws by each quantity; `kpis` are ids of `QUANTITIES` and `SHARES`, all where None."""
    ranked = {}
    for name in kpis if kpis is not None else (*QUANTITIES, *SHARES):
        value = draws.select({**QUANTITIES, **SHARES}[name].cast(pl.Float64).alias("v"))["v"].to_numpy()
        row = np.argsort(value)[: np.count_nonzero(~np.isnan(value))]
        ranked[name] = Ranked(row, value[row])
    return ranked


def summarise(draws: pl.DataFrame, by: Sequence[str], ranked: Mapping[str, Ranked] | None = None) -> pl.DataFrame:
    """Return the true values of each group: one row a quantity with mean, P10, median, P90, and its own error.

    The quantiles are weighted: the smallest value at which the weights of all not above it reach the share. Rows with
    null in `by` belong to no group.
    """
    groups = draws.select(by).drop_nulls().unique(maintain_order=True).with_row_index("group")
    codes = draws.select(by).join(groups, on=list(by), how="left", maintain_order="left")["group"]
    group, weight = codes.cast(pl.Int64).fill_null(-1).to_numpy(), draws["weight"].to_numpy()
    tables = []
    for name, (row, value) in (rank(draws) if ranked is None else ranked).items():
        kept = group[row] >= 0
        table = _grouped(value[kept], weight[row][kept], group[row][kept], with_quantiles=name in QUANTITIES)
        tables.append(table.with_columns(pl.lit(name).alias("kpi")))
    summary = pl.concat(tables, how="diagonal").with_columns(pl.col("group").cast(pl.get_index_type()))
    return groups.join(summary, on="group", how="inner").drop("group").sort([*by, "kpi"])


def _grouped(value: Reals, weight: Reals, group: Integers, *, with_quantiles: bool) -> pl.DataFrame:
    # numpy sorts 16-bit integers by radix: ten times faster than wider ones.
    order = np.argsort(group.astype(np.uint16) if len(group) and group.max() < 2**16 else group, kind="stable")
    value, weight, group = value[order], weight[order], group[order]
    numbers, start = np.unique(group, return_index=True)
    if not len(numbers):
        return pl.DataFrame({"group": numbers})
    total = np.add.reduceat(weight, start)
    mean = np.add.reduceat(weight * value, start) / total
    own = np.repeat(np.arange(len(numbers)), np.diff(np.append(start, len(group))))
    variance = np.add.reduceat(weight * (value - mean[own]) ** 2, start) / total
    effective = total**2 / np.add.reduceat(weight**2, start)
    columns = {
        "group": numbers,
        "draws": np.diff(np.append(start, len(group))),
        "mean": mean,
        "standard_error": np.sqrt(variance / effective),
    }
    if with_quantiles:
        below = np.cumsum(weight)
        base = below[start] - weight[start]
        for level, title in LEVELS:
            row = np.searchsorted(below, base + level * total * (1 - 1e-12))
            columns[title] = value[np.clip(row, start, np.append(start[1:], len(group)) - 1)]
    return pl.DataFrame(columns)


def _classed(draws: pl.DataFrame) -> pl.DataFrame:
    names = pl.col("network_technology").replace_strict(CLASSES, return_dtype=pl.String)
    return draws.with_columns(names.alias("technology"), pl.col("network_operator").alias("operator"))


def with_cell(draws: pl.DataFrame, resolution: int, name: str) -> pl.DataFrame:
    """Return the draws with the hexagon of a coarser resolution as a column."""
    cells = draws["h3_cell"].unique().to_list()
    parent = {cell: h3.cell_to_parent(cell, resolution) for cell in cells}
    return draws.with_columns(pl.col("h3_cell").replace_strict(parent, return_dtype=pl.Int64).alias(name))


def of_areas(
    city: City,
    draws: pl.DataFrame,
    *,
    layers: Iterable[str] | None = None,
    weightings: Iterable[str] = WEIGHTINGS,
    kpis: Iterable[str] | None = None,
) -> pl.DataFrame:
    """Return the truth of each area × operator × technology, `*` standing for all of them.

    Weighting `people` counts each citizen alike; `cells` counts each hexagon (H3 resolution 9) of an area alike, as
    ratings weight them.
    """
    wanted = [layer.key for layer in city.layers] if layers is None else list(layers)
    classed, ranked = with_cell(_classed(draws), 9, "cell"), rank(draws, kpis)
    tables = []
    for apart in ((), ("operator",), ("technology",), ("operator", "technology")):
        missing = [pl.lit("*").alias(n) for n in ("operator", "technology") if n not in apart]
        for key in wanted:
            column = area_column(key)
            in_cell = pl.col("weight").sum().over(column, "cell", *apart)
            for weighting in weightings:
                weighted = classed if weighting == "people" else classed.with_columns(pl.col("weight") / in_cell)
                table = summarise(weighted, [column, *apart], ranked)
                labels = [pl.lit(key).alias("layer"), pl.lit(weighting).alias("weighting")]
                tables.append(table.rename({column: "area"}).with_columns(*missing, *labels))
    return pl.concat(tables, how="diagonal").filter(pl.col("draws") >= FEWEST).select(
        "layer", "area", "operator", "technology", "weighting", "kpi", "draws", "mean", "standard_error",
        *(title for _, title in LEVELS),
    )  # fmt: skip


def of_base_stations(draws: pl.DataFrame) -> pl.DataFrame:
    """Return the truth of each base station × technology, over the citizens it serves."""
    return summarise(_classed(draws), ["base_station_id", "technology"])


def of_hexagons(draws: pl.DataFrame, resolution: int = 8) -> pl.DataFrame:
    """Return the truth of each hexagon × operator × technology in which at least 20 citizens were drawn."""
    cells = with_cell(_classed(draws), resolution, "hexagon")
    return summarise(cells, ["hexagon", "operator", "technology"]).filter(pl.col("draws") >= 20)


def truth(city: City, draws: int = 400_000, *, start: date = MONDAY, days: int = 7) -> dict[str, pl.DataFrame]:
    """Return the true values of areas, base stations and hexagons over days, and the draws behind them."""
    drawn = draw(city, draws, start, days)
    return {
        "areas": of_areas(city, drawn),
        "base_stations": of_base_stations(drawn),
        "hexagons": of_hexagons(drawn),
        "draws": drawn,
    }


def write_truth(city: City, folder: Path, count: int, start: date, days: int) -> dict[str, Any]:
    """Write the truth over days as Parquet tables and a description; return what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    tables = truth(city, count, start=start, days=days)
    draws = tables.pop("draws")
    for name, table in tables.items():
        table.write_parquet(folder / f"{name}.parquet")
    description: dict[str, Any] = {
        "seed": city.seed,
        "is_simulated": True,
        "start": start.isoformat(),
        "days": days,
        "draws": draws.height,
        "degradations": [
            one._asdict() | {"since": one.since.isoformat(), "until": one.until and one.until.isoformat()}
            for one in city.degradations
        ],
        "holes": city.hole_list(),
        "tables": {name: table.height for name, table in tables.items()},
    }
    (folder / "truth.json").write_text(json.dumps(description, ensure_ascii=False, indent=1), encoding="utf-8")
    return {"path": str(folder), **description["tables"]}
