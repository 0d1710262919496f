"""G-NetTrack: the logs of Dakar and Cork, their sentinels, their failures, their clocks."""

from datetime import UTC, datetime

import polars as pl
import pytest

from analysis.importers.ranges import leg_range
from archive.frames import schema
from measurement.record import Record
from measurement.rules import check
from measurement.vocabulary import Leg
from tests.analysis.importers.sources import imported, real

NAMES = "Timestamp,Longitude,Latitude,Operatorname,Operator,Node,CellID,LAC,NetworkTech,Level,Qual,SNR,CQI,LTERSSI"
HEADER = NAMES.replace(",", "\t")


def log(folder, *rows: str, name: str = "log.txt"):
    path = folder / name
    path.write_text("\r\n".join((HEADER, *rows)) + "\r\n")
    return path


def row(second: int = 0, tech: str = "4G", level: str = "-81", qual: str = "-8", snr: str = "5.0",
        longitude: str = "106.68", latitude: str = "20.86", operator: str = "Viettel\t45204") -> str:  # fmt: skip
    where = f"2026.07.01_07.00.{second:02d}\t{longitude}\t{latitude}\t{operator}"
    return f"{where}\t500\t3\t7000\t{tech}\t{level}\t{qual}\t{snr}\t10\t-60\t"


def test_a_row_becomes_a_record(tmp_path):
    account, frame = imported(tmp_path, log(tmp_path, row()))
    (got,) = frame.to_dicts()
    assert got["started_at"] == datetime(2026, 7, 1, 0, 0, tzinfo=UTC)
    assert (got["network_operator"], got["network_mcc"], got["network_mnc"]) == ("Viettel", "452", "04")
    assert (got["radio_anchor_rsrp_dbm"], got["radio_anchor_rsrq_db"], got["radio_anchor_sinr_db"]) == (-81, -8, 5)
    assert (got["radio_anchor_cell_id"], got["radio_anchor_base_station_id"]) == (500 * 256 + 3, 500)
    assert got["radio"] == [{**got["radio"][0], "rsrp_dbm": -81.0, "leg": "anchor", "is_serving": True, "at_ms": 0.0}]
    assert got["h3_cell"] is not None
    assert got["mode"] == "import"
    assert (account.rows_read_count, account.rows_kept_count) == (1, 1)


@pytest.mark.parametrize(
    ("level", "qual", "snr", "refused"),
    [
        ("-200", "-8", "5", "rsrp_dbm: -200 is outside -144…-30"),
        ("-24", "-8", "5", "rsrp_dbm: -24 is outside -144…-30"),
        ("-81", "7", "5", "rsrq_db: 7 is outside -34…3"),
        ("-81", "-8", "-30", "sinr_db: -30 is outside -23…40"),
        ("nan", "-8", "5", None),
    ],
)
def test_a_sentinel_is_refused_and_counted_and_its_row_stays(tmp_path, level, qual, snr, refused):
    account, frame = imported(tmp_path, log(tmp_path, row(level=level, qual=qual, snr=snr)))
    assert frame.height == 1
    assert sum(account.values_refused.values()) == 1
    if refused:
        assert account.values_refused == {refused: 1}
    kept = [frame[f"radio_anchor_{name}"][0] for name in ("rsrp_dbm", "rsrq_db", "sinr_db")]
    assert kept.count(None) == 1


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (row(longitude="0.0", latitude="0.0"), "position 0, 0: no fix"),
        (row(longitude="", latitude=""), "no position"),
        (row(latitude="91"), "position out of range"),
        (row().replace("2026.07.01", "2026.13.41"), "no readable time"),
    ],
)
def test_a_row_without_time_or_place_is_refused_with_its_reason(tmp_path, bad, reason):
    account, frame = imported(tmp_path, log(tmp_path, row(1), bad))
    assert account.rows_refused == {reason: 1}
    assert frame.height == 1


def test_no_service_is_a_failed_record_of_the_files_operator(tmp_path):
    lost = row(5, tech="--", level="-200", operator="NO_COVERAGE\t")
    _, frame = imported(tmp_path, log(tmp_path, row(1), row(2), lost))
    got = frame.filter(pl.col("outcome_status") == "failed").to_dicts()
    assert len(got) == 1
    assert (got[0]["outcome_failure"], got[0]["outcome_operation"], got[0]["network_operator"]) == (
        "no_service", "attach", "Viettel",
    )  # fmt: skip
    assert got[0]["radio"] is None


