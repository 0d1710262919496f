"""One day of records as a partial: cleaned tests as small codes, counts and exclusions, as plain arrays that merge.

A **unit** is one device at one place (H3 cell of resolution 9, or base station) with one technology and operator on one
day. All its tests together count once: each carries the size of its unit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import compress
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
NO_STATION = 0xFFFFFFFF

_RESOLUTION_MASK = np.uint64(0xF << 52)


class Partial(NamedTuple):
    """What one day says.

    `area_tests` and `station_tests` are columns (`area_row`, `station_row`): day (since 1970), device (hash), operator
    (its place in `operators`), technology (index in MOBILE), hour (local), h3_cell (resolution 9), is_precise (good
    enough for the grid), unit_size, is_simulated, an area's index for each layer, and a code for each KPI;
    device_number is the device's place in `area_devices` or `station_devices` (device and its number of units),
    station the base station's place in `stations`. Tests in areas are in the order of the finest layer, those at
    stations in that of stations. `operators` and `stations` give the hash of each name, by ascending hash.
    `exclusions` counts records by scope and reason.
    """

    area_tests: dict[str, npt.NDArray[Any]]
    station_tests: dict[str, npt.NDArray[Any]]
    area_devices: npt.NDArray[Any]
    station_devices: npt.NDArray[Any]
    exclusions: list[tuple[str, str, int]]
    operators: dict[str, int]
    stations: dict[str, int]


_SHARED: list[tuple[str, Any]] = [
    ("device", np.uint32),
    ("device_number", np.uint32),
    ("day", np.uint16),
    ("unit_size", np.uint16),
    *((kpi, np.uint16) for kpi in KPI_IDS),
]
_NARROW: list[tuple[str, Any]] = [
    ("operator", np.uint8),
    ("technology", np.uint8),
    ("hour", np.uint8),
    ("is_simulated", np.bool_),
]
_DEVICE = np.dtype([("device", np.uint32), ("units", np.float32)])


def area_row(layers: Iterable[str]) -> np.dtype[Any]:
    """Return the columns of tests in areas, the widest first."""
    areas = [(area_column(layer), np.uint16) for layer in layers]
    return np.dtype([("h3_cell", np.uint64), *_SHARED, *areas, *_NARROW, ("is_precise", np.bool_)])


def station_row() -> np.dtype[Any]:
    """Return the columns of tests at base stations, the widest first."""
    return np.dtype([("station", np.uint32), *_SHARED, *_NARROW])


def finest(layers: Mapping[str, Sequence[str]]) -> str | None:
    """Return the key of the layer with most areas."""
    return max(layers, key=lambda layer: len(layers[layer]), default=None)


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


def _indices(column: pl.Series, names: Sequence[str], dtype: Any, absent: int) -> npt.NDArray[Any]:
    """Return the index of each text in a list of names."""
    return column.cast(pl.Enum(names), strict=False).to_physical().cast(dtype).fill_null(absent).to_numpy()


def _hashes(names: pl.Series) -> pl.Series:
    return names.hash(seed=0)


def _named(column: pl.Series) -> dict[str, int]:
    """Return the hash of each name, by ascending hash."""
    names = column.drop_nulls().unique()
    return dict(pl.DataFrame({"name": names, "hash": _hashes(names)}).sort("hash").iter_rows())


class Coded(NamedTuple):
    """Cleaned observations as codes: columns by name, the number of the rule that leaves each out, and names."""

    columns: dict[str, npt.NDArray[Any]]
    reasons: dict[str, npt.NDArray[np.uint8]]
    operators: dict[str, int]
    stations: dict[str, int]


def coded(seen: pl.DataFrame, layers: Mapping[str, Sequence[str]], day: npt.NDArray[np.uint16]) -> Coded:
    """Clean observations and turn them into codes.

    Parameters
    ----------
    seen
        Observations (`analysis.observations.observe`) of some days.
    layers
        Key of each layer with the keys of its areas, in their order.
    day
        Civil day of each, since 1970.
    """
    operators, stations = _named(seen["operator"]), _named(seen["base_station"])
    columns: dict[str, npt.NDArray[Any]] = {
        "day": day,
        "device": (_hashes(seen["probe_id"]).to_numpy() >> np.uint64(32)).astype(np.uint32),
        "operator": _indices(seen["operator"], list(operators), pl.UInt8, 255),
        "technology": _indices(seen["technology"], MOBILE, pl.UInt8, 255),
        "hour": seen["hour"].to_numpy().astype(np.uint8),
        "station": _indices(seen["base_station"], list(stations), pl.UInt32, NO_STATION),
        "h3_cell": parent_cell(seen["h3_cell"].fill_null(0).to_numpy(), 9),
        "is_simulated": seen["is_simulated"].fill_null(False).to_numpy(),
        **{
            area_column(layer): _indices(seen[area_column(layer)], keys, pl.UInt16, NO_AREA)
            for layer, keys in layers.items()
        },
        **{kpi: scale.encode(seen[kpi].to_numpy()) for kpi, scale in SCALES.items()},
    }
    found = rules.reasons(seen)
    columns["is_precise"] = found[rules.GRID] == len(rules.RULES)
    return Coded(columns, found, operators, stations)


def _tests(
    columns: Mapping[str, npt.NDArray[Any]], own: npt.NDArray[np.int64], keys: Sequence[str], kind: np.dtype[Any]
) -> tuple[dict[str, npt.NDArray[Any]], npt.NDArray[Any]]:
    """Return some tests of a day; and the devices they came from."""
    sizes = unit_sizes({name: columns[name][own] for name in keys})
    devices, number = np.unique(columns["device"][own], return_inverse=True)
    made: dict[str, npt.NDArray[Any]] = {"unit_size": sizes, "device_number": number}
    tests = {name: made[name] if name in made else columns[name][own] for name in kind.names or ()}
    held = np.empty(len(devices), _DEVICE)
    held["device"], held["units"] = devices, np.bincount(number, 1 / sizes, minlength=len(devices))
    return tests, held


def _own(index: npt.NDArray[Any], names: Mapping[str, int]) -> tuple[npt.NDArray[Any], dict[str, int]]:
    """Number anew what indices name, so that a day holds its own names and no others; also return these."""
    held = np.bincount(np.minimum(index, len(names)), minlength=len(names) + 1)[: len(names)] > 0
    place = np.append(np.cumsum(held) - 1, 0).astype(index.dtype)
    return place[np.minimum(index, len(names))], dict(compress(names.items(), held.tolist()))


def _sorted_by(own: npt.NDArray[np.int64], column: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    return own[np.argsort(column[own].astype(np.uint16 if column[own].max(initial=0) <= 0xFFFF else column.dtype),
                          kind="stable")]  # fmt: skip


def partial_of(whole: Coded, layers: Mapping[str, Sequence[str]], first: int, last: int) -> Partial:
    """Return the partial of one day: the observations from first to last (exclusive).

    Parameters
    ----------
    whole
        Coded observations, a day's together.
    layers
        As `coded` takes them.
    first, last
        Place among the observations.
    """
    columns = {name: values[first:last] for name, values in whole.columns.items()}
    columns["operator"], operators = _own(columns["operator"], whole.operators)
    reasons = {scope: numbers[first:last] for scope, numbers in whole.reasons.items()}
    names = [*(rule.id for rule in rules.RULES), rules.KEPT]
    exclusions = [
        (scope, names[number], int(count))
        for scope, numbers in reasons.items()
        for number, count in enumerate(np.bincount(numbers, minlength=len(names)))
        if count
    ]
    inside, matched = (np.flatnonzero(reasons[scope] == len(rules.RULES)) for scope in (rules.AREA, rules.BASE_STATION))
    unit = ("device", "operator", "technology")
    layer = finest(layers)
    inside = _sorted_by(inside, columns[area_column(layer)]) if layer else inside
    matched = _sorted_by(matched, columns["station"])
    areas = _tests(columns, inside, (*unit, "h3_cell"), area_row(layers))
    at_stations = _tests(columns, matched, (*unit, "station"), station_row())
    at_stations[0]["station"], stations = _own(at_stations[0]["station"], whole.stations)
    return Partial(areas[0], at_stations[0], areas[1], at_stations[1], exclusions, operators, stations)
