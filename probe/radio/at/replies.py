"""Replies to AT commands: their lines, their fields, whatever the firmware does with line ends and spaces."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# A reply begins with + and a name. Some firmware forgets the line end before the next one, so we look for it anywhere
# but within quotes.
_START = re.compile(r"\+([A-Z][A-Z0-9]{2,}):")
MAX_CHARACTERS = 65_536


class Line(NamedTuple):
    """One `+NAME: a,b,c` with its fields, quotes and outer spaces taken off."""

    name: str
    fields: list[str]


def lines(text: str) -> Iterator[Line]:
    """Yield every reply in a text, also where several stand on one line."""
    for row in text[:MAX_CHARACTERS].replace("\r", "\n").split("\n"):
        starts = [match for match in _START.finditer(row) if row.count('"', 0, match.start()) % 2 == 0]
        for index, match in enumerate(starts):
            end = starts[index + 1].start() if index + 1 < len(starts) else len(row)
            yield Line(match.group(1), fields(row[match.end() : end]))


def fields(text: str) -> list[str]:
    """Split at commas outside quotes."""
    found: list[str] = []
    for part in _split(text.strip().rstrip("'")):
        word = part.strip()
        found.append(word[1:-1] if len(word) >= 2 and word[0] == word[-1] == '"' else word)
    return found


def _split(text: str) -> Iterator[str]:
    begin, quoted = 0, False
    for index, letter in enumerate(text):
        if letter == '"':
            quoted = not quoted
        elif letter == "," and not quoted:
            yield text[begin:index]
            begin = index + 1
    yield text[begin:]
