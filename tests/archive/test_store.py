"""The zone whose civil days an archive is kept by can be chosen until it holds something."""

import json
from pathlib import Path

from click.testing import CliRunner

from analysis.commands.import_ import command
from archive.frames import frame_from_bodies
from archive.store import Archive
from measurement.codec import encode
from tests.archive.sample import records

DUBLIN = "Europe/Dublin"


def test_a_time_zone_is_fixed_by_the_first_record(tmp_path: Path) -> None:
    with Archive(tmp_path / "a", create=True) as archive:
        assert archive.set_time_zone(DUBLIN)
        archive.append_frame(frame_from_bodies([encode(r) for r in records(3)], []))
        assert archive.set_time_zone(DUBLIN)
        assert not archive.set_time_zone("Africa/Dakar")
        assert archive.setting("time_zone") == DUBLIN


def test_an_import_into_a_new_archive_keeps_it_by_the_days_of_the_place(tmp_path: Path) -> None:
    path = tmp_path / "speedtest.json"
    path.write_text(
        json.dumps(
            {
                "type": "result",
                "timestamp": "2026-05-01T23:30:00Z",
                "ping": {"jitter": 1.0, "latency": 20.0},
                "download": {"bandwidth": 5_000_000, "bytes": 50_000_000, "elapsed": 10_000},
                "upload": {"bandwidth": 1_000_000, "bytes": 10_000_000, "elapsed": 10_000},
                "interface": {"isVpn": False},
                "server": {"host": "x.example"},
                "result": {"id": "0b5b5b5b-0000-4000-8000-000000000000"},
            }
        )
    )
    words = [str(path), "--archive", str(tmp_path / "a"), "--time-zone", DUBLIN, "--json"]
    words += ["--position", "-8.47", "51.9", "--operator", "Three"]
    done = CliRunner().invoke(command, words)
    assert done.exit_code == 0, done.output
    with Archive(tmp_path / "a") as archive, archive.snapshot() as snapshot:
        assert archive.setting("time_zone") == DUBLIN
        assert snapshot.days == ["2026-05-02"]
