"""Results of other programs: the captures, their units, and what is refused of them."""

import json

import polars as pl
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.cli import group
from analysis.importers.account import Account
from analysis.importers.formats import FORMATS, recognise
from analysis.importers.options import Options
from measurement.errors import HaidangError
from measurement.rules import check
from tests.analysis.importers.sources import imported, real

AT = "2026-01-01T12:00:00+07:00"


@pytest.mark.parametrize(
    ("name", "format_name", "downlink_mbps", "uplink_mbps", "more"),
    [
        ("ookla_cli_2024_excerpt.json", "ookla", 535.349856, 421.87288,
         {"latency_idle_rtt_mean_ms": 8.591, "latency_idle_ipdv_mean_ms": 0.485,
          "latency_downlink_rtt_median_ms": 22.417,
          "latency_uplink_rtt_median_ms": 100.854, "latency_idle_loss_ratio": 0, "network_operator": "Bahnhof AB",
          "throughput_downlink_duration_ms": 5408}),
        ("ookla_cli_2021_excerpt.json", "ookla", 78.702688, 14.67232, {"latency_idle_rtt_mean_ms": 7.961}),
        ("librespeed_cli_2021.json", "librespeed", 41.24, 20.16,
         {"latency_idle_rtt_mean_ms": 152, "network_asn": 10474, "throughput_downlink_bytes_count": 80420607}),
        ("murakami_speedtest_cli_single_stream_2020_excerpt.json", "speedtest-cli", 20.255092, 4.461812,
         {"latency_idle_rtt_mean_ms": None, "network_operator": "Port Networks", "server_site": "Baltimore, MD"}),
        ("cloudflare_speedtest_js_2024.json", "cloudflare", 0.986662, 1.345525,
         {"latency_idle_rtt_median_ms": 47.5825734990873, "latency_idle_loss_ratio": 0.281}),
        ("ndt7_client_summary_2020.json", "ndt7-client", 409.234579, 52.248951,
         {"throughput_downlink_rtt_min_ms": 25.352, "throughput_downlink_retransmit_ratio": 0.018086134159429401}),
        ("ndt7_client_summary_batch_2020.json", "ndt7-client", 364.096419, 50.750755 - 0.002,
         {"throughput_downlink_rtt_min_ms": 18.643}),
    ],
)  # fmt: skip
def test_a_capture_gives_the_right_rates(tmp_path, name, format_name, downlink_mbps, uplink_mbps, more):
    path = real(f"payload_samples/{name}")
    assert recognise(path.read_bytes()[:8192]).name == format_name
    account, frame = imported(tmp_path, path, at=AT, position=(106.68, 20.86))
    (got,) = frame.to_dicts()
    assert got["throughput_downlink_goodput_bps"] / 1e6 == pytest.approx(downlink_mbps, rel=1e-5)
    assert got["throughput_uplink_goodput_bps"] / 1e6 == pytest.approx(uplink_mbps, rel=1e-3)
    for column, value in more.items():
        assert got[column] == (None if value is None else pytest.approx(value))
    assert got["latency_idle_sent_count"] is None
    assert (got["position_longitude_deg"], got["position_source"]) == (106.68, "manual")
    assert account.rows_kept_count == 1
    assert "192.0.2" not in json.dumps(got, default=str)


def test_real_ndt7_results_give_the_rates_of_their_tcp_info(tmp_path):
    account, frame = imported(tmp_path, real("mlab_ndt/tgz"))
    assert account.rows_kept_count == frame.height == 114
    down = frame["throughput_downlink_goodput_bps"].drop_nulls() / 1e6
    up = frame["throughput_uplink_goodput_bps"].drop_nulls() / 1e6
    assert (down.len(), up.len()) == (57, 57)
    assert down.median() == pytest.approx(32.9, abs=0.1)
    assert down.max() == pytest.approx(128.6, abs=0.1)
    assert frame["throughput_downlink_rtt_min_ms"].drop_nulls().min() > 0.5


def test_a_tgz_and_the_files_in_it_count_once(tmp_path):
    account, frame = imported(tmp_path, real("mlab_ndt"))
    assert frame.height == 115
    assert account.rows_refused["the same result again"] == 118
    assert sum("NDT5" in reason for reason in account.files_refused.values()) == 5
    assert sum("annotation" in reason for reason in account.files_refused.values()) == 3


def result_of(**parts):
    start = {"timestamp": {"timesecs": 1_780_000_000}, "cookie": "abc", "connecting_to": {"host": "peer.test"},
             "test_start": {"protocol": "TCP", "num_streams": 4, "reverse": 1}}  # fmt: skip
    return {"start": start | parts.pop("start", {}), "intervals": [], **parts}


