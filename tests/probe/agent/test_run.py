"""`haidang-probe run` as a process: watchdog, reload, metrics, a clean end; once; bad settings in one line."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from click.testing import CliRunner

from measurement.errors import ConfigError
from probe.cli import group
from probe.spool.spool import Spool
from tests.servers.loopback import free_port

BIN = Path(sys.executable).parent


@pytest.fixture(scope="module")
def peer():
    port = free_port()
    line = [BIN / "haidang-probe", "peer", "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            break
    yield f"http://127.0.0.1:{port}"
    process.terminate()
    process.wait()


def configured(folder: Path, peer: str, more: str = "") -> Path:
    path = folder / "probe.toml"
    path.write_text(
        f'peers = ["{peer}"]\nprobe_id = "probe-7"\ntoken_file = "{folder}/token"\n{more}\n'
        f'[spool]\npath = "{folder}/spool.sqlite"\n[schedule]\nmean_interval_s = 3600\nquiet_bps = 0\n'
    )
    return path


def test_the_agent_tells_the_service_manager_reloads_and_ends_cleanly(tmp_path, peer):
    metrics = free_port()
    config = configured(tmp_path, peer)
    config.write_text(config.read_text() + f"[metrics]\nport = {metrics}\n")
    with Spool(tmp_path / "spool.sqlite") as spool:
        spool.next_sequence()  # it has measured before, or it would test at once
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        manager.settimeout(40)
        environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "1000000"}
        process = subprocess.Popen([BIN / "haidang-probe", "run", "--config", config], stderr=subprocess.PIPE,
                                   text=True, env=environment)  # fmt: skip
        try:
            assert manager.recv(1000) == b"READY=1"
            began = time.monotonic()
            beats = [manager.recv(1000).decode() for _ in range(4)]
            assert all(beat.startswith("WATCHDOG=1\nSTATUS=next test in ") for beat in beats)
            assert time.monotonic() - began < 15, "a beat each half second, and room for a busy machine"
            with urllib.request.urlopen(f"http://127.0.0.1:{metrics}/metrics", timeout=5) as reply:
                assert b"haidang_probe_next_test_seconds" in reply.read()
            config.write_text(config.read_text().replace("3600", "7200"))
            process.send_signal(signal.SIGHUP)
            time.sleep(1.5)
            process.send_signal(signal.SIGTERM)
            told = process.communicate(timeout=40)[1]
        finally:
            process.kill()
            process.wait()
    assert process.returncode == 0, told
    assert "configuration read again" in told
    assert "one test in 2 h" in told
    assert "stopped; 0 records wait" in told


def test_once_prints_and_keeps_a_record(tmp_path, peer):
    config = configured(tmp_path, peer)
    line = [BIN / "haidang-probe", "run", "--once", "--json", "--config", config, "--test-bytes", "20000000"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert (record["probe_id"], record["mode"], record["sequence"]) == ("probe-7", "manual", 1)
    assert record["latency"]["idle"]["received_count"] > 10
    with Spool(tmp_path / "spool.sqlite") as spool:
        assert json.loads(spool.batch(1, 2**20)[0].body)["record_id"] == record["record_id"]
    shown = CliRunner().invoke(
        group, ["spool", "--spool", str(tmp_path / "spool.sqlite"), "--json"], catch_exceptions=False
    )
    assert json.loads(shown.output)["waiting_count"] == 1


def test_once_without_a_collector_that_answers_keeps_the_record_and_fails(tmp_path, peer):
    config = configured(tmp_path, peer, f'collector = "http://127.0.0.1:{free_port()}"')
    (tmp_path / "token").write_text("hd_x")
    (tmp_path / "token").chmod(0o600)
    line = [BIN / "haidang-probe", "run", "--once", "--config", config, "--test-bytes", "20000000"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=100)
    assert done.returncode == 1
    assert "1 records wait" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "peers: Invalid"),
        ('peers = "http://x"', r"peers: Expected `array`"),
        ("peers = [", "Invalid configuration"),
        ("surprise = 1", "unknown field `surprise`"),
        ("[schedule]\nmean_interval_s = 1", "schedule.mean_interval_s: Expected `float` >= 30"),
        ('[schedule]\nwindows = ["7-9"]\n', "Invalid window"),
        ('pin = "elsewhere"', "peers: Invalid peer 'elsewhere'. It is not in the list"),
        ('exclude = ["127.0.0.1"]', "peers: No peer is left"),
        ('roles = ["domestic"]', "peers: No peer is left"),
        ('roles = ["lunar"]', "roles[0]: Invalid enum value 'lunar'"),
        ('peers = ["http://a", {url = "http://a"}]', "peers: Invalid list of peers. http://a stands twice"),
        ('peers = ["nonsense://a"]', "peers: Invalid"),
        ("[budget]\ntest_bytes = 1000", "budget.test_bytes: Invalid 1000"),
        ('time_zone = "Mars"', "time_zone: Invalid time zone 'Mars'"),
        ('[radio]\nsource = "telepathy"', "radio.source: Invalid source 'telepathy'"),
        ('[position]\nsource = "fixed"', "position.longitude_deg: Invalid null"),
        ('[position]\nsource = "nmea"', "position.device: Invalid null"),
        ("[position]\nlatitude_deg = 91", "position.latitude_deg: Expected `float` <= 90"),
        ('collector = "ftp://x"', "Invalid collector 'ftp://x'"),
        ('token_file = "/nonexistent/token"\ncollector = "http://x"', "Invalid token file"),
    ],
)
def test_a_bad_configuration_is_one_line_that_names_the_key(tmp_path, content, message):
    path = tmp_path / "probe.toml"
    (tmp_path / "token").write_text("hd_x")
    (tmp_path / "token").chmod(0o600)
    head = "" if "peers" in content or not content else 'peers = ["http://127.0.0.1:9"]\n'
    head += "" if "token_file" in content else f'token_file = "{tmp_path}/token"\n'
    path.write_text(head + content)
    arguments = ["run", "--once", "--config", str(path), "--spool", str(tmp_path / "s.sqlite")]
    with pytest.raises(ConfigError) as caught:
        CliRunner().invoke(group, arguments, catch_exceptions=False)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_environment_overrides_the_file_and_flags_override_both(tmp_path):
    from probe.settings import load

    path = tmp_path / "probe.toml"
    path.write_text('campaign = "file"\n[budget]\nmonth_bytes = 5000000000\n[schedule]\nmean_interval_s = 600\n')
    environment = {"HAIDANG_PROBE_BUDGET__MONTH_BYTES": "7000000000", "HAIDANG_PROBE_CAMPAIGN": "environment",
                   "HAIDANG_PROBE_PEERS": "http://a,http://b"}  # fmt: skip
    settings = load(path, environment, {"campaign": "flag", "schedule": {"mean_interval_s": None}})
    assert settings.campaign == "flag"
    assert settings.budget.month_bytes == 7_000_000_000
    assert settings.schedule.mean_interval_s == 600
    assert settings.peers == ["http://a", "http://b"]


def test_peers_have_roles_one_may_be_pinned_and_some_excluded(tmp_path):
    from probe.settings import load

    path = tmp_path / "probe.toml"
    path.write_text(
        'peers = ["http://own", {url = "http://abroad", role = "international", site = "Singapore"}, "http://old"]\n'
        'exclude = ["old"]\nroles = ["international"]\n'
    )
    settings = load(path, {}, {})
    assert [candidate.url for candidate in settings.candidates()] == ["http://own", "http://abroad"]
    (abroad,) = settings.candidates(settings.roles[0])
    assert (abroad.url, abroad.site) == ("http://abroad", "Singapore")
    pinned = load(path, {"HAIDANG_PROBE_PIN": "abroad", "HAIDANG_PROBE_EXCLUDE": ""}, {})
    assert [candidate.url for candidate in pinned.candidates()] == ["http://abroad"]
