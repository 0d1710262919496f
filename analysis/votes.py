"""The vote of each device: in how many units it was in each period, over all days; kept beside the partials by content.

Written once for a set of days, so that tasks read it instead of being sent it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from analysis.tally import SPLITS


class Votes(NamedTuple):
    """Devices of the days of a period, numbered over all of them.

    `device` has for each day the number of each device of its partial; `units` is what the vote of each is divided
    over, shape (devices,); `split` the random group of each.
    """

    device: list[npt.NDArray[np.uint32]]
    units: npt.NDArray[np.float32]
    split: npt.NDArray[np.uint8]


class VotesTask(NamedTuple):
    """Days of a period whose partials are made, and whose votes are asked for: of tests in areas, or at stations."""

    paths: list[Path]
    scope: str  # area or station

    @property
    def target(self) -> Path:
        """Where the votes are kept."""
        key = hashlib.sha256(repr([self.scope, [path.name for path in self.paths]]).encode())
        return self.paths[0].with_name(f"votes-{key.hexdigest()[:32]}")


def write_votes(task: VotesTask) -> None:
    """Work out the votes of a period, unless they are there."""
    target = task.target
    if target.is_dir():
        return
    tables = [np.load(path / f"{task.scope}_devices.npy") for path in task.paths]
    devices, number = np.unique(np.concatenate([table["device"] for table in tables]), return_inverse=True)
    ends = np.cumsum([0, *(len(table) for table in tables)])
    units = np.zeros(len(devices))
    for day, table in enumerate(tables):
        # A device is once in a day's table. In the order of days: the sums are the same to the bit wherever made.
        units[number[ends[day] : ends[day + 1]]] += table["units"]
    fresh = target.with_name(f".votes-{secrets.token_hex(4)}")
    fresh.mkdir()
    parts: dict[str, npt.NDArray[Any]] = {
        "device": number.astype(np.uint32), "ends": ends, "units": units.astype(np.float32),
        "split": (devices & np.uint32(SPLITS - 1)).astype(np.uint8),
    }  # fmt: skip
    for name, values in parts.items():
        np.save(fresh / f"{name}.npy", values)
    try:
        os.rename(fresh, target)
    except OSError:  # another run was faster; its votes are the same
        shutil.rmtree(fresh)


def read_votes(path: Path) -> Votes:
    """Read what `write_votes` wrote."""
    device = np.load(path / "device.npy", mmap_mode="r")
    ends = np.load(path / "ends.npy")
    days = [device[first:last] for first, last in pairwise(ends)]
    return Votes(days, np.load(path / "units.npy"), np.load(path / "split.npy"))