@pytest.mark.parametrize(
    ("result", "column", "value"),
    [
        (result_of(end={"sum_received": {"bits_per_second": 94e6, "bytes": 117_500_000, "seconds": 10}}),
         "throughput_downlink_goodput_bps", 94e6),
        (result_of(start={"test_start": {"protocol": "TCP", "num_streams": 1, "reverse": 0}},
                end={"sum_received": {"bits_per_second": 20e6}}), "throughput_uplink_goodput_bps", 20e6),
        # Of UDP the sum is what was sent: a quarter was lost.
        (result_of(start={"test_start": {"protocol": "UDP", "num_streams": 1, "reverse": 0}},
                end={"sum": {"bits_per_second": 100e6, "lost_percent": 25}}), "throughput_uplink_goodput_bps", 75e6),
        (result_of(end={}, error="unable to connect to server: Connection refused"), "outcome_failure",
         "connection_refused"),
        (result_of(end={}, error="the server is busy running a test. try again later"), "outcome_failure",
         "server_busy"),
    ],
)  # fmt: skip
def test_iperf3(tmp_path, result, column, value):
    path = tmp_path / "iperf3.json"
    path.write_text(json.dumps(result))
    _, frame = imported(tmp_path, path)
    assert frame[column][0] == value
    assert frame["server_host"][0] == "peer.test"


@pytest.mark.server("iperf3")
def test_a_real_iperf3_is_understood(tmp_path, iperf3):
    path = tmp_path / "real.json"
    path.write_text(json.dumps(iperf3.measure("-t", "1", "-R")))
    _, frame = imported(tmp_path, path)
    assert frame["throughput_downlink_goodput_bps"][0] > 1e6
    assert frame["throughput_downlink_bytes_count"][0] > 1e5
    assert frame["throughput_downlink_duration_ms"][0] == pytest.approx(1000, rel=0.3)


def test_many_results_one_a_line(tmp_path):
    path = tmp_path / "results.jsonl"
    rows = [{"type": "result", "timestamp": f"2026-05-01T00:00:0{i}Z", "ping": {"latency": 9},
             "download": {"bandwidth": 1_000_000 * (i + 1)}, "upload": {"bandwidth": 5}} for i in range(5)]  # fmt: skip
    path.write_text("\n".join(json.dumps(one) for one in rows))
    account, frame = imported(tmp_path, path)
    assert frame["throughput_downlink_goodput_bps"].sort().to_list() == [8e6, 16e6, 24e6, 32e6, 40e6]
    assert account.rows_read_count == 5


def test_a_result_without_a_time_is_refused_unless_one_is_given(tmp_path):
    path = real("payload_samples/cloudflare_speedtest_js_2024.json")
    account, _ = imported(tmp_path, path)
    assert account.rows_refused == {"no time in the result; --at gives one": 1}


def test_values_out_of_range_are_left_out_and_counted(tmp_path):
    path = tmp_path / "one.json"
    result = {"type": "result", "timestamp": "2026-05-01T00:00:00Z", "ping": {"latency": -3, "jitter": 1}}
    path.write_text(json.dumps({**result, "download": {"bandwidth": 1e15}, "upload": {"bandwidth": 7}}))
    account, frame = imported(tmp_path, path)
    assert frame["throughput_downlink_goodput_bps"][0] is None
    assert frame["throughput_uplink_goodput_bps"][0] == 56
    assert sum(account.values_refused.values()) == 2


DOCUMENTS = [row for row in FORMATS if row.document is not None]
WORDS = """timestamp ping
latency download upload bandwidth server client start end sum_received bits_per_second Download
isp ServerMeasurements TCPInfo
BytesAcked ElapsedTime StartTime Value Unit error test_start iqm timesecs streams d org"""
KEYS = st.sampled_from(WORDS.replace("\n", " ").split(" "))
NUMBERS = st.integers(-(2**40), 2**40) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=5),
    max_leaves=20,
)


@pytest.mark.parametrize("row", DOCUMENTS, ids=lambda row: row.name)
@settings(deadline=None)
@given(JSON)
def test_any_json_gives_valid_records_or_a_reason(row, raw):
    account = Account()
    options = Options("Asia/Ho_Chi_Minh", at=AT)
    for record in row.document("any.json", json.dumps(raw).encode(), options, account):
        check(record)


