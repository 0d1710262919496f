from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from analysis import grid, rate, results, rules, series, stations, thresholds
from analysis.cli import group
from analysis.executors import Inline, executor
from archive.journal import Journal
from archive.sealing import seal
from archive.store import Archive
from measurement.errors import ConfigError
from tests.analysis import city
from tests.archive.places import layer, square
from tests.archive.sample import records
from tests.archive.test_journal import Waiter, entries

LIMITS = thresholds.load()


def rated(archive: Archive, jobs: int = 1, months: bool = True) -> dict[str, pl.DataFrame]:
    with executor(jobs) as pool:
        ready = rate.prepare(archive, LIMITS, pool)
        owners = {s.id: s.operator for s in archive.base_stations()}
        return rate.rate(ready, LIMITS, owners, pool, months) | {
            "exclusions": rate.exclusions(ready),
            "hexagons": grid.hexagons(ready, LIMITS, pool),
            "series": series.series(ready, pool),
            "histograms": series.histograms(ready),
            "bts_facts": stations.read_facts(archive),
        }


def row(frame: pl.DataFrame, **wanted: object) -> dict[str, object]:
    found = frame.filter([pl.col(name) == value for name, value in wanted.items()])
    assert found.height == 1, found
    return found.row(0, named=True)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Archive, dict[str, pl.DataFrame]]:
    archive = city.archive(tmp_path_factory.mktemp("rate") / "archive", city.records(1, 4000))
    return archive, rated(archive)


def test_every_table_has_its_columns(whole: tuple[Archive, dict[str, pl.DataFrame]]) -> None:
    for name, frame in whole[1].items():
        assert dict(frame.schema) == results.schema(name), name
        assert not frame.is_empty(), name


def test_estimates_lie_in_their_intervals(whole: tuple[Archive, dict[str, pl.DataFrame]]) -> None:
    for name in ("area_ratings", "bts_ratings"):
        frame = whole[1][name].drop_nulls(("value", "low", "high"))
        assert frame.height > 100
        assert frame.filter(pl.col("low") > pl.col("value")).is_empty()
        assert frame.filter(pl.col("high") < pl.col("value")).is_empty()


def test_median_is_that_of_devices(whole: tuple[Archive, dict[str, pl.DataFrame]]) -> None:
    """The weighted median, recomputed plainly: each device one vote over all its units."""
    _, tables = whole
    frame = city.records(1, 4000)
    day = pl.col("started_at").dt.convert_time_zone("Asia/Ho_Chi_Minh").dt.date()
    seen = frame.with_columns(day.alias("day"))
    parents = {cell: city.h3.cell_to_parent(cell, 9) for cell in seen["h3_cell"]}
    seen = seen.with_columns(pl.col("h3_cell").replace_strict(parents).alias("cell"))
    unit = ["probe_id", "cell", "network_technology", "network_operator", "day"]
    seen = seen.with_columns((1 / pl.len().over(unit)).alias("share"))
    seen = seen.with_columns((pl.col("share") / pl.col("share").sum().over("probe_id")).alias("weight"))
    own = seen.filter(
        (pl.col("areas_districts_2024") == "d1") & (pl.col("network_operator") == "Viettel")
        & (pl.col("network_technology") == "lte")
    ).sort("throughput_downlink_goodput_bps")  # fmt: skip
    below = own["weight"].cum_sum() / own["weight"].sum()
    expected = own.filter(below >= 0.5)["throughput_downlink_goodput_bps"][0]
    found = row(tables["area_ratings"], area="d1", operator="Viettel", technology="4g", period="all", kpi="downlink",
                statistic="median")  # fmt: skip
    assert found["value"] == pytest.approx(expected, rel=0.0045)
    assert found["samples_count"] == own.height
    assert found["devices_count"] == own["probe_id"].n_unique()


def test_every_record_is_counted_once_in_every_scope(whole: tuple[Archive, dict[str, pl.DataFrame]]) -> None:
    counts = whole[1]["exclusions"].group_by("scope").agg(pl.col("count").sum())
    assert dict(counts.iter_rows()) == dict.fromkeys(rules.SCOPES, 4000)


