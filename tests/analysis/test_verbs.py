from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import CliRunner, Result

from analysis import compliance, registry, sites, thresholds
from analysis.base_stations import swapped_sectors
from analysis.cli import group
from analysis.propagation import fit_path_loss
from archive.store import Archive
from measurement.errors import ConfigError
from measurement.geography import BaseStation
from tests.analysis import city

LIMITS = thresholds.load()


def call(*arguments: object) -> Result:
    outcome = CliRunner().invoke(group, [str(argument) for argument in arguments])
    assert outcome.exit_code == 0, outcome.output + repr(outcome.exception)
    return outcome


def campaign(count: int, downlink_bps: float, seed: int = 1) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    frame = city.records(
        seed, count, areas=1, devices=6, mode="certified", campaign="Q2", network_operator="Viettel",
        network_technology="lte", throughput_downlink_goodput_bps=downlink_bps * np.exp(rng.normal(-0.02, 0.2, count)),
    )  # fmt: skip
    apart = [city.START + timedelta(seconds=31.0 * i) for i in range(count)]
    return frame.with_columns(pl.Series("started_at", apart), pl.lit("crew-1").alias("probe_id"))


def test_a_whole_campaign_is_certified_and_judged(tmp_path: Path) -> None:
    archive = city.archive(tmp_path / "a", campaign(2400, 80e6))
    call("compliance", "--archive", tmp_path / "a")
    found = archive.read_result("compliance")
    assert found is not None
    assert set(found["kind"]) == {"certified"}
    verdicts = dict(found.select("limit_id", "verdict").iter_rows())
    assert verdicts["qcvn81-downlink-mean"] == "PASS"
    assert verdicts["qcvn81-availability"] == "INDETERMINATE"  # far from 100,000 moving samples
    slow = city.archive(tmp_path / "b", campaign(2400, 20e6))
    call("compliance", "--archive", tmp_path / "b")
    again = slow.read_result("compliance")
    assert again is not None
    assert dict(again.select("limit_id", "verdict").iter_rows())["qcvn81-downlink-mean"] == "FAIL"


def test_a_short_campaign_is_indicative_and_says_what_it_lacks(tmp_path: Path) -> None:
    archive = city.archive(tmp_path / "a", campaign(300, 80e6))
    output = call("compliance", "--archive", tmp_path / "a").output
    assert "indicative (chỉ dấu)" in output
    found = archive.read_result("compliance")
    assert found is not None
    assert found["missing"].str.contains("1200 samples").all()


def test_hurried_tests_do_not_count() -> None:
    hurried = campaign(100, 80e6).with_columns(
        pl.Series("started_at", [city.START + timedelta(seconds=10.0 * i) for i in range(100)])
    )
    assert compliance.spaced(hurried, 30.0).height == 34


@pytest.mark.parametrize(
    ("is_up", "gaps", "expected"),
    [
        ([1, 1, 1], [6, 6], (0, 0, 0, 0)),
        ([1, 0, 1], [6, 6], (6, 0, 12, 1)),  # one failed test among sparse ones: a minute or twelve hours
        ([1, 0, 1], [12, 6], (6, 0, 18, 1)),  # a longer gap than usual guesses no longer an outage
        ([1, 0, 1], [6, 30], (3, 0, 6, 1)),  # silence after it
        ([0, 0, 1, 0], [6, 6, 6], (12, 6, 18, 2)),
    ],
)
def test_an_outage_is_bound_by_the_tests_around_it(
    is_up: list[int], gaps: list[int], expected: tuple[int, ...]
) -> None:
    at = np.concatenate(([0.0], np.cumsum(gaps))) * 3600
    found = sites.outages(at, np.array(is_up, bool), 6 * 3600.0)
    assert (found.down_s / 3600, found.least_s / 3600, found.most_s / 3600, found.outages_count) == expected


