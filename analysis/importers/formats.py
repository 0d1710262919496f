"""The table of formats: name → how it is recognised and read. A format is one file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import polars as pl

from analysis.importers import gnettrack
from analysis.importers.account import Account
from analysis.importers.options import Options
from measurement.record import Record

Lines = Callable[[Sequence[tuple[str, bytes]], Options, Account], pl.DataFrame]
Document = Callable[[str, bytes, Options, Account], list[Record]]


class Format(NamedTuple):
    """One format. Exactly one of `lines` (a table, read in pieces) and `document` (a result, read whole) is set."""

    name: str
    title: str
    recognises: Callable[[bytes], bool]
    lines: Lines | None = None
    document: Document | None = None


FORMATS: tuple[Format, ...] = (
    Format("gnettrack", "G-NetTrack Pro log or table of tests", gnettrack.recognises, lines=gnettrack.frame_of),
)
BY_NAME = {row.name: row for row in FORMATS}


def recognise(head: bytes) -> Format | None:
    """Return the format of a file by its first bytes, None where it is none of the table."""
    return next((row for row in FORMATS if row.recognises(head)), None)


# Files that are known and hold no measurement: how they are recognised, and what is said of them.
PASSED_OVER: tuple[tuple[Callable[[bytes], bool], str], ...] = (
    (gnettrack.is_beside_the_point, "G-NetTrack's events or call counts; their measurements stand in the log"),
)


def passed_over(head: bytes) -> str | None:
    """Return why a known file is left out, None where it is none of these."""
    return next((reason for recognises, reason in PASSED_OVER if recognises(head)), None)
