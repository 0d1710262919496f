"""Run every benchmark, or those named, and write `benchmarks/RESULTS.md`.

    python -m benchmarks                 all
    python -m benchmarks placing fuzzing those

Rows of topics that were not run are kept as they stand in the file.
"""

from __future__ import annotations

import importlib
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import Row

HERE = Path(__file__).parent
RESULTS = HERE / "RESULTS.md"
HEADINGS = ("topic", "what", "to reach", "measured", "beside it")


def modules() -> list[str]:
    """Return the names of the modules that have a `run`."""
    names = sorted(path.stem for path in HERE.glob("*.py") if not path.stem.startswith("_"))
    return [name for name in names if "def run(" in (HERE / f"{name}.py").read_text("utf-8")]


def held(skipped: set[str]) -> list[Row]:
    """Return the rows the file already has, without those of `skipped` topics."""
    lines = RESULTS.read_text("utf-8").splitlines() if RESULTS.is_file() else []
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("| ")]
    return [Row(*row) for row in cells[1:] if len(row) == len(HEADINGS) and row[0] not in skipped]


def write(rows: list[Row]) -> None:
    """Write the table."""
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    lines = [
        "# Results",
        "",
        f"Last run {datetime.now(UTC):%Y-%m-%d} on {machine}, shared. Ratios travel; absolutes do not.",
        "",
    ]
    lines += [f"| {' | '.join(HEADINGS)} |", "|" + "---|" * len(HEADINGS)]
    lines += [
        "| " + " | ".join(cell.replace("|", "/").replace("\n", " ") for cell in row) + " |" for row in sorted(rows)
    ]
    RESULTS.write_text("\n".join(lines) + "\n", "utf-8")


def main() -> None:
    """Run what is named."""
    chosen = sys.argv[1:] or modules()
    rows: list[Row] = []
    for name in chosen:
        print(f"{name} …", file=sys.stderr, flush=True)
        for row in importlib.import_module(f"benchmarks.{name}").run():
            print(f"  {row.what}: {row.measured} (to reach {row.reach}; {row.ratio_note})", file=sys.stderr, flush=True)
            rows.append(row)
    write(held({row.topic for row in rows}) + rows)


if __name__ == "__main__":
    main()