def test_exclusions_name_their_rule(tmp_path: Path) -> None:
    frame = city.records(2, 60)
    broken = {
        0: ("flags", ["speed-implausible"]), 1: ("device_limited_by", "probe_cpu"),
        2: ("outcome_failure", "interrupted"), 3: ("outcome_failure", "server_busy"),
        4: ("position_is_mock", True), 5: ("network_is_roaming", True),
        6: ("network_technology", "wifi"), 7: ("network_operator", None), 8: ("h3_cell", None),
        9: ("position_accuracy_m", 201.0), 10: ("position_accuracy_m", 51.0),
    }  # fmt: skip
    rows = frame.with_columns(
        pl.lit(None, pl.List(pl.String)).alias("flags"), pl.lit(None, pl.String).alias("outcome_failure"),
        pl.lit(None, pl.Boolean).alias("position_is_mock"), pl.lit(None, pl.Boolean).alias("network_is_roaming"),
    ).to_dicts()  # fmt: skip
    for index, (name, value) in broken.items():
        rows[index][name] = value
    shaped = pl.DataFrame(rows, infer_schema_length=None)
    left_out = rated(city.archive(tmp_path / "a", shaped))["exclusions"]
    area = dict(left_out.filter(pl.col("scope") == "area").select("reason", "count").iter_rows())
    assert area == {
        "kept": 50, "flagged": 1, "not-limited-by-network": 1, "instrument-failure": 1, "server-busy": 1,
        "mock-position": 1, "roaming": 1, "not-mobile": 1, "unknown-operator": 1, "no-position": 1,
        "position-inaccurate-200m": 1,
    }  # fmt: skip
    station = dict(left_out.filter(pl.col("scope") == "base_station").select("reason", "count").iter_rows())
    assert station["position-inaccurate-50m"] == 2


def test_processes_give_the_same_bits(whole: tuple[Archive, dict[str, pl.DataFrame]], tmp_path: Path) -> None:
    again = city.archive(tmp_path / "again", city.records(1, 4000))
    for name, frame in rated(again, jobs=2).items():
        assert frame.equals(whole[1][name]), name


def test_a_new_day_leaves_finished_partials_alone(tmp_path: Path) -> None:
    archive = city.archive(tmp_path / "a", city.records(3, 600, days=5))
    before = {task.target for task in rate.prepare(archive, LIMITS, Inline()).tasks}
    stamps = {path: (path / "summary.json").stat().st_mtime_ns for path in before}
    late = city.records(4, 50, days=1).with_columns(pl.col("started_at") + pl.duration(days=30))
    archive.append_frame(late)
    after = {task.target for task in rate.prepare(archive, LIMITS, Inline()).tasks}
    assert before < after
    assert all((path / "summary.json").stat().st_mtime_ns == stamp for path, stamp in stamps.items())


def test_no_samples(tmp_path: Path) -> None:
    for name, frame in rated(city.archive(tmp_path / "a", None)).items():
        assert frame.is_empty(), name
        assert dict(frame.schema) == results.schema(name)


def test_one_sample(tmp_path: Path) -> None:
    frame = city.records(5, 1, areas=1)
    found = rated(city.archive(tmp_path / "a", frame))["area_ratings"]
    one = row(found, area="d0", operator="*", technology="*", period="all", kpi="downlink", statistic="median")
    assert (one["low"], one["high"], one["status"]) == (None, None, "insufficient")
    assert one["value"] == pytest.approx(frame["throughput_downlink_goodput_bps"][0], rel=0.0045)
    assert one["needed_count"] == 99


def test_all_equal(tmp_path: Path) -> None:
    frame = city.records(6, 900, areas=1, throughput_downlink_goodput_bps=40e6, network_technology="lte")
    found = rated(city.archive(tmp_path / "a", frame))["area_ratings"]
    one = row(found, area="d0", operator="*", technology="4g", period="all", kpi="downlink", statistic="median")
    assert one["low"] == one["value"] == one["high"]
    assert one["status"] == "rated"


def test_all_flagged(tmp_path: Path) -> None:
    frame = city.records(7, 200).with_columns(pl.lit(["doubtful"], pl.List(pl.String)).alias("flags"))
    tables = rated(city.archive(tmp_path / "a", frame))
    assert tables["area_ratings"].is_empty()
    assert dict(tables["exclusions"].filter(pl.col("scope") == "area").select("reason", "count").iter_rows()) == {
        "flagged": 200
    }


def test_one_device_with_everything_says_nothing_of_others(tmp_path: Path) -> None:
    frame = city.records(8, 2000, areas=1, devices=1)
    found = rated(city.archive(tmp_path / "a", frame))["area_ratings"]
    for one in found.filter((pl.col("period") == "all") & (pl.col("samples_count") > 0)).iter_rows(named=True):
        assert one["status"] == "insufficient"
        assert one["low"] is None
        assert one["needed_count"] >= 19 or one["statistic"] in ("score", "weight")


