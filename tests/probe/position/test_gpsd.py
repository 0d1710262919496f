"""gpsd: a real one fed by recorded receivers, and its recorded reports of fifteen receivers."""

import json
import time
from pathlib import Path

import pytest

from measurement.errors import InstrumentError
from probe.position.gpsd import GpsdPosition, Tpv
from tests.servers.gpsd import running
from tests.servers.loopback import free_port

LOGS = Path(__file__).parents[3] / ".." / "shared" / "data" / "gpsd_tpv"


def recorded() -> list[str]:
    return sorted(path.name for path in LOGS.glob("*.chk")) or ["absent"]


def reports(name: str) -> list[bytes]:
    path = LOGS / name
    if not path.is_file():
        pytest.skip("the recordings are not in ../shared/data/gpsd_tpv")
    return path.read_bytes().splitlines()


@pytest.mark.parametrize("name", recorded())
def test_recorded_reports_give_a_position_where_gpsd_has_one(name):
    state, positions = Tpv(), 0
    for line in reports(name):
        try:
            report = json.loads(line)
        except ValueError:
            report = {}
        has_fix = report.get("class") == "TPV" and report.get("mode", 0) >= 2 and "lat" in report and "lon" in report
        assert state.take(line) == has_fix
        if has_fix:
            positions += 1
            assert state.fix is not None
            assert (state.fix.longitude_deg, state.fix.latitude_deg) == (report["lon"], report["lat"])
            assert state.fix.speed_mps == report.get("speed")
            if report["mode"] == 2:
                assert state.fix.altitude_m is None
        elif report.get("class") == "TPV":
            assert not state.has_fix_now
    modes = [json.loads(line).get("mode", 0) for line in reports(name) if line.startswith(b'{"class":"TPV"')]
    assert positions == sum(mode >= 2 for mode in modes)


def nmea_seconds(name: str) -> list[str]:
    """Return the sentences of a recording, one text for each second of its receiver."""
    path = LOGS / name
    if not path.is_file():
        pytest.skip("the recordings are not in ../shared/data/gpsd_tpv")
    seconds: list[str] = []
    for line in path.read_text(errors="replace").splitlines():
        if line.startswith("$"):
            if not seconds or "GGA" in line[:7]:
                seconds.append("")
            seconds[-1] += line + "\r\n"
    return seconds


def waited_fix(source, seconds: float = 15):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        fix = source.fix()
        if fix is not None:
            return fix
        time.sleep(0.05)
    raise AssertionError("gpsd gave no fix in time")


@pytest.mark.server("gpsd")
@pytest.mark.parametrize("name", ["quectel.log", "ublox-neo-m9n-nmea.log"])
def test_a_real_gpsd_fed_by_a_recording(tmp_path, name):
    expected = [json.loads(line) for line in reports(name + ".chk") if line.startswith(b'{"class":"TPV"')]
    places = {(round(r["lon"], 3), round(r["lat"], 3)) for r in expected if "lon" in r and r.get("mode", 0) >= 2}
    with running(tmp_path, nmea_seconds(name)) as server:
        source = GpsdPosition(server.host, server.port)
        fix = waited_fix(source)
        assert (round(fix.longitude_deg, 3), round(fix.latitude_deg, 3)) in places
        assert fix.age_s is not None
        assert fix.age_s < 5
        source.close()


@pytest.mark.server("gpsd")
def test_a_gpsd_that_ends_is_an_instrument_error_and_may_come_back(tmp_path):
    with running(tmp_path) as server:
        source = GpsdPosition(server.host, server.port)
        assert waited_fix(source).speed_mps is not None
    with pytest.raises(InstrumentError, match="gpsd at"):
        for _ in range(100):
            source.fix()
            time.sleep(0.05)
    source.close()


def test_no_gpsd_is_an_instrument_error():
    with pytest.raises(InstrumentError, match="gpsd at"):
        GpsdPosition("127.0.0.1", free_port()).fix()
