"""Replay of a G-NetTrack Pro log: its radio and its positions as if they happened now, at a chosen speed."""

from __future__ import annotations

import csv
import time
from bisect import bisect_right
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from measurement.errors import ConfigError
from measurement.radio import operator_of
from measurement.record import Network, Position, RadioSample
from measurement.vocabulary import Leg, PositionSource, Technology
from probe.radio.reading import is_telling, number, plmn_of, sample

MAX_ROWS = 1_000_000
_TECHNOLOGIES = {"4G": Technology.LTE, "LTE": Technology.LTE, "5G": Technology.NR_NSA, "3G": Technology.UMTS,
                 "HSPA+": Technology.UMTS, "UMTS": Technology.UMTS, "2G": Technology.GSM}  # fmt: skip


class Moment(NamedTuple):
    """One row: seconds since the first, and what it says."""

    at_s: float
    position: Position
    samples: list[RadioSample]
    network: Network


def read(path: Path) -> list[Moment]:
    """Read a log in the order of its times.

    Raises
    ------
    ConfigError
        Where it is none.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
            delimiter = "\t" if "\t" in file.readline() else ","
            file.seek(0)
            rows = csv.DictReader(file, delimiter=delimiter)
            if not {"Timestamp", "Longitude", "Latitude"} <= set(rows.fieldnames or ()):
                raise ConfigError(f"Invalid log {str(path)!r}. It is none of G-NetTrack Pro.")
            timed = [made for _, row in zip(range(MAX_ROWS), rows, strict=False) if (made := _moment(row)) is not None]
    except (OSError, csv.Error) as error:
        raise ConfigError(f"Invalid log {str(path)!r}. {getattr(error, 'strerror', None) or error}.") from None
    if not timed:
        raise ConfigError(f"Invalid log {str(path)!r}. No row has a time and a place.")
    timed.sort(key=lambda moment: moment.at_s)
    first = timed[0].at_s
    return [moment._replace(at_s=moment.at_s - first) for moment in timed]


def _moment(row: dict[str, str]) -> Moment | None:
    try:
        at = datetime.strptime(row["Timestamp"] or "", "%Y.%m.%d_%H.%M.%S").timestamp()
    except ValueError:
        return None
    longitude, latitude = number(row["Longitude"]), number(row["Latitude"])
    if longitude is None or latitude is None or not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
        return None
    speed = number(row.get("Speed") or "-")
    position = Position(
        longitude_deg=longitude,
        latitude_deg=latitude,
        speed_mps=speed / 3.6 if speed is not None and speed >= 0 else None,
        source=PositionSource.GNSS,
    )
    return Moment(at, position, _samples(row), _network(row))


def _network(row: dict[str, str]) -> Network:
    found = plmn_of(row.get("Operator") or "")
    name = row.get("Operatorname") or None
    word = row.get("NetworkTech") or row.get("NetworkMode") or ""
    operator = operator_of(found.get("mcc"), found.get("mnc")) or (name if name != "NO_COVERAGE" else None)
    return Network(operator=operator, technology=_TECHNOLOGIES.get(word), **found)  # type: ignore[arg-type]


def _samples(row: dict[str, str]) -> list[RadioSample]:
    if (row.get("NetworkTech") or row.get("NetworkMode")) not in ("4G", "LTE", "5G"):
        return []
    node, cell = number(row.get("Node") or "-"), number(row.get("CellID") or "-")
    identity = number(row.get("RAWCELLID") or "-")
    if identity is None and node and cell is not None and 0 <= cell <= 255:
        identity = node * 256 + cell
    made = sample(
        Leg.ANCHOR,
        cell_id=identity,
        pci=number(row.get("PSC") or "-"),
        arfcn=number(row.get("ARFCN") or "-"),
        rsrp_dbm=number(row.get("Level") or row.get("RSRP") or "-"),
        rsrq_db=number(row.get("Qual") or row.get("RSRQ") or "-"),
        sinr_db=number(row.get("SNR") or "-"),
        rssi_dbm=number(row.get("LTERSSI") or row.get("RSSI") or "-"),
        cqi=number(row.get("CQI") or "-"),
    )
    return [made] if is_telling(made) else []


class Replay:
    """Radio and position source in one. Time runs from the first question; past the end the last row stays."""

    def __init__(self, path: Path, *, speed: float = 1.0, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.moments = read(path)
        self._times = [moment.at_s for moment in self.moments]
        self._speed, self._monotonic = speed, monotonic
        self._began_s: float | None = None

    @property
    def now(self) -> Moment:
        """The row of this moment."""
        if self._began_s is None:
            self._began_s = self._monotonic()
        elapsed = (self._monotonic() - self._began_s) * self._speed
        return self.moments[max(0, bisect_right(self._times, elapsed) - 1)]

    @property
    def is_over(self) -> bool:
        """Say whether the log has ended."""
        return self.now is self.moments[-1]

    def sample(self) -> list[RadioSample]:
        """Return the cell of this moment."""
        return list(self.now.samples)

    def network(self) -> Network:
        """Return the network of this moment."""
        return self.now.network

    def fix(self) -> Position:
        """Return the place of this moment."""
        return self.now.position

    def close(self) -> None:
        """Do nothing: the log was read whole."""