def test_a_heavy_user_does_not_dominate(tmp_path: Path) -> None:
    crowd = city.records(9, 600, areas=1, devices=60, network_technology="lte", network_operator="Viettel",
                         throughput_downlink_goodput_bps=40e6)  # fmt: skip
    heavy = city.records(
        10, 6000, areas=1, devices=1, network_technology="lte", network_operator="Viettel",
        throughput_downlink_goodput_bps=1e6,
    ).with_columns(pl.lit("heavy").alias("probe_id"))  # fmt: skip
    found = rated(city.archive(tmp_path / "a", pl.concat((crowd, heavy))))["area_ratings"]
    one = row(found, area="d0", operator="Viettel", technology="4g", period="all", kpi="downlink", statistic="p10")
    assert one["value"] == pytest.approx(40e6, rel=0.0045)


def test_areas_outside_and_overlapping(tmp_path: Path) -> None:
    frame = city.records(11, 300)
    outside = frame.with_columns(
        pl.when(pl.int_range(pl.len()) < 100).then(None).otherwise("areas_districts_2024").alias("areas_districts_2024")
    )
    archive = Archive(tmp_path / "a", create=True)
    archive.set_layers([city.layer(3), city.layer(3, "overlapping")])
    archive.append_frame(outside.with_columns(pl.lit("d0").alias("areas_overlapping")))
    found = rated(archive)["area_ratings"].filter(
        (pl.col("kpi") == "downlink") & (pl.col("statistic") == "median") & (pl.col("operator") == "*")
        & (pl.col("technology") == "*") & (pl.col("period") == "all")
    )  # fmt: skip
    sums = dict(found.group_by("layer").agg(pl.col("samples_count").sum()).iter_rows())
    assert sums == {"districts-2024": 200, "overlapping": 300}


def test_segments_of_older_and_newer_schemas(tmp_path: Path) -> None:
    archive = city.archive(tmp_path / "a", city.records(12, 200, days=2))
    older, newer, *_ = sorted((archive.path / "segments").rglob("*.parquet"))
    pl.read_parquet(older).drop("throughput_uplink_goodput_bps", "areas_districts_2024").write_parquet(older)
    later = pl.read_parquet(newer).with_columns(schema_version=pl.lit(2), throughput_sideways_bps=pl.lit(1.0))
    later.select(sorted(later.columns)).write_parquet(newer)
    found = rated(archive)
    assert found["exclusions"]["count"].sum() == 3 * 200
    assert not found["area_ratings"].is_empty()


def test_simulated_is_said_on_every_row(whole: tuple[Archive, dict[str, pl.DataFrame]]) -> None:
    for name in ("area_ratings", "bts_ratings"):
        assert whole[1][name].filter(pl.col("samples_count") > 0)["is_simulated"].all()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--country", "nowhere"], "Invalid thresholds 'nowhere'. One of"),
        (["--layer", "none"], "--layer: Invalid layer 'none'. One of districts-2024."),
        (["--out", "x.docx"], "--out: Invalid suffix '.docx'. One of .csv, .parquet, .ndjson, .geojson."),
        (["--why", "d0"], "--why: No ratings yet. Run haidang-analysis rate first."),
    ],
)
def test_bad_arguments_name_what_is_wrong(tmp_path: Path, arguments: list[str], says: str) -> None:
    city.archive(tmp_path / "a", city.records(13, 50, days=1)).close()
    outcome = CliRunner().invoke(group, ["rate", "--archive", str(tmp_path / "a"), "--no-maps", *arguments])
    assert isinstance(outcome.exception, ConfigError)
    assert says in str(outcome.exception)


def test_the_command_prints_writes_and_explains(tmp_path: Path) -> None:
    city.archive(tmp_path / "a", city.records(14, 3000)).close()
    base = ["rate", "--archive", str(tmp_path / "a"), "--no-maps"]
    plain = CliRunner().invoke(group, base)
    assert plain.exit_code == 0, plain.output
    assert "Quận 0" in plain.output
    as_json = CliRunner().invoke(group, [*base, "--json"])
    lines = [json.loads(line) for line in as_json.stdout.splitlines()]
    assert {line["kpi"] for line in lines} > {"downlink", "score"}
    out = tmp_path / "areas.geojson"
    assert CliRunner().invoke(group, [*base, "--out", str(out)]).exit_code == 0
    features = json.loads(out.read_text("utf-8"))["features"]
    assert features[0]["geometry"]["type"] == "MultiPolygon"
    why = CliRunner().invoke(group, [*base, "--why", "Quận 0"])
    assert "target-4g-downlink [D]" in why.output
    assert "kept" in why.output