def test_sites_tell_outages_and_connected_offices(tmp_path: Path) -> None:
    hours = [city.START + timedelta(hours=h) for h in range(240)]
    frames = []
    for name, down in (("a", range(10, 15)), ("b", range(200, 240)), ("c", ())):
        frame = city.records(1, 240, areas=1, devices=1).with_columns(
            pl.Series("started_at", hours), pl.lit(name).alias("probe_id"), pl.lit("fixed").alias("position_source"),
            pl.Series("outcome_status", ["failed" if h in down else "complete" for h in range(240)]),
            pl.Series("outcome_failure", ["no_service" if h in down else None for h in range(240)], dtype=pl.String),
            pl.lit(f"UBND {name}").alias("organisation"),
        )  # fmt: skip
        frames.append(frame.with_columns(pl.Series("record_id", [f"{i}-{name}" for i in frame["record_id"]])))
    archive = city.archive(tmp_path / "a", pl.concat(frames))
    output = call("sites", "--archive", tmp_path / "a").output
    assert "2 of 3 offices connected" in output
    found = archive.read_result("sites")
    assert found is not None
    a, b, c = found.sort("probe_id").iter_rows(named=True)
    assert (a["outages_count"], a["longest_outage_s"]) == (1, 5 * 3600.0)
    assert a["availability"] == pytest.approx(1 - 5 / 239)
    assert (a["availability_low"], a["availability_high"]) == pytest.approx((1 - 6 / 239, 1 - 4 / 239))
    assert (b["is_connected"], c["availability"]) == (False, 1.0)


