"""Limits, targets and weights: one TOML file a country, each entry with its id, source, date and evidence mark."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from enum import StrEnum
from functools import cached_property
from pathlib import Path

import msgspec

from measurement.errors import ConfigError

DEFAULT_COUNTRY = "vn"


class _Entry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What every entry carries."""

    id: str
    source: str
    date: str
    evidence: str


class Floor(_Entry, frozen=True, kw_only=True):
    """Speed at or above which a test of a technology counts into floor_share."""

    technology: str
    downlink_bps: float


class Covered(_Entry, frozen=True, kw_only=True):
    """RSRP at or above which a test of a technology counts as covered."""

    technology: str
    rsrp_dbm: float


class Form(StrEnum):
    """How a figure becomes a score."""

    SPEED = "speed"
    DELAY = "delay"
    LOSS = "loss"
    SHARE = "share"
    LEVEL = "level"


class Target(_Entry, frozen=True, kw_only=True):
    """Values on target (score 50) of a KPI, by statistic, in the KPI's unit."""

    technology: str
    kpi: str
    form: Form
    values: dict[str, float]


class Curve(_Entry, frozen=True, kw_only=True):
    """Points (value, score) that a share or a level runs along."""

    kpis: list[str]
    points: list[tuple[float, float]]


class Parts(_Entry, frozen=True, kw_only=True):
    """What the percentiles of a speed weigh."""

    weights: dict[str, float]


class Weights(_Entry, frozen=True, kw_only=True):
    """What the KPIs of a scope weigh in its score."""

    scope: str
    weights: dict[str, float]


class Grade(_Entry, frozen=True, kw_only=True):
    """Lowest score of a grade."""

    grade: str
    score: float


class Minimum(_Entry, frozen=True, kw_only=True):
    """Evidence a scope needs; `rated` where rating needs more samples than showing.

    The intervals are the widest half-widths of a rated figure: a ratio for speeds and delays, shares as they are,
    decibels for levels, points for scores.
    """

    scope: str
    samples: int
    devices: int
    days: int
    interval: float
    interval_share: float
    interval_level: float
    interval_score: float
    ranking: int
    weight: float
    rated: int | None = None


class Limit(_Entry, frozen=True, kw_only=True):
    """Limit of a regulation on a statistic of a KPI: either `at_least` or `at_most`."""

    regulation: str
    technology: str
    kpi: str
    statistic: str
    at_least: float | None = None
    at_most: float | None = None
    samples: int | None = None


class Quota(_Entry, frozen=True, kw_only=True):
    """Samples and spacing that a certified campaign needs."""

    mode: str
    samples: int
    per_environment: int
    spacing_s: float


class Thresholds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """One country's file."""

    country: str
    title_en: str
    title_vi: str
    floor: list[Floor]
    covered: list[Covered]
    target: list[Target]
    curve: list[Curve]
    part: list[Parts]
    weight: list[Weights]
    grade: list[Grade]
    minimum: list[Minimum]
    limit: list[Limit]
    quota: list[Quota]

    def entries(self) -> Iterator[_Entry]:
        """Yield every entry of the file."""
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, list):
                yield from value

    def targets(self, technology: str) -> dict[str, Target]:
        """Return the targets of a technology class by KPI; empty where it has none of its own."""
        own = {entry.kpi: entry for entry in self.target if entry.technology == technology}
        shared = {entry.kpi: entry for entry in self.target if entry.technology == "*"}
        return shared | own if own else {}

    def points(self, kpi: str) -> list[tuple[float, float]]:
        """Return the points of a KPI's curve."""
        return next(entry.points for entry in self.curve if kpi in entry.kpis)

    def weights(self, scope: str) -> dict[str, float]:
        """Return the weights of a scope by KPI."""
        return next(entry.weights for entry in self.weight if entry.scope == scope)

    def minimum_of(self, scope: str) -> Minimum:
        """Return the evidence minimum of a scope."""
        return next(entry for entry in self.minimum if entry.scope == scope)

    @cached_property
    def floor_bps(self) -> dict[str, float]:
        """Floor of the downlink by technology class, bit/s."""
        return {entry.technology: entry.downlink_bps for entry in self.floor}

    @cached_property
    def covered_dbm(self) -> dict[str, float]:
        """Limit of coverage by technology class, dBm."""
        return {entry.technology: entry.rsrp_dbm for entry in self.covered}


def load(country: str = DEFAULT_COUNTRY) -> Thresholds:
    """Load the thresholds of a country of the package, or of a file whose path is given.

    Raises
    ------
    ConfigError
        Where there is no such file or an entry is wrong; it names the key.
    """
    inside = Path(__file__).parent / f"{country}.toml"
    path = inside if inside.is_file() else Path(country)
    try:
        return msgspec.convert(tomllib.loads(path.read_text("utf-8")), Thresholds)
    except OSError:
        known = ", ".join(sorted(p.stem for p in Path(__file__).parent.glob("*.toml")))
        raise ConfigError(f"Invalid thresholds {country!r}. One of {known}, or the path of a file.") from None
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"Invalid thresholds {str(path)!r}. {error}") from None