def test_our_own_columns_come_back(tmp_path):
    path = tmp_path / "own.csv"
    path.write_text(
        "record_id,started_at,position_longitude_deg,position_latitude_deg,network_technology,radio_anchor_rsrp_dbm,"
        "throughput_downlink_goodput_bps,outcome_status,weather,is_simulated\n"
        "01981f99-4c48-7b58-95f5-5184ac5d165d,2026-07-01T00:00:00Z,106.68,20.86,lte,-90,5e7,complete,rain,false\n"
        ",2026-07-01T00:00:01Z,106.68,20.86,5G,-200,-1,lost,sun,true\n"
    )
    account, frame = imported(tmp_path, path)
    first, second = frame.sort("started_at").to_dicts()
    assert first["record_id"] == "01981f99-4c48-7b58-95f5-5184ac5d165d"
    assert (first["throughput_downlink_goodput_bps"], first["radio_anchor_rsrp_dbm"]) == (5e7, -90)
    assert (second["radio_anchor_rsrp_dbm"], second["throughput_downlink_goodput_bps"]) == (None, None)
    assert (first["is_simulated"], second["is_simulated"]) == (False, True)
    assert account.values_refused["weather: no column that is imported"] == 2
    assert account.values_refused["network_technology: '5G' is no word of the record"] == 1
    assert account.values_refused["outcome_status: 'lost' is no word of the record"] == 1


def test_opencellid_measurements(tmp_path):
    account, frame = imported(tmp_path, real("walksignal_opencellid"))
    assert account.rows_read_count == 2621
    assert frame.height == 2620
    assert frame["radio_anchor_cell_id"].n_unique() >= 95
    assert frame["network_mcc"].unique().to_list() == ["302"]
    assert frame["position_accuracy_m"].is_between(0, 1e6).all()
    assert frame["radio_anchor_rsrp_dbm"].drop_nulls().is_between(-144, -30).all()


def test_a_spreadsheet_named_csv_is_recognised_and_said(tmp_path):
    path = tmp_path / "signals.csv"
    path.write_bytes(real("uav_suburban/cellular_ch_rsrp_rsrq.xlsx").read_bytes())
    account, _ = imported(tmp_path, path)
    assert account.files_refused == {str(path): "a spreadsheet, whatever its name says; save it as CSV first"}
    with pytest.raises(HaidangError, match="nothing was imported"):
        CliRunner().invoke(group, ["import", "--archive", str(tmp_path / "a"), str(path)], catch_exceptions=False)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"\x00\x01\x02", "none of the known formats"),
        (b'{"type":"result","ping":{},"download":{"bandwidth":1', "broken JSON"),
        (b"GSM,302,720,8100,47553,0,-122.85,49.23,8702,27,1,1343330328,1779235202,0\n", "a table of cells"),
    ],
)
def test_a_file_of_which_nothing_can_be_used_is_named_with_its_reason(tmp_path, content, reason):
    path = tmp_path / "file.dat"
    path.write_bytes(content)
    account, _ = imported(tmp_path, path)
    assert reason in account.files_refused[str(path)]


def test_a_bomb_is_refused(tmp_path):
    import gzip

    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress(b"started_at,position_longitude_deg,position_latitude_deg\n" + b"0" * 50_000_000))
    account, _ = imported(tmp_path, path)
    assert "two hundred times its size" in account.files_refused[str(path)]


def test_large_tables_are_read_in_pieces(tmp_path, monkeypatch):
    from analysis.importers import files, run

    for module in (files, run):
        monkeypatch.setattr(module, "PART_BYTES", 4096)
    monkeypatch.setattr(files.parts, "__defaults__", (4096,))
    path = tmp_path / "large.csv"
    rows = [f"2026-07-01T{i // 3600:02d}:{i // 60 % 60:02d}:{i % 60:02d}Z,106.{i:06d},20.86" for i in range(3000)]
    path.write_text("started_at,position_longitude_deg,position_latitude_deg\n" + "\n".join(rows) + "\n")
    seen = []
    from analysis.importers.run import Import
    from archive.store import Archive

    with Archive(tmp_path / "archive", create=True) as archive:
        account = Import(archive, Options("UTC"), listener=seen.append).run([path])
        snapshot = archive.snapshot()
        count = sum(snapshot.frame(day, ["record_id"])["record_id"].n_unique() for day in snapshot.days)
    assert account.rows_kept_count == count == 3000
    assert len(seen) > 10
    assert [p.rows_count for p in seen] == sorted(p.rows_count for p in seen)


def test_the_command_prints_its_account(tmp_path):
    path = real("payload_samples/ookla_cli_2024_excerpt.json")
    archive = str(tmp_path / "a")
    done = CliRunner().invoke(group, ["import", "--archive", archive, str(path), "--json"], catch_exceptions=False)
    told = json.loads(done.output)
    assert (told["rows_kept_count"], told["format"]) == (1, "ookla")
    assert isinstance(pl.DataFrame(), pl.DataFrame)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--time-zone", "Mars/Olympus"], "--time-zone"),
        (["--at", "yesterday"], "--at"),
        (["--position", "20.86", "106.68"], "--position"),
    ],
)
def test_a_bad_option_is_named(tmp_path, arguments, message):
    path = tmp_path / "x.json"
    path.write_text("{}")
    with pytest.raises(HaidangError, match=message):
        CliRunner().invoke(
            group, ["import", "--archive", str(tmp_path / "a"), str(path), *arguments], catch_exceptions=False
        )