def test_days_on_air_enter_the_score_of_a_station(tmp_path: Path) -> None:
    frame = city.records(19, 2000, network_technology="lte", base_station_id="b0")
    silent = frame.with_columns(pl.lit("b1").alias("base_station_id"), pl.concat_str("record_id", pl.lit("b")))
    day = pl.col("started_at").dt.convert_time_zone("Asia/Ho_Chi_Minh").dt.date()
    off = silent.filter(day.rank("dense") % 2 == 0)
    found = rated(city.archive(tmp_path / "a", pl.concat((frame, off))))
    facts = dict(found["bts_facts"].select("base_station", "on_air_share").iter_rows())
    assert facts["b0"] == 1.0
    assert facts["b1"] == pytest.approx(0.5, abs=0.06)
    ratings = found["bts_ratings"]
    own = [row(ratings, base_station=key, technology="4g", kpi="score", statistic="score") for key in ("b0", "b1")]
    weight = row(ratings, base_station="b0", technology="4g", kpi="score", statistic="weight")
    assert weight["value"] == pytest.approx(0.8)  # all but RSRQ and SINR
    fall = own[0]["value"] - own[1]["value"]  # type: ignore[operator]
    assert 5 < fall < 8  # 100 points against 0 for 5 of the 80, and what half the tests say otherwise


def test_hours_of_the_day_are_rated_apart(tmp_path: Path) -> None:
    frame = city.records(15, 3000, areas=1, network_technology="lte")
    hour = pl.col("started_at").dt.convert_time_zone("Asia/Ho_Chi_Minh").dt.hour()
    evening = frame.with_columns(
        pl.when(hour.is_between(19, 21)).then(5e6).otherwise(50e6).alias("throughput_downlink_goodput_bps")
    )
    city.archive(tmp_path / "a", evening).close()
    base = ["rate", "--archive", str(tmp_path / "a"), "--no-maps", "--no-facts", "--by", "hour"]
    outcome = CliRunner().invoke(group, [*base, "--json"])
    assert outcome.exit_code == 0, outcome.output
    lines = [json.loads(line) for line in outcome.stdout.splitlines()]
    own = {line["period"]: line for line in lines if (line["kpi"], line["statistic"]) == ("downlink", "median")}
    assert sorted(own) == [f"{h:02}" for h in range(24)]
    assert {h for h, line in own.items() if line["value"] < 6e6} == {"19", "20", "21"}
    counts = evening.group_by(hour.alias("hour")).len()
    assert {int(h): line["samples_count"] for h, line in own.items()} == dict(counts.iter_rows())
    assert "20" in CliRunner().invoke(group, base).output


def test_a_month_that_is_over_is_not_judged_again(tmp_path: Path) -> None:
    archive = city.archive(tmp_path / "a", city.records(16, 2000, days=10))
    later = [city.records(seed, 400, days=3).with_columns(pl.col("started_at") + pl.duration(days=days))
             for seed, days in ((17, 31), (18, 34))]  # fmt: skip
    archive.append_frame(later[0])
    before = rated(archive)["area_ratings"]
    stamps = {path: path.stat().st_mtime_ns for path in archive.path.glob("results/.partials/judged-*")}
    archive.append_frame(later[1])
    after = rated(archive)["area_ratings"]
    kept = [path for path, stamp in stamps.items() if path.is_file() and path.stat().st_mtime_ns == stamp]
    assert len(kept) == 1  # May's areas; June's, the whole's and the stations' are judged anew
    may = pl.col("period") == "2026-05"
    assert before.filter(may).equals(after.filter(may))
    assert not before.filter(~may).equals(after.filter(~may))


def test_records_that_no_segment_holds_yet_are_rated_like_all_others(tmp_path: Path) -> None:
    """A collector's first minutes: everything is hot."""
    kept = records(12)
    with Archive(tmp_path / "hot", create=True) as archive:
        archive.set_layers([layer("squares", square("a", 106, 20))])
        waiter = Waiter()
        journal = Journal(Archive(archive.path))
        journal.append(entries(kept), waiter)
        waiter.wait()
        journal.close()
        hot = rated(archive)["exclusions"]
        assert hot["count"].sum() == 3 * len(kept)
        assert seal(archive) == len(kept)
        assert rated(archive)["exclusions"].equals(hot)
