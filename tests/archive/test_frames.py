import pickle
from pathlib import Path

import msgspec
import polars as pl

from archive.frames import frame_from_bodies, frame_from_lines, schema
from archive.store import Archive
from measurement.codec import encode
from measurement.columns import COLUMNS
from measurement.record import BaseStationMatch, Hop
from measurement.record import Path as Way
from measurement.vocabulary import MatchedBy
from tests.archive.sample import records


def test_every_column_says_what_the_record_says() -> None:
    (record,) = records(1)
    whole = msgspec.structs.replace(
        record,
        received_at=record.started_at,
        areas={"squares": "a"},
        h3_cell="8a411cb68007fff",
        base_station=BaseStationMatch(id="HP-1", distance_m=10.5, matched_by=MatchedBy.IDENTITY),
        flags=["rsrp-strong"],
        path=Way(hops=[Hop(ttl=1, rtt_median_ms=0.5)], mtu_bytes=1500),
    )
    frame = frame_from_bodies([encode(whole)], ["squares", "others"])
    row = frame.row(0, named=True)
    assert list(frame.columns) == list(schema(["squares", "others"]))
    for column in COLUMNS:
        if not column.path:
            continue
        value: object = whole
        for name in column.path:
            value = getattr(value, name) if value is not None else None
        if column.name == "h3_cell":
            value = int(str(value), 16)
        if column.kind.value in ("radio", "hops"):
            value = msgspec.to_builtins([{n: getattr(s, n) for n in s.__struct_fields__} for s in value])  # type: ignore[attr-defined]
        assert row[column.name] == value, column.name
    assert (row["areas_squares"], row["areas_others"]) == ("a", None)
    assert row["radio_anchor_rsrp_dbm"] == record.radio[0].rsrp_dbm  # type: ignore[index]
    assert row["radio_nr_rsrp_dbm"] is None


def test_absent_groups_are_null_and_simulated_is_never_null() -> None:
    (record,) = records(1, position=None, radio=None, throughput=None, network=None, latency=None)
    row = frame_from_lines(encode(record), []).row(0, named=True)
    assert row["throughput_downlink_goodput_bps"] is None
    assert row["is_simulated"] is False
    assert row["radio"] is None


def test_no_lines_no_rows() -> None:
    assert frame_from_lines(b"", ["squares"]).height == 0


def test_a_frame_appended_is_read_back_by_its_civil_day(tmp_path: Path) -> None:
    with Archive(tmp_path, create=True) as archive:
        frame = frame_from_bodies([encode(r) for r in records(20)], [])
        late = frame.with_columns(
            pl.lit("2026-05-01T17:00:00Z").str.to_datetime(time_zone="UTC", time_unit="us").alias("started_at")
        )
        assert archive.append_frame(late) == 20
        snapshot = archive.snapshot()
        assert snapshot.days == ["2026-05-02"]  # midnight of Hải Phòng is 17:00 UTC
        assert snapshot.row_count == 20
        copy = pickle.loads(pickle.dumps(snapshot))
        assert copy.frame("2026-05-02").height == 20
        snapshot.close()
