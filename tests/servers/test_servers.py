"""Every server of the tests starts, answers, and goes away."""

import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest
from deltalake import CommitProperties, write_deltalake

from tests.servers import gpsd as gps
from tests.servers.alertmanager import Alertmanager
from tests.servers.chromium import Chromium
from tests.servers.found import found, located
from tests.servers.gpsd import Gpsd
from tests.servers.influxd import Influxd
from tests.servers.influxd1 import Influxd1
from tests.servers.iperf3 import Iperf3
from tests.servers.irtt import Irtt
from tests.servers.loopback import HOST, answers, free_port
from tests.servers.msak import MsakServer, msak_client
from tests.servers.ndt_server import NdtServer, ndt7_client
from tests.servers.process import Process, ServerError
from tests.servers.prometheus import FAST, Prometheus
from tests.servers.s3 import S3

POINT = "speed,area=Hải\\ Châu rtt_ms=12.5 1750000000000000000"


def test_influxd_gives_back_what_was_written(influxd: Influxd) -> None:
    bucket = influxd.new_bucket("one-test")
    influxd.write(POINT, bucket)
    rows = influxd.query(f'from(bucket: "{bucket}") |> range(start: 0)')
    assert [(row["area"], float(row["_value"])) for row in rows] == [("Hải Châu", 12.5)]


def test_influxd_that_was_killed_keeps_what_it_acknowledged(own_influxd: Influxd) -> None:
    own_influxd.write(POINT)
    own_influxd.kill()
    assert not answers(f"{own_influxd.url}/health")
    own_influxd.restart()
    assert len(own_influxd.query(f'from(bucket: "{own_influxd.bucket}") |> range(start: 0)')) == 1


def test_influxd1_gives_back_what_was_written(influxd1: Influxd1) -> None:
    influxd1.write(POINT)
    assert influxd1.query("SELECT rtt_ms FROM speed")[0]["values"] == [["2025-06-15T15:06:40Z", 12.5]]


def test_prometheus_takes_a_new_configuration(prometheus: Prometheus) -> None:
    assert prometheus.query("vector(1)") == [({}, 1.0)]
    prometheus.reload({**FAST, "global": {**FAST["global"], "external_labels": {"city": "danang"}}})
    assert "danang" in prometheus.get("status/config")["yaml"]


def test_promtool_refuses_a_bad_rule(promtool: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text('{"groups": [{"name": "a", "rules": [{"record": "b", "expr": "sum("}]}]}')
    assert subprocess.run([promtool, "check", "rules", rules], capture_output=True, check=False).returncode == 1


def test_alertmanager_holds_an_alert(alertmanager: Alertmanager) -> None:
    alertmanager.post({"labels": {"alertname": "Degraded"}})
    assert [alert["labels"] for alert in alertmanager.alerts()] == [{"alertname": "Degraded"}]


def test_amtool_refuses_a_bad_configuration(amtool: Path, tmp_path: Path) -> None:
    configuration = tmp_path / "alertmanager.yml"
    configuration.write_text('{"route": {"receiver": "missing"}}')
    assert subprocess.run([amtool, "check-config", configuration], capture_output=True, check=False).returncode == 1


def test_iperf3_counts_what_arrived(iperf3: Iperf3) -> None:
    # Timed: after `-n` bytes the server's count may come before its last read.
    end = iperf3.measure("-t", "1")["end"]
    assert 0 < end["sum_received"]["bytes"] <= end["sum_sent"]["bytes"]


def test_irtt_answers_every_packet(irtt: Irtt) -> None:
    stats = irtt.measure("-i", "10ms", "-d", "100ms")["stats"]
    assert stats["packets_received"] == stats["packets_sent"] > 0


def test_ndt_server_serves_the_official_client(ndt_server: NdtServer) -> None:
    events = ndt7_client(f"{ndt_server.host}:{ndt_server.port}", "-upload=false", "-timeout=2s")
    assert {event.get("Key") for event in events} >= {"starting", "connected", "measurement"}
    assert events[-1]["Download"]["Throughput"]["Value"] > 0


def test_msak_serves_the_official_client(msak_server: MsakServer) -> None:
    assert "download" in msak_client(f"{msak_server.host}:{msak_server.port}", "-streams=1", "-duration=500ms").lower()


def test_gpsd_reports_the_bridge(gpsd: Gpsd) -> None:
    fix = next(report for report in gpsd.reports("TPV", 20) if report["mode"] == 3)
    assert (fix["lon"], fix["lat"]) == (pytest.approx(108.2273), pytest.approx(16.0611))


def test_sentence_has_the_checksum_of_the_standard() -> None:
    assert gps.sentence("GPGLL,5300.97914,N,00259.98174,E,125926,A") == (
        "$GPGLL,5300.97914,N,00259.98174,E,125926,A*28\r\n"
    )


def test_s3_lets_one_of_two_writers_commit_a_version(s3: S3) -> None:
    table = s3.address("race")

    def commit(number: int) -> None:
        write_deltalake(
            table,
            pl.DataFrame({"number": [number]}),
            mode="append",
            storage_options=s3.storage_options,
            commit_properties=CommitProperties(max_commit_retries=100),
        )

    commit(0)
    with ThreadPoolExecutor(4) as writers:
        list(writers.map(commit, range(1, 12)))
    rows = pl.scan_delta(table, storage_options=s3.storage_options).collect()
    assert sorted(rows["number"]) == list(range(12))


def test_chromium_runs_scripts_and_takes_pictures(chromium: Chromium, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("<p id=p></p><script>p.textContent = 'Đà ' + 'Nẵng'</script>", encoding="utf-8")
    assert "Đà Nẵng" in chromium.dom(page.as_uri())
    assert chromium.screenshot(page.as_uri(), tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")


def test_server_that_ends_at_once_shows_what_it_printed(tmp_path: Path) -> None:
    process = Process(["/bin/sh", "-c", "echo no licence; exit 3"], log=tmp_path / "log", ready=lambda: False)
    with pytest.raises(ServerError, match="no licence"):
        process.start()


def test_server_that_does_not_listen_is_given_up(tmp_path: Path) -> None:
    process = Process(["/bin/sleep", "60"], log=tmp_path / "log", ready=lambda: False, start_s=0.1)
    with pytest.raises(ServerError, match="did not answer"):
        process.start()
    assert not process.running


def test_missing_server_is_a_skip_here_and_a_failure_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HAIDANG_REQUIRE_SERVERS", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"needs lighthouse: run \.ci/servers/install"):
        found("lighthouse")
    monkeypatch.setenv("HAIDANG_REQUIRE_SERVERS", "1")
    with pytest.raises(pytest.fail.Exception, match="needs lighthouse"):
        found("lighthouse")


def test_built_server_comes_before_the_systems(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = tmp_path / "bin" / "sh"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    monkeypatch.setenv("HAIDANG_SERVERS", str(tmp_path))
    assert located("sh") == program


def test_free_port_is_one_that_can_be_taken() -> None:
    with socket.create_server((HOST, free_port())):
        pass
