"""Benchmarks: one topic a module, each with `run() -> list[Row]`; claims are ratios against a peer in one run."""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One line of `benchmarks/RESULTS.md`."""

    topic: str
    what: str
    reach: str
    measured: str
    ratio_note: str
