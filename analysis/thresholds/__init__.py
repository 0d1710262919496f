"""Limits, targets and weights: one TOML file a country, each entry with its id, source, date and evidence mark."""

from __future__ import annotations

import tomllib
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


class Thresholds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, dict=True):
    """One country's file."""

    country: str
    title_en: str
    title_vi: str
    floor: list[Floor]
    covered: list[Covered]

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
    inside = Path(__file__).with_name(f"{country}.toml")
    path = inside if inside.is_file() else Path(country)
    try:
        return msgspec.convert(tomllib.loads(path.read_text("utf-8")), Thresholds)
    except OSError:
        known = ", ".join(sorted(p.stem for p in Path(__file__).parent.glob("*.toml")))
        raise ConfigError(f"Invalid thresholds {country!r}. One of {known}, or the path of a file.") from None
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigError(f"Invalid thresholds {str(path)!r}. {error}") from None
