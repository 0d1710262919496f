"""The account of an import: what was read, kept, refused, and the reason of each refusal."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec


class Account(msgspec.Struct):
    """Counts of one import. A refused row is not kept; a refused value leaves its row with a null."""

    format: str = ""
    files_count: int = 0
    rows_read_count: int = 0
    rows_kept_count: int = 0
    rows_refused: Counter[str] = msgspec.field(default_factory=Counter)
    values_refused: Counter[str] = msgspec.field(default_factory=Counter)
    files_refused: dict[str, str] = {}

    def refuse_rows(self, reason: str, count: int = 1) -> None:
        """Count rows that are not kept."""
        if count:
            self.rows_refused[reason] += count

    def refuse_values(self, field: str, reason: str, count: int = 1) -> None:
        """Count values that were set to null."""
        if count:
            self.values_refused[f"{field}: {reason}"] += count

    def refuse_files(self, name: str, reason: str) -> None:
        """Name a file of which nothing is kept."""
        self.files_refused[name] = reason

    def as_json(self) -> dict[str, Any]:
        """Return the account with its counters in order of size."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        for name in ("rows_refused", "values_refused"):
            plain[name] = dict(getattr(self, name).most_common())
        return plain

    def lines(self) -> list[str]:
        """Return the account for people."""
        told = [
            f"{self.rows_kept_count} records kept of {self.rows_read_count} rows in "
            f"{self.files_count} file{'' if self.files_count == 1 else 's'} ({self.format})"
        ]
        for title, counter in (("rows refused", self.rows_refused), ("values refused", self.values_refused)):
            told += [f"  {title}: {sum(counter.values())}"] if counter else []
            told += [f"    {count:>9}  {reason}" for reason, count in counter.most_common()]
        told += [f"  files refused: {len(self.files_refused)}"] if self.files_refused else []
        told += [f"    {name}: {reason}" for name, reason in list(self.files_refused.items())[:50]]
        return told