def test_participation_counts_against_targets(tmp_path: Path) -> None:
    targets = tmp_path / "targets.csv"
    targets.write_text("scope,layer,key,users,samples\nwhole,,*,160,1000\norganisation,,office 9,10,50\n", "utf-8")
    archive = city.archive(tmp_path / "a", city.records(1, 500))
    output = call("participation", "--archive", tmp_path / "a", "--targets", targets).output
    assert "80 users, 500 samples" in output
    found = archive.read_result("participation")
    assert found is not None
    whole = found.filter((pl.col("scope") == "whole") & (pl.col("period") == "all")).row(0, named=True)
    assert (whole["users_count"], whole["users_target"], whole["samples_target"]) == (80, 160, 1000)
    absent = found.filter(pl.col("key") == "office 9").row(0, named=True)
    assert (absent["users_count"], absent["samples_target"]) == (0, 50)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("scope,key\n", "No column layer"),
        ("scope,layer,key,users,samples\ncity,,x,1,1\n", "Row 2: scope 'city' is none of"),
    ],
)
def test_bad_targets_are_named(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    city.archive(tmp_path / "a", None).close()
    outcome = CliRunner().invoke(
        group, ["participation", "--archive", str(tmp_path / "a"), "--targets", str(tmp_path / "t.csv")]
    )
    assert isinstance(outcome.exception, ConfigError)
    assert says in str(outcome.exception)


def test_compare_tells_operators_apart(tmp_path: Path) -> None:
    frame = city.records(1, 2000).with_columns(
        pl.when(pl.col("network_operator") == "Viettel").then(3.0).otherwise(1.0).alias("factor")
    )
    frame = frame.with_columns(pl.col("throughput_downlink_goodput_bps") * pl.col("factor")).drop("factor")
    city.archive(tmp_path / "a", frame).close()
    base = ("compare", "--archive", tmp_path / "a", "--kpi", "downlink")
    assert "better" in call(*base, "operator=MobiFone", "operator=Viettel").output
    assert "no difference shown" in call(*base, "until=2026-05-05", "from=2026-05-06").output
    outcome = CliRunner().invoke(group, [str(a) for a in (*base, "operator=Nobody", "operator=Viettel")])
    assert isinstance(outcome.exception, ConfigError)
    assert "Invalid side 'operator=Nobody'. It holds no test." in str(outcome.exception)


def test_path_loss_is_recovered_and_says_where_it_is_unusable() -> None:
    rng = np.random.default_rng(1)
    distance = np.exp(rng.uniform(np.log(50), np.log(3000), 400))
    fit = fit_path_loss(distance, -25 - 10 * 3.6 * np.log10(distance) + rng.normal(0, 6, 400))
    assert fit.unusable == ""
    assert fit.exponent == pytest.approx(3.6, abs=0.2)
    assert fit.sigma_db == pytest.approx(6, abs=0.7)
    assert "samples" in fit_path_loss(distance[:10], -distance[:10]).unusable
    assert "R²" in fit_path_loss(distance, rng.normal(-90, 6, 400)).unusable
    assert fit_path_loss(np.full(40, 100.0), rng.normal(-90, 6, 40)).unusable == "all samples at one distance"


def test_right_sectors_are_not_called_swapped() -> None:
    rng = np.random.default_rng(1)
    sector = np.repeat([0, 1, 2], 40)
    bearing = np.array([0.0, 120.0, 240.0])[sector] + rng.normal(0, 30, 120)
    azimuths = np.array([0.0, 120.0, 240.0])
    assert swapped_sectors(azimuths, bearing, sector) == ""
    assert (
        swapped_sectors(azimuths, np.array([120.0, 0.0, 240.0])[sector] + rng.normal(0, 30, 120), sector) == "1 and 2"
    )


def test_a_shifted_decimal_is_found_and_named() -> None:
    fleet = [
        BaseStation(id=f"s{i}", operator="A", technology="lte", longitude_deg=-58.4 + 0.02 * i, latitude_deg=-34.6)
        for i in range(9)
    ]
    wrong = BaseStation(id="s9", operator="A", technology="lte", longitude_deg=-58.4, latitude_deg=-3.489)
    (finding,) = registry.registry_findings([*fleet, wrong])
    assert (finding.id, finding.field, finding.suggestion, finding.reason) == (
        "s9", "latitude_deg", -34.89, "decimal point shifted",
    )  # fmt: skip
    assert registry.registry_findings(fleet) == []


def test_thresholds_of_another_country_are_another_file(tmp_path: Path) -> None:
    text = (Path(thresholds.__file__).parent / "vn.toml").read_text("utf-8")
    other = tmp_path / "sn.toml"
    other.write_text(
        text.replace('country = "VN"', 'country = "SN"').replace("at_least = 40e6", "at_least = 400e6"), "utf-8"
    )
    assert thresholds.load(str(other)).country == "SN"
    archive = city.archive(tmp_path / "a", campaign(2400, 80e6))
    call("compliance", "--archive", tmp_path / "a", "--country", other)
    found = archive.read_result("compliance")
    assert found is not None
    assert dict(found.select("limit_id", "verdict").iter_rows())["qcvn81-downlink-mean"] == "FAIL"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("evidence = ", "evidenc = "), "unknown field `evidenc`"),
        (("downlink_bps = 5e6", 'downlink_bps = "fast"'), "$.floor[0].downlink_bps"),
        (("[[floor]]", "[[floor"), "Invalid thresholds"),
    ],
)
def test_a_broken_file_names_the_key(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    text = (Path(thresholds.__file__).parent / "vn.toml").read_text("utf-8")
    path = tmp_path / "broken.toml"
    path.write_text(text.replace(*change), "utf-8")
    with pytest.raises(ConfigError, match="Invalid thresholds") as error:
        thresholds.load(str(path))
    assert says in str(error.value)


def test_ids_are_unique_and_sources_given() -> None:
    entries = list(LIMITS.entries())
    assert len({entry.id for entry in entries}) == len(entries)
    for entry in entries:
        assert entry.source, entry.id
        assert entry.evidence in "VSRD", entry.id
        assert len(entry.date) == 10, entry.id


def test_an_archive_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No catalogue"):
        Archive(tmp_path / "nothing")
