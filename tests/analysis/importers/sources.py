"""The real files, and archives to import them into."""

from pathlib import Path

import polars as pl
import pytest

from analysis.importers.account import Account
from analysis.importers.options import Options
from analysis.importers.run import Import
from archive.store import Archive

DATA = Path(__file__).parents[3] / ".." / "shared" / "data"


def real(name: str) -> Path:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{name} is not in ../shared/data")
    return path


def imported(
    folder: Path, *paths: Path, time_zone: str = "Asia/Ho_Chi_Minh", **options
) -> tuple[Account, pl.DataFrame]:
    """Import into a fresh (or the same) archive; return the account and every row of the archive."""
    format_name = options.pop("format_name", None)
    with Archive(folder / "archive", create=True) as archive:
        account = Import(archive, Options(time_zone, **options).checked(), format_name=format_name).run(list(paths))
        snapshot = archive.snapshot()
        frames = [snapshot.frame(day) for day in snapshot.days]
    return account, pl.concat(frames) if frames else pl.DataFrame()
