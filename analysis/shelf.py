"""Tests of a day on disk, column by column: a file maps into memory, and a range of units is a slice of each column."""

from __future__ import annotations

import mmap
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

AREA_TESTS, STATION_TESTS = "area_tests.bin", "station_tests.bin"
OPERATORS, STATIONS = "operators.bin", "stations.bin"

Columns = dict[str, npt.NDArray[Any]]


def put(path: Path, columns: Mapping[str, npt.NDArray[Any]], kind: np.dtype[Any]) -> None:
    """Write the tests of a day; `kind` is `analysis.partition.area_row` or `station_row`, widest fields first."""
    with path.open("wb") as file:
        for name in kind.names or ():
            file.write(np.ascontiguousarray(columns[name], kind[name]).data)


def tests_of(path: Path, kind: np.dtype[Any]) -> Columns:
    """Map the columns of the tests of a day into memory."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        # Nothing cannot be mapped.
        held: Any = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if size else b""
    rows, at, columns = size // kind.itemsize, 0, {}
    for name in kind.names or ():
        columns[name] = np.frombuffer(held, kind[name], rows, at)
        at += rows * kind[name].itemsize
    return columns


@lru_cache(maxsize=4096)
def hashes(path: Path) -> npt.NDArray[np.uint64]:
    """Read the hashes of a day's operators or base stations; a partial is named by its content and never changes."""
    return np.fromfile(path, np.uint64)


def columns_of(days: Sequence[Path], kind: np.dtype[Any], names: Sequence[str]) -> pl.DataFrame:
    """Read some columns of the tests in areas of many days, operators by hash."""
    parts: dict[str, list[npt.NDArray[Any]]] = {name: [np.empty(0, kind[name])] for name in names}
    if "operator" in parts:
        parts["operator"] = [np.empty(0, np.uint64)]
    for day in days:
        tests = tests_of(day / AREA_TESTS, kind)
        for name in names:
            parts[name].append(hashes(day / OPERATORS)[tests[name]] if name == "operator" else tests[name])
    return pl.DataFrame({name: np.concatenate(own) for name, own in parts.items()})
