"""What a map is drawn from: layers, registry and result tables of one archive, and nothing else."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import NamedTuple

import polars as pl

from analysis.results import ALL, WHOLE
from archive.store import Archive
from maps.findings import SCALED
from measurement.errors import ConfigError
from measurement.geography import BaseStation, Layer
from measurement.kpi import KPIS

RESULTS = (
    "area_ratings", "bts_ratings", "hexagons", "series", "histograms", "bts_series", "bts_histograms", "exclusions",
    "changes", "participation", "sites", "compliance", "coverage", "holes", "degraded", "plan",
)  # fmt: skip
"""Tables the map can show. Any may be missing: the map then says that it was not computed."""

NEEDED: dict[str, tuple[str, ...]] = {
    "area_ratings": ("layer", "area", "operator", "technology", "period", "kpi", "statistic", "value", "status"),
    "bts_ratings": ("base_station", "operator", "technology", "period", "kpi", "statistic", "value", "status"),
    "hexagons": ("h3_cell", "resolution", "operator", "technology", "period", "kpi", "value", "samples_count"),
    "series": ("layer", "area", "operator", "technology", "axis", "at", "kpi", "value"),
    "changes": (
        "layer",
        "area",
        "operator",
        "technology",
        "before",
        "period",
        "kpi",
        "change",
        "low",
        "high",
        "verdict",
    ),
    "bts_series": ("base_station", "technology", "axis", "at", "kpi", "value", "samples_count", "devices_count"),
    "bts_histograms": ("base_station", "technology", "kpi", "bin_low", "bin_high", "share", "devices_count"),
    "coverage": ("h3_cell", "resolution", "operator", "technology", "kpi", "mean", "sigma"),
    "histograms": ("layer", "area", "operator", "technology", "period", "kpi", "bin_low", "bin_high", "share"),
}
_MONTH = re.compile(r"^\d{4}-\d{2}$")
_SCALES = {kpi.id: kpi.scale for kpi in KPIS}


class Source(NamedTuple):
    """The archive as the map sees it. Values of the tables are in the units that are shown."""

    layers: list[Layer]
    stations: list[BaseStation]
    tables: dict[str, pl.DataFrame]
    days: list[str]

    @property
    def is_simulated(self) -> bool:
        """Tell whether any figure on the map comes from simulated records."""
        flagged = (f for f in self.tables.values() if "is_simulated" in f.columns)
        return any(bool(f["is_simulated"].any()) for f in flagged) or any(s.is_simulated for s in self.stations)

    def words(self, column: str) -> list[str]:
        """Return the distinct words of a column over the tables, all-together first."""
        found: set[str] = set()
        for name in ("area_ratings", "bts_ratings", "hexagons", "coverage"):
            if name in self.tables and column in self.tables[name].columns:
                found |= set(self.tables[name][column].drop_nulls().unique())
        return sorted(found, key=lambda word: (word != ALL, word))

    @property
    def months(self) -> list[str]:
        """Return the months that were rated, ascending."""
        return [word for word in self.words("period") if _MONTH.match(word)]

    @property
    def periods(self) -> list[str]:
        """Return the whole period first, then the months."""
        return [word for word in self.words("period") if word == WHOLE] + self.months


def _shown(name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Bring the figures of a long table into the unit that is shown."""
    factor = pl.col("kpi").replace_strict(_SCALES, default=1.0, return_dtype=pl.Float64)
    if "statistic" in frame.columns:  # scores and weights have no unit, whatever their KPI
        factor = pl.when(pl.col("statistic").is_in(["score", "weight"])).then(1.0).otherwise(factor)
    if name == "changes":  # a ratio has no unit, a difference has the KPI's
        ends = [pl.col(column) * factor for column in ("first", "second") if column in frame.columns]
        differences = pl.when(pl.col("is_ratio")).then(1.0).otherwise(factor)
        return frame.with_columns(*ends, *(pl.col(column) * differences for column in ("change", "low", "high")))
    return frame.with_columns(pl.col(column) * factor for column in SCALED[name] if column in frame.columns)


def _checked(name: str, frame: pl.DataFrame, archive: Path) -> pl.DataFrame:
    lacking = [column for column in NEEDED.get(name, ()) if column not in frame.columns]
    if lacking:
        raise ConfigError(f"Invalid table {name!r} in {str(archive)!r}. Column {lacking[0]!r} is missing.")
    return _shown(name, frame) if name in SCALED else frame


def read_source(path: Path) -> Source:
    """Read everything the map needs.

    Raises
    ------
    ConfigError
        Where there is no archive, or a result table is not of the shape the analysis promises.
    """
    with Archive(path) as archive:
        tables = {}
        for name in RESULTS:
            frame = archive.read_result(name)
            if frame is not None:
                tables[name] = _checked(name, frame, path)
        with archive.snapshot() as snapshot:
            days = snapshot.days
        return Source(archive.layers(), archive.base_stations(), tables, days)


def default_layer(layers: list[Layer], today: date) -> int:
    """Return the position of the finest layer that is valid today; the last one where none is dated so.

    A layer with a parent is finer than its parent; layers stand from coarse to fine otherwise.
    """
    valid = [
        index
        for index, layer in enumerate(layers)
        if (layer.valid_from is None or layer.valid_from <= today)
        and (layer.valid_until is None or today <= layer.valid_until)
    ]
    candidates = valid or list(range(len(layers)))
    # Zones (ports, parks) hold few areas; the layer of administration is the one with the most.
    return max(candidates, key=lambda index: (len(layers[index].areas), index), default=0)
