"""The three verbs on a small simulated archive: tables written, text for people, one line for what is wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from analysis import results
from analysis.cli import group
from archive.store import Archive
from measurement.errors import ConfigError
from simulation.city import City, Scale


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    path = tmp_path_factory.mktemp("city") / "archive"
    city = City(3, communes=3, scale=Scale(60, 300, 6))
    with Archive(path, create=True) as opened:
        opened.set_layers(city.layers)
        opened.set_base_stations(city.stations)
        for frame in city.records(6000, days=20, start=date(2026, 5, 1)):
            opened.append_frame(frame)
    yield path


def said(*arguments: str) -> str:
    result = CliRunner().invoke(group, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_coverage_writes_its_tables_and_prints_its_validation(archive: Path) -> None:
    text = said("coverage", "--archive", str(archive), "--operator", "Viettel", "--kpi", "rsrp")
    assert "held out 200 m" in text
    assert "in 95 %" in text
    with Archive(archive) as opened:
        for name in ("coverage", "coverage_validation", "holes"):
            table = opened.read_result(name)
            assert table is not None
            assert table.schema == results.schema(name)
        covered = opened.read_result("coverage")
    assert covered is not None
    assert covered["is_simulated"].all()
    assert covered["probability"].is_between(0, 1).all()
    assert (covered.filter(covered["nearest_m"] > 500)["is_masked"]).all()
    assert (covered["sigma"] >= covered["error"]).all()


def test_coverage_draws_a_picture(archive: Path, tmp_path: Path) -> None:
    picture = tmp_path / "surface.png"
    said("coverage", "--archive", str(archive), "--operator", "Viettel", "--technology", "4g", "--kpi", "rsrp",
         "--picture", str(picture))  # fmt: skip
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size > 20_000


def test_the_anisotropy_and_the_people_that_are_given_are_taken(archive: Path, tmp_path: Path) -> None:
    with Archive(archive) as opened:
        communes = next(layer for layer in opened.layers() if layer.key == "communes-2025")
    people = tmp_path / "people.csv"
    people.write_text("\ufeffkey,name,population\n" + "".join(f"{a.key},{a.name},12000\n" for a in communes.areas))
    text = said("coverage", "--archive", str(archive), "--operator", "Viettel", "--technology", "4g", "--kpi", "rsrp",
                "--anisotropy", "2@30", "--population", str(people))  # fmt: skip
    assert "Viettel 4g rsrp: values stay alike 2 times as far along 30° as across it." in text


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("code,people\n1,2\n", "'key' is missing"),
        ("key,population\n10507,12.000\n", ":2: Invalid population '12.000'"),
        ("key,population\n10507,-4\n", ":2: Invalid population '-4'"),
        ("key,population\n10507,1\n10507,2\n", ":3: Invalid key '10507'. It stands twice"),
        ("key,population\n,2\n", ":2: Invalid key ''. A key is needed"),
        ("key,population\nx99,2\n", "Invalid key 'x99'. No area has it"),
    ],
)
def test_a_wrong_population_is_told_in_one_line(archive: Path, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "people.csv").write_text(text)
    with pytest.raises(ConfigError, match=re.escape(message)):
        said("coverage", "--archive", str(archive), "--population", str(tmp_path / "people.csv"))


def test_coverage_of_nobody_is_an_empty_table(archive: Path) -> None:
    assert "No surface." in said("coverage", "--archive", str(archive), "--operator", "Nobody")


def test_degraded_reads_only_days_that_changed(archive: Path) -> None:
    first = said("degraded", "--archive", str(archive), "--now", "newest")
    kept = {path: path.stat().st_mtime_ns for path in (archive / "state" / "degraded").glob("*.arrow")}
    assert len(kept) == 20
    assert said("degraded", "--archive", str(archive), "--now", "newest") == first
    assert {path: path.stat().st_mtime_ns for path in (archive / "state" / "degraded").glob("*.arrow")} == kept
    with Archive(archive) as opened:
        table = opened.read_result("degraded")
    assert table is not None
    assert table.schema == results.schema("degraded")


def test_degraded_says_that_it_is_learning(archive: Path) -> None:
    assert "Learning" in said("degraded", "--archive", str(archive), "--now", "2026-05-05T12:00")


def test_plan_gives_every_form(archive: Path, tmp_path: Path) -> None:
    files = {name: tmp_path / f"plan.{name}" for name in ("geojson", "gpx", "html", "json")}
    text = said(
        "plan", "--archive", str(archive), "--from", "106.683,20.861", "--minutes", "300", "--geojson",
        str(files["geojson"]), "--gpx", str(files["gpx"]), "--page", str(files["html"]), "--tasks", str(files["json"]),
        "--probe", "car", "--language", "vi", "--today", "2026-05-21",
    )  # fmt: skip
    assert "điểm" in text
    assert all(path.stat().st_size > 200 for path in files.values())
    assert json.loads(files["json"].read_text("utf-8"))[0]["task"]["campaign"] == "plan-2026-05-21"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["plan", "--from", "106"], "--from: Invalid position '106'"),
        (["plan", "--from", "20.8,106.7"], "longitude comes first"),
        (["plan", "--minutes", "10"], "--minutes: Invalid without --from"),
        (["plan", "--today", "soon"], "--today: Invalid day 'soon'"),
        (["degraded", "--now", "yesterday"], "--now: Invalid time 'yesterday'"),
        (["degraded", "--now", "2026-05-01", "--watch", "5"], "--now: Invalid with --watch"),
        (["coverage", "--country", "xx"], "Invalid thresholds 'xx'"),
        (["coverage", "--anisotropy", "0.5@10"], "--anisotropy: Invalid '0.5@10'"),
    ],
)
def test_wrong_use_is_told_in_one_line(archive: Path, arguments: list[str], message: str) -> None:
    verb, *rest = arguments
    with pytest.raises(ConfigError, match=message):
        CliRunner().invoke(group, [verb, "--archive", str(archive), *rest], catch_exceptions=False)
