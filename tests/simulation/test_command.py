"""The command: its targets, its summary, and one line for each wrong argument."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from archive.store import Archive
from collector.config import read_stations
from measurement import codec
from measurement.errors import ConfigError
from simulation.commands.city import span

SMALL = ["--communes", "2", "--stations", "24", "--phones", "30", "--probes", "3", "--seed", "4"]


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from simulation.cli import main; main()", "city"]
    return subprocess.run([*command, *arguments], capture_output=True, text=True, timeout=100, check=False)


def test_writes_every_target_and_a_summary(tmp_path: Path) -> None:
    done = run("--records", "300", *SMALL, "--lake", str(tmp_path / "a"), "--out", str(tmp_path / "r.ndjson.gz"),
               "--registry", str(tmp_path / "s.csv"), "--truth", str(tmp_path / "t"), "--truth-draws", "2000",
               "--holes", "2", "--json")  # fmt: skip
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["records"] == 300
    assert summary["is_simulated"]
    lines = gzip.decompress((tmp_path / "r.ndjson.gz").read_bytes()).splitlines()
    assert len({codec.decode(line).record_id for line in lines}) == 300
    with Archive(tmp_path / "a") as archive:
        held = archive.snapshot()
        assert sum(segment.row_count for segment in held.segments) == 300
        assert read_stations(tmp_path / "s.csv") == sorted(archive.base_stations(), key=lambda s: order(s.id, tmp_path))
    truth = json.loads((tmp_path / "t" / "truth.json").read_text())
    assert len(truth["holes"]) == 2
    assert truth["tables"]["areas"] > 0


def order(station: str, folder: Path) -> int:
    rows = (folder / "s.csv").read_text(encoding="utf-8").splitlines()[1:]
    return [row.split(",")[0] for row in rows].index(station)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Nowhere to write. Give one of --archive, --collector, --out, --registry, --truth."),
        (["--out", "x", "--start", "yesterday"], "--start yesterday: Invalid day. YYYY-MM-DD."),
        (["--out", "x", "--communes", "99999,10507"], "Invalid communes ['99999']. None of the layer communes-2025."),
        (["--out", "x", "--communes", "500"], "Invalid communes 500. 1 to 114, those of communes-2025."),
        (["--collector", "http://127.0.0.1:1"], "--collector needs --token-file."),
        (
            ["--out", "x", "--degrade", "11311:Viettel:0.7"],
            "--degrade 11311:Viettel:0.7: Invalid degradation. AREA:OPERATOR:FACTOR:FROM[:UNTIL].",
        ),
        (
            ["--out", "x", "--degrade", "nowhere:Viettel:0.7:2026-06-01"],
            "--degrade nowhere:Viettel:0.7:2026-06-01: Invalid area 'nowhere'. No layer has it.",
        ),
        (
            ["--out", "x", "--degrade", "*:Nobody:0.7:2026-06-01"],
            "--degrade *:Nobody:0.7:2026-06-01: Invalid operator 'Nobody'. "
            "One of Viettel, VinaPhone, MobiFone, Vietnamobile or *.",
        ),
        (
            ["--out", "x", "--degrade", "*:*:-1:2026-06-01"],
            "--degrade *:*:-1:2026-06-01: Invalid factor '-1'. Above 0, at most 10; 0.7 takes 30 % away.",
        ),
        (
            ["--out", "x", "--degrade", "*:*:0.5:soon"],
            "--degrade *:*:0.5:soon: Invalid instant 'soon'. A date or time such as 2026-06-10T08.",
        ),
    ],
)
def test_wrong_arguments_are_named_in_one_line(arguments: list[str], message: str, tmp_path: Path) -> None:
    arguments = [str(tmp_path / "x") if argument == "x" else argument for argument in arguments]
    done = run("--records", "1", *arguments)
    assert done.returncode == 2
    assert done.stderr.strip() == f"haidang-simulation: {message}"


def test_a_collector_that_is_away_is_a_failure_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("t\n")
    done = run("--records", "1", *SMALL, "--collector", "ftp://x", "--token-file", str(tmp_path / "token"))
    assert done.returncode == 2
    assert (
        done.stderr.strip() == "haidang-simulation: --collector ftp://x: Invalid URL. http:// or https:// with a host."
    )


def test_days_for_a_collector_end_yesterday() -> None:
    today = date(2026, 11, 22)
    assert span(None, None, today, is_live=True) == (date(2026, 10, 25), 28)
    assert span(None, None, today, is_live=False) == (date(2026, 5, 1), 60)
    assert span("2026-01-31", 3, today, is_live=True) == (date(2026, 1, 31), 3)
    with pytest.raises(ConfigError, match="Invalid day"):
        span("31.1.2026", 3, today, is_live=True)
