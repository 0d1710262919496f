"""Who lives in each area, from a CSV file: boundary files and the gazetteer seldom say it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

import msgspec

from measurement.errors import ConfigError
from measurement.geography import Layer

MAX_BYTES = 16 * 2**20
COLUMNS = ("key", "population")


def read(path: Path) -> dict[str, int]:
    """Read the population of areas by key.

    Parameters
    ----------
    path
        CSV with the columns `key` (that of the area, such as the code of a commune) and `population`; others are
        passed over.

    Raises
    ------
    ConfigError
        Naming the line that is wrong.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(f"--population: Invalid file {str(path)!r}. Over {MAX_BYTES // 2**20} MiB.")
        rows = csv.DictReader(path.read_text("utf-8-sig").splitlines())
        missing = [name for name in COLUMNS if name not in (rows.fieldnames or ())]
        if missing:
            raise ConfigError(f"--population: {path}: Invalid columns {rows.fieldnames}. {missing[0]!r} is missing.")
        found: dict[str, int] = {}
        for row in rows:
            where = f"--population: {path}:{rows.line_num}"
            key, people = (row["key"] or "").strip(), (row["population"] or "").strip()
            if not key or key in found:
                raise ConfigError(f"{where}: Invalid key {key!r}. {'It stands twice.' if key else 'A key is needed.'}")
            if not (people.isascii() and people.isdigit() and len(people) <= 10):
                raise ConfigError(f"{where}: Invalid population {people!r}. A whole number without separators.")
            found[key] = int(people)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigError(f"--population: Invalid file {str(path)!r}. {error}") from None
    return found


def settled(layers: Sequence[Layer], people: dict[str, int]) -> list[Layer]:
    """Return the layers with the population of their areas; areas that the file does not name keep theirs.

    Raises
    ------
    ConfigError
        Where a key is that of no area: a file of other codes would silently count nobody.

    Examples
    --------
    >>> from measurement.geography import Area
    >>> area = Area(key="11", name="A", name_en="A", polygons=[])
    >>> (layer,) = settled([Layer(key="w", title_en="", title_vi="", areas=[area])], {"11": 9000})
    >>> layer.areas[0].population
    9000
    """
    known = {area.key for layer in layers for area in layer.areas}
    strange = sorted(set(people) - known)
    if strange:
        raise ConfigError(f"--population: Invalid key {strange[0]!r}. No area has it ({len(strange)} such keys).")
    replace = msgspec.structs.replace
    return [
        replace(layer, areas=[replace(area, population=people.get(area.key, area.population)) for area in layer.areas])
        for layer in layers
    ]
