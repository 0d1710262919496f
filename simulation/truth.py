"""The true quality of a simulated city: the same model over citizens drawn afresh, far more than any panel has.

Each citizen is measured once, at a place and hour of their own, so every draw is independent. Communes and operators
are drawn in strata of equal size, so that a small commune is known as well as a large one; weights undo that. The error
of the drawing itself is told beside each value (`standard_error`), and is far below any sample's.
"""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h3.api.basic_int as h3
import numpy as np
import polars as pl

from measurement.columns import area_column
from simulation import panel as panels
from simulation.fixes import FIXES_A_SPOT
from simulation.operators import OPERATORS
from simulation.panel import Mix, Panel, Spots
from simulation.schedule import Habits, Tests

if TYPE_CHECKING:
    from simulation.city import City

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

KEEP = ("network_operator", "technology", "base_station_id", "h3_cell", "weight")


def draw(city: City, count: int, day: date = date(2026, 5, 13)) -> pl.DataFrame:
    """Return one test each of `count` fresh citizens: records with `weight`, the people a draw stands for.

    Degradations are in force as on `day`; tests are of that weekday alone.
    """
    rng = np.random.default_rng([city.seed, 3, day.toordinal()])
    communes, operators = len(city.settlement.keys), len(OPERATORS)
    each = max(1, count // (communes * operators))
    home = np.repeat(np.arange(communes), operators * each)
    operator = np.tile(np.repeat(np.arange(operators), each), communes)
    frames = []
    for rows in np.array_split(rng.permutation(len(home)), max(1, len(home) // 200_000)):
        everywhere = panels.population(city.settlement, home[rows], operator[rows], rng)
        tests = Habits(everywhere.devices, Mix(0, 1, 0, 0)).each_once(day, rng)
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


def summarise(draws: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Return the true values of each group: one row a quantity with mean, P10, median, P90, and its own error.

    The quantiles are weighted: the smallest value at which the weights of all not above it reach the share.
    """
    tables = []
    for name, value in {**QUANTITIES, **SHARES}.items():
        known = draws.select(*by, "weight", value.alias("value")).drop_nulls("value").sort("value")
        share = pl.col("weight").cum_sum() / pl.col("weight").sum()
        mean = (pl.col("value") * pl.col("weight")).sum() / pl.col("weight").sum()
        effective = pl.col("weight").sum() ** 2 / (pl.col("weight") ** 2).sum()
        columns = [
            pl.len().alias("draws"),
            mean.alias("mean"),
            (pl.col("value").std() / effective.sqrt()).alias("standard_error"),
        ]
        if name not in SHARES:
            columns += [
                pl.col("value").filter(share >= level).first().alias(title)
                for level, title in ((0.1, "p10"), (0.5, "median"), (0.9, "p90"))
            ]
        table = known.group_by(by, maintain_order=True).agg(columns)
        tables.append(table.with_columns(pl.lit(name).alias("kpi")))
    return pl.concat(tables, how="diagonal").sort([*by, "kpi"], nulls_last=True)


def _classed(draws: pl.DataFrame) -> pl.DataFrame:
    names = pl.col("network_technology").replace_strict(CLASSES, return_dtype=pl.String)
    return draws.with_columns(names.alias("technology"), pl.col("network_operator").alias("operator"))


def _with_all(draws: pl.DataFrame) -> pl.DataFrame:
    """Return the draws four times: as they are, and for `*` of operators, of technologies, of both."""
    everything = pl.lit("*")
    return pl.concat(
        [
            draws,
            draws.with_columns(everything.alias("operator")),
            draws.with_columns(everything.alias("technology")),
            draws.with_columns(everything.alias("operator"), everything.alias("technology")),
        ]
    )


def by_cell(draws: pl.DataFrame, resolution: int = 9) -> pl.DataFrame:
    """Replace weights so that each hexagon of an area counts alike, as ratings weight them."""
    parent = {cell: h3.cell_to_parent(cell, resolution) for cell in draws["h3_cell"].unique().to_list()}
    cells = draws.with_columns(pl.col("h3_cell").replace_strict(parent, return_dtype=pl.Int64).alias("cell"))
    total = pl.col("weight").sum().over("cell", "operator", "technology")
    return cells.with_columns((pl.col("weight") / total).alias("weight")).drop("cell")


def of_areas(city: City, draws: pl.DataFrame) -> pl.DataFrame:
    """Return the truth of each area × operator × technology, by people and by hexagons (`weighting`)."""
    classed = _with_all(_classed(draws))
    tables = []
    for weighting, weighted in (("people", classed), ("cells", by_cell(classed))):
        for layer in city.layers:
            column = area_column(layer.key)
            table = summarise(weighted.drop_nulls(column), [column, "operator", "technology"])
            tables.append(
                table.rename({column: "area"}).with_columns(
                    pl.lit(layer.key).alias("layer"), pl.lit(weighting).alias("weighting")
                )
            )
    return pl.concat(tables)


def of_base_stations(draws: pl.DataFrame) -> pl.DataFrame:
    """Return the truth of each base station × technology, over the citizens it serves."""
    return summarise(_classed(draws).drop_nulls("base_station_id"), ["base_station_id", "technology"])


def of_hexagons(draws: pl.DataFrame, resolution: int = 8) -> pl.DataFrame:
    """Return the truth of each hexagon × operator × technology in which at least 20 citizens were drawn."""
    parent = {cell: h3.cell_to_parent(cell, resolution) for cell in draws["h3_cell"].unique().to_list()}
    cells = _classed(draws).with_columns(
        pl.col("h3_cell").replace_strict(parent, return_dtype=pl.Int64).alias("hexagon")
    )
    return summarise(cells, ["hexagon", "operator", "technology"]).filter(pl.col("draws") >= 20)


def write_truth(city: City, folder: Path, count: int) -> dict[str, Any]:
    """Write the truth as Parquet tables and a description; return what was written."""
    folder.mkdir(parents=True, exist_ok=True)
    draws = draw(city, count)
    tables = {
        "areas": of_areas(city, draws),
        "base_stations": of_base_stations(draws),
        "hexagons": of_hexagons(draws),
    }
    for name, table in tables.items():
        table.write_parquet(folder / f"{name}.parquet")
    description: dict[str, Any] = {
        "seed": city.seed,
        "is_simulated": True,
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
