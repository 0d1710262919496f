"""One day of records as a partial: cleaned tests as small codes, counts and exclusions, as plain arrays that merge.

A **unit** is one device at one place (H3 cell of resolution 9, or base station) with one technology and operator on one
day. All its tests together count once: each carries the size of its unit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from analysis import rules
from analysis.quantisation import SCALES
from analysis.technology import MOBILE
from measurement.columns import area_column

KPI_IDS = tuple(SCALES)
NO_AREA = 0xFFFF

_RESOLUTION_MASK = np.uint64(0xF << 52)


class Partial(NamedTuple):
    """What one day says. Code columns index the name lists.

    `area_rows` has day (since 1970), device and operator (hashes), technology (index in MOBILE), h3_cell (resolution
    9), is_precise (good enough for the grid), unit_size, is_simulated, one column of area indices for each layer, and
    one column of codes for each KPI. `station_rows` has station (a hash) in place of cell and areas. `exclusions` has
    scope, reason, count. `area_devices` and `station_devices` have device and its number
    of units; `operators` and `stations` name and hash.
    """

    area_rows: pl.DataFrame
    station_rows: pl.DataFrame
    exclusions: pl.DataFrame
    area_devices: pl.DataFrame
    station_devices: pl.DataFrame
    operators: pl.DataFrame
    stations: pl.DataFrame


def parent_cell(cells: Any, resolution: int) -> npt.NDArray[np.uint64]:
    """Return the parents of H3 cells at a coarser resolution, from the bits of the index.

    Parameters
    ----------
    cells
        H3 indices as 64-bit integers, all of one resolution not below `resolution`.
    resolution
        Of the parents.

    Examples
    --------
    >>> [hex(int(cell)) for cell in parent_cell([0x8A2A1072B59FFFF], 9)]
    ['0x892a1072b5bffff']
    """
    x = np.asarray(cells).astype(np.uint64)
    digits_gone = np.uint64((1 << 3 * (15 - resolution)) - 1)
    return np.asarray((x & ~_RESOLUTION_MASK) | np.uint64(resolution << 52) | digits_gone)


def unit_sizes(keys: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.uint16]:
    """Return for each row how many rows have the same keys.

    Examples
    --------
    >>> unit_sizes({'device': np.array([1, 1, 2]), 'h3_cell': np.array([7, 7, 7])}).tolist()
    [2, 2, 1]
    """
    # Rows are told apart by a 64-bit hash: among a million keys of a day two collide once in 40 million days.
    hashes = pl.DataFrame(dict(keys)).hash_rows(seed=0).to_numpy()
    _, run, sizes = np.unique(hashes, return_inverse=True, return_counts=True)
    return np.minimum(sizes[run], 0xFFFF).astype(np.uint16)


def _rows(
    seen: pl.DataFrame, keys: Mapping[str, npt.NDArray[Any]], beside: Mapping[str, npt.NDArray[Any]]
) -> pl.DataFrame:
    """Return the rows of a partial: keys, what stands beside them, unit sizes and codes."""
    codes = {kpi: scale.encode(seen[kpi].to_numpy()) for kpi, scale in SCALES.items()}
    simulated = seen["is_simulated"].fill_null(False).to_numpy()
    return pl.DataFrame({**keys, **beside, "unit_size": unit_sizes(keys), "is_simulated": simulated, **codes})


def _devices(rows: pl.DataFrame) -> pl.DataFrame:
    units = (1 / pl.col("unit_size")).sum().cast(pl.Float32).alias("units")
    return rows.group_by("device", maintain_order=True).agg(units)


def _indices(column: pl.Series, names: Sequence[str], dtype: Any, absent: int) -> npt.NDArray[Any]:
    """Return the index of each text in a list of names."""
    positions = {name: index for index, name in enumerate(names)}
    return column.replace_strict(positions, default=absent, return_dtype=dtype).fill_null(absent).to_numpy()


def _hashes(names: pl.Series) -> pl.Series:
    return names.hash(seed=0)


def _named(column: pl.Series) -> pl.DataFrame:
    names = column.drop_nulls().unique().sort()
    return pl.DataFrame({"name": names, "hash": _hashes(names)}, schema={"name": pl.String, "hash": pl.UInt64})


def partial_of(seen: pl.DataFrame, layers: Mapping[str, Sequence[str]], day: int = 0) -> Partial:
    """Clean the observations of one day and make their units.

    Parameters
    ----------
    seen
        Observations (`analysis.observations.observe`).
    layers
        Key of each layer with the keys of its areas, in their order.
    day
        Days since 1970 of the civil day.
    """
    marked = {scope: seen.select(rules.reason(scope).fill_null(rules.KEPT).alias("reason")) for scope in rules.SCOPES}
    exclusions = pl.concat(
        reasons.group_by("reason", maintain_order=True)
        .agg(pl.len().cast(pl.Int64).alias("count"))
        .select(pl.lit(scope).alias("scope"), "reason", "count")
        for scope, reasons in marked.items()
    )
    coded = seen.with_columns(
        pl.lit(day, pl.UInt16).alias("day"),
        pl.Series("device", (_hashes(seen["probe_id"]).to_numpy() >> np.uint64(32)).astype(np.uint32)),
        pl.Series("operator", _hashes(seen["operator"])),
        pl.Series("station", _hashes(seen["base_station"])),
        pl.Series("technology", _indices(seen["technology"], MOBILE, pl.UInt8, 255)),
    )
    inside = coded.filter(marked[rules.AREA]["reason"] == rules.KEPT)
    matched = coded.filter(marked[rules.BASE_STATION]["reason"] == rules.KEPT)
    shared = ("day", "device", "operator", "technology")
    place = {name: inside[name].to_numpy() for name in shared}
    place["h3_cell"] = parent_cell(inside["h3_cell"].to_numpy(), 9)
    precise = marked[rules.GRID]["reason"].filter(marked[rules.AREA]["reason"] == rules.KEPT) == rules.KEPT
    areas = {
        area_column(layer): _indices(inside[area_column(layer)], keys, pl.UInt16, NO_AREA)
        for layer, keys in layers.items()
    }
    station = {name: matched[name].to_numpy() for name in (*shared, "station")}
    area_rows = _rows(inside, place, {"is_precise": precise.to_numpy(), **areas})
    station_rows = _rows(matched, station, {})
    return Partial(
        area_rows,
        station_rows,
        exclusions,
        _devices(area_rows),
        _devices(station_rows),
        _named(seen["operator"]),
        _named(matched["base_station"]),
    )
