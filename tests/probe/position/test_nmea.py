"""NMEA sentences: positions, speeds, accuracies, and everything that is none."""

import os
import tty

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from probe.position.nmea import Nmea, NmeaPosition, checked, degrees
from tests.servers.gpsd import sentence


def test_gga_and_rmc_add_up():
    state = Nmea()
    state.take(sentence("GPRMC,092750.000,A,2051.9000,N,10641.0000,E,19.44,77.52,141112,,,A").encode())
    assert state.take(sentence("GPGGA,092750.000,2051.9000,N,10641.0000,E,1,8,1.03,61.7,M,55.2,M,,").encode())
    fix = state.fix
    assert fix is not None
    assert (round(fix.longitude_deg, 6), round(fix.latitude_deg, 6)) == (106.683333, 20.865)
    assert fix.speed_mps == pytest.approx(10.0, abs=0.01)
    assert (fix.satellites_count, fix.altitude_m, fix.accuracy_m) == (8, 61.7, pytest.approx(5.15))


def test_gst_gives_a_better_accuracy():
    state = Nmea()
    state.take(sentence("GNGST,092750.000,1.0,,,,3.0,4.0,6.0").encode())
    state.take(sentence("GNGGA,092750.000,2051.9000,N,10641.0000,E,1,8,9.9,61.7,M,55.2,M,,").encode())
    assert state.fix is not None
    assert state.fix.accuracy_m == 5.0


@pytest.mark.parametrize(
    "line",
    [
        b"$GPGGA,092750.000,2051.9000,N,10641.0000,E,1,8,1.03,61.7,M,55.2,M,,*00",  # wrong checksum
        sentence("GPGGA,092750.000,,,,,0,0,,,M,,M,,").encode(),  # no fix
        sentence("GPRMC,092750.000,V,2051.9000,N,10641.0000,E,,,141112,,,N").encode(),  # void
        sentence("GPGGA,092750.000,9951.9000,N,10641.0000,E,1,8,1.0,61.7,M,55.2,M,,").encode(),  # 99 degrees north
        b"\xff\xfe$GP", b"", b"$*",
    ],
)  # fmt: skip
def test_what_is_no_position_is_passed_over(line):
    state = Nmea()
    assert not state.take(line)
    assert state.fix is None


def test_south_and_west_are_negative():
    assert degrees("3351.000", "S") == -33.85
    assert degrees("15112.000", "W") == -151.2
    assert degrees("3360.000", "S") is None
    assert degrees("12", "N") is None


@settings(deadline=None)
@given(st.binary(max_size=120))
def test_no_bytes_raise(line):
    assert checked(line) is None or isinstance(checked(line), list)
    Nmea().take(line)


def test_a_serial_receiver_is_read_without_blocking():
    master, slave = os.openpty()
    tty.setraw(slave)
    clock = [100.0]
    source = NmeaPosition(os.ttyname(slave), monotonic=lambda: clock[0])
    try:
        assert source.fix() is None
        text = sentence("GPGGA,092750.000,2051.9000,N,10641.0000,E,1,8,1.03,61.7,M,55.2,M,,")
        os.write(master, text[:20].encode())
        assert source.fix() is None
        os.write(master, text[20:].encode())
        fix = source.fix()
        assert fix is not None
        assert fix.age_s == 0
        clock[0] += 30
        aged = source.fix()
        assert aged is not None
        assert aged.age_s == 30
        clock[0] += 100
        assert source.fix() is None
    finally:
        source.close()
        os.close(master)
        os.close(slave)
