"""One day of records as a partial: collapsed rows, counts and exclusions, as plain arrays that merge.

Collapse: one value for each device, place (H3 cell of resolution 9, or base station), technology, operator and day:
the median of its tests, and the mean of shares. So no heavy user dominates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from analysis import rules
from analysis.quantisation import MISSING, SCALES, SHARES
from analysis.technology import MOBILE
from measurement.columns import area_column

KPI_IDS = tuple(SCALES)
NO_AREA = 0xFFFF

_RESOLUTION_MASK = np.uint64(0xF << 52)


class Partial(NamedTuple):
    """What one day says. Code columns index the name lists.

    `area_rows` has day (since 1970), device and operator (hashes), technology (index in MOBILE), h3_cell (resolution
    9), is_precise (good enough for the grid), tests_count, is_simulated, one column of area indices for each layer, and
    one column of codes for each KPI. `station_rows` has station (a hash) in place of cell and areas. `exclusions` has
    scope, reason, count. `operators` and `stations` have name and hash.
    """

    area_rows: pl.DataFrame
    station_rows: pl.DataFrame
    exclusions: pl.DataFrame
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


def _runs(keys: Mapping[str, npt.NDArray[Any]]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return for each row the number of its distinct key, and the first row of each."""
    # Rows are told apart by a 64-bit hash: among a million keys of a day two collide once in 40 million days.
    hashes = pl.DataFrame(dict(keys)).hash_rows(seed=0).to_numpy()
    _, first, run = np.unique(hashes, return_index=True, return_inverse=True)
    return run.astype(np.int64), first.astype(np.int64)


def _median_codes(run: npt.NDArray[np.int64], codes: npt.NDArray[np.uint16], count: int) -> npt.NDArray[np.uint16]:
    """Return the median code of each run; an even number meets half way (rounded down)."""
    valid = codes != MISSING
    key = np.sort(run[valid] << 16 | codes[valid].astype(np.int64))
    sizes = np.bincount(key >> 16, minlength=count)
    starts = np.cumsum(sizes) - sizes
    held = np.flatnonzero(sizes)
    low = key[starts[held] + (sizes[held] - 1) // 2] & 0xFFFF
    high = key[starts[held] + sizes[held] // 2] & 0xFFFF
    result = np.full(count, MISSING, np.uint16)
    result[held] = (low + high) // 2
    return result


def _mean_codes(run: npt.NDArray[np.int64], values: npt.NDArray[np.float64], count: int, kpi: str) -> Any:
    valid = ~np.isnan(values)
    sums = np.bincount(run[valid], values[valid], minlength=count)
    sizes = np.bincount(run[valid], minlength=count)
    means = np.full(count, np.nan)
    np.divide(sums, sizes, out=means, where=sizes > 0)
    return SCALES[kpi].encode(means)


def _collapse(seen: pl.DataFrame, keys: Mapping[str, npt.NDArray[Any]]) -> pl.DataFrame:
    """Collapse observations to one row for each distinct key."""
    run, first = _runs(keys)
    count = len(first)
    columns: dict[str, Any] = {name: key[first] for name, key in keys.items()}
    columns["tests_count"] = np.bincount(run, minlength=count).astype(np.uint32)
    simulated = seen["is_simulated"].fill_null(False).to_numpy()
    columns["is_simulated"] = np.bincount(run, simulated, minlength=count) > 0
    for kpi in KPI_IDS:
        values = seen[kpi].to_numpy().astype(np.float64)
        if kpi in SHARES:
            columns[kpi] = _mean_codes(run, values, count, kpi)
        else:
            columns[kpi] = _median_codes(run, SCALES[kpi].encode(values), count)
    return pl.DataFrame(columns)


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
    """Clean and collapse the observations of one day.

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
        pl.Series("station", _hashes(seen["base_station_id"])),
        pl.Series("technology", _indices(seen["technology"], MOBILE, pl.UInt8, 255)),
    )
    inside = coded.filter(marked[rules.AREA]["reason"] == rules.KEPT)
    matched = coded.filter(marked[rules.BASE_STATION]["reason"] == rules.KEPT)
    shared = ("day", "device", "operator", "technology")
    place = {name: inside[name].to_numpy() for name in shared}
    place["h3_cell"] = parent_cell(inside["h3_cell"].to_numpy(), 9)
    precise = marked[rules.GRID]["reason"].filter(marked[rules.AREA]["reason"] == rules.KEPT) == rules.KEPT
    place["is_precise"] = precise.to_numpy()
    for layer, areas in layers.items():
        place[area_column(layer)] = _indices(inside[area_column(layer)], areas, pl.UInt16, NO_AREA)
    station = {name: matched[name].to_numpy() for name in (*shared, "station")}
    return Partial(
        _collapse(inside, place),
        _collapse(matched, station),
        exclusions,
        _named(seen["operator"]),
        _named(matched["base_station_id"]),
    )
