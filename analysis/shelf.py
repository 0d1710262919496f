"""Tests of a day on disk as rows of fixed width: one file is one read, and a range of units one gather."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

AREA_TESTS, STATION_TESTS = "area_tests.bin", "station_tests.bin"


def tests_of(path: Path, kind: np.dtype[Any]) -> npt.NDArray[Any]:
    """Read the tests of a day; `kind` is `analysis.partition.area_row` or `station_row`."""
    return np.fromfile(path, kind)


def picked(tests: npt.NDArray[Any], index: npt.NDArray[np.int64]) -> npt.NDArray[Any]:
    """Return some of the tests. As plain bytes: numpy takes rows of fields apart, eight times slower."""
    return tests.view(np.dtype((np.void, tests.dtype.itemsize)))[index].view(tests.dtype)


def joined(days: Sequence[npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """Return the tests of some days, one after the other."""
    kind = days[0].dtype
    return np.concatenate([tests.view(np.dtype((np.void, kind.itemsize))) for tests in days]).view(kind)


def columns(paths: Sequence[Path], kind: np.dtype[Any], names: Sequence[str]) -> pl.DataFrame:
    """Read some columns of the tests of many days."""
    own = np.dtype([(name, kind[name]) for name in names])
    days = [np.empty(0, own), *(tests_of(path, kind)[list(names)].astype(own) for path in paths)]
    whole = np.concatenate(days)
    return pl.DataFrame({name: whole[name] for name in names})
