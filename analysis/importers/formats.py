"""The table of formats: name → how it is recognised and read. A format is one file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import polars as pl

from analysis.importers import gnettrack, iperf3, ndt7, opencellid, own, speedtests
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
    Format("opencellid", "OpenCelliD or MLS measurements, CSV", opencellid.recognises, lines=opencellid.frame_of),
    Format("csv", "our own columns, or a drive's export, CSV", own.recognises, lines=own.frame_of),
    Format("ndt7", "ndt7 server results as M-Lab archives them", ndt7.is_server_result, document=ndt7.server_result),
    Format("ndt7-client", "summaries of ndt7-client, JSON", ndt7.is_client_summary, document=ndt7.client_summary),
    Format("iperf3", "results of iperf3 --json", iperf3.recognises, document=iperf3.document),
    Format("ookla", "results of Ookla's speedtest --format=json", speedtests.is_ookla, document=speedtests.ookla),
    Format("librespeed", "results of librespeed-cli --json", speedtests.is_librespeed, document=speedtests.librespeed),
    Format(
        "speedtest-cli",
        "results of speedtest-cli --json",
        speedtests.is_speedtest_cli,
        document=speedtests.speedtest_cli,
    ),
    Format("cloudflare", "summaries of Cloudflare's module", speedtests.is_cloudflare, document=speedtests.cloudflare),
)
BY_NAME = {row.name: row for row in FORMATS}

# Files that are known and hold no measurement we can take: how they are recognised, and what is said of them.
PASSED_OVER: tuple[tuple[Callable[[bytes], bool], str], ...] = (
    (gnettrack.is_beside_the_point, "G-NetTrack's events or call counts; their measurements stand in the log"),
    (opencellid.is_cell_table, "a table of cells: estimated places, no measurements"),
    (ndt7.is_ndt5, "a result of NDT5, an older protocol than ndt7"),
    (ndt7.is_annotation, "an annotation of M-Lab's, no measurement"),
    (lambda head: b"Speedtest by Ookla" in head, "Ookla's text for people; run speedtest with --format=json"),
    (lambda head: head.lstrip()[:1] == b"{" and b"'ServerFQDN'" in head, "Python's print of a result, not JSON"),
)


def recognise(head: bytes) -> Format | None:
    """Return the format of a file by its first bytes, None where it is none of the table."""
    return next((row for row in FORMATS if row.recognises(head)), None)


def passed_over(head: bytes) -> str | None:
    """Return why a known file is left out, None where it is none of these."""
    return next((reason for recognises, reason in PASSED_OVER if recognises(head)), None)