def test_a_level_of_3g_is_no_rsrp(tmp_path):
    account, frame = imported(tmp_path, log(tmp_path, row(tech="3G", level="-79")))
    assert frame["radio_anchor_rsrp_dbm"][0] is None
    assert frame["network_technology"][0] == "umts"
    assert account.values_refused["rsrp_dbm: a level of 2G, 3G or no service is no RSRP"] == 1


def test_a_sinr_that_never_changes_is_no_sinr(tmp_path):
    rows = [row(i % 60, snr="0.0", level=str(-70 - i // 60)) for i in range(120)]
    account, frame = imported(tmp_path, log(tmp_path, *rows))
    assert frame["radio_anchor_sinr_db"].null_count() == frame.height
    assert any("the phone does not report it" in reason for reason in account.values_refused)


def test_the_same_log_twice_and_overlapping_exports_count_once(tmp_path):
    first = log(tmp_path, *(row(i) for i in range(10)))
    second = log(tmp_path, *(row(i) for i in range(5, 15)), name="second.txt")
    account, frame = imported(tmp_path, first, second)
    assert frame.height == 15
    assert account.rows_refused == {"the same line again": 5}
    account, frame = imported(tmp_path, first, second)
    assert frame.height == 15
    assert account.rows_refused["in the archive already"] == 15


def test_a_technology_of_a_newer_app_is_told_not_taken_for_no_service(tmp_path):
    account, frame = imported(tmp_path, log(tmp_path, row(tech="6G")))
    assert account.values_refused["technology: '6G' is no word of the app"] == 1
    assert frame["outcome_status"][0] == "complete"


def test_dakar(tmp_path):
    account, frame = imported(tmp_path, real("gnettrack_dakar/raw_logs"), time_zone="Africa/Dakar")
    assert account.rows_read_count == 8299 + 122
    assert account.rows_kept_count == frame.height == account.rows_read_count - sum(account.rows_refused.values())
    assert len(account.files_refused) == 6
    tests = frame.filter(
        pl.col("throughput_downlink_method").is_not_null() | pl.col("throughput_uplink_method").is_not_null()
    )
    by_operator = dict(tests.group_by("network_operator").len().rows())
    assert {name: by_operator[name] for name in ("Orange", "Yas")} == {"Orange": 40, "Yas": 41}
    assert set(frame["network_operator"].drop_nulls()) == {"Orange", "Yas", "Expresso"}
    medians = dict(tests.group_by("network_operator").agg(pl.col("throughput_downlink_goodput_bps").median()).rows())
    assert medians["Orange"] < 1000
    assert medians["Yas"] < 1000
    assert tests.filter(pl.col("outcome_failure") == "transfer_stalled").height > 60
    assert frame.filter(pl.col("outcome_failure") == "no_service").height == 253
    assert frame["started_at"].min() == datetime(2025, 7, 18, 22, 11, 8, tzinfo=UTC)


def test_cork_holds_no_sentinel_and_every_refusal_is_counted(tmp_path):
    path = real("ucc_5g/5G-production-dataset.zip")
    account, frame = imported(tmp_path, path, time_zone="Europe/Dublin", saturated="*Download/*")
    assert account.rows_read_count == account.rows_kept_count == frame.height == 188_711
    assert account.files_count == 83
    for field in ("rsrp_dbm", "rsrq_db", "sinr_db", "cell_id", "tac", "pci"):
        low, high = leg_range(field, Leg.ANCHOR)
        known = frame[f"radio_anchor_{field}"].drop_nulls()
        assert known.len() == 0 or (low <= known.min() and known.max() <= high)
    told = account.values_refused
    assert (
        told["rsrp_dbm: -200 is outside -144…-30"] + told["rsrp_dbm: a level of 2G, 3G or no service is no RSRP"]
        > 17_000
    )
    # Every +7 dB of RSRQ stands in a 3G row, where it is no RSRQ at all.
    assert told["rsrq_db: a quality of 2G, 3G or no service is no RSRQ"] == 13_626
    tests = frame["throughput_downlink_goodput_bps"].drop_nulls()
    assert tests.len() > 4000
    assert 1e6 < tests.median() < 1e9
    assert set(frame.columns) >= set(schema())


def test_imported_rows_keep_the_rules_of_the_record(tmp_path):
    from measurement.codec import decode_unchecked
    from tests.analysis.importers.rebuilt import body_of

    _, frame = imported(tmp_path, real("gnettrack_dakar/raw_logs/Yas_log.txt"), time_zone="Africa/Dakar")
    for got in frame.head(300).to_dicts():
        record = decode_unchecked(body_of(got))
        assert isinstance(record, Record)
        check(record)
