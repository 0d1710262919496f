"""The serial path, for real: a pseudo-terminal modem for each firmware, detection, loss and return of the port."""

import os

import pytest

from measurement.errors import InstrumentError
from measurement.record import Network
from probe.radio.at.port import AtPort
from probe.radio.at.source import AtSource, detect, find_port
from tests.probe.radio.captures import told
from tests.probe.radio.modem import GENERIC, QUECTEL_BUGGY, QUECTEL_NSA, SIMCOM, Modem


@pytest.mark.parametrize(("answers", "name"), [(QUECTEL_NSA, "quectel"), (SIMCOM, "simcom"), (GENERIC, "generic")])
def test_the_maker_is_recognised(answers, name):
    with Modem(answers) as modem:
        port = AtPort(modem.device)
        assert detect(port).name == name
        port.close()


def test_a_quectel_in_nsa_gives_both_legs_and_the_network():
    with Modem(QUECTEL_NSA, echoes=True) as modem:
        source = AtSource(modem.device)
        anchor, nr = source.sample()
        assert told(anchor)["rsrp_dbm"] == -89
        assert (nr.leg, nr.pci, nr.arfcn, nr.band, nr.bandwidth_mhz) == ("nr", 832, 528030, 41, 60.0)
        assert (nr.rsrp_dbm, nr.rsrq_db, nr.sinr_db) == (-76, -11, 21)
        assert source.network() == Network(mcc="452", mnc="04", is_roaming=False, technology="nr_nsa")
        source.close()


def test_buggy_firmware_is_understood():
    with Modem(QUECTEL_BUGGY, echoes=True) as modem:
        source = AtSource(modem.device)
        samples = source.sample()
        assert [(s.leg.value, s.is_serving, s.sinr_db) for s in samples] == [
            ("anchor", True, 25.0), ("nr", True, 18.0), ("nr", False, None),
        ]  # fmt: skip
        assert source.network() == Network(mcc="452", mnc="01", technology="nr_nsa")
        source.close()


def test_a_simcom_gives_tenths_of_a_db():
    with Modem(SIMCOM) as modem:
        source = AtSource(modem.device)
        (sample,) = source.sample()
        assert (sample.rsrp_dbm, sample.rsrq_db, sample.rssi_dbm) == (-88.9, -10.8, -61.4)
        assert source.network() == Network(mcc="452", mnc="05", technology="lte")
        source.close()


def test_any_other_modem_gives_what_every_modem_gives():
    with Modem(GENERIC) as modem:
        source = AtSource(modem.device)
        (sample,) = source.sample()
        assert told(sample) == {"leg": "anchor", "cell_id": 0x3359966, "base_station_id": 0x33599, "tac": 0x4AA3,
                                "rsrp_dbm": -95, "rsrq_db": -10}  # fmt: skip
        assert source.network() == Network(mcc="452", mnc="02", is_roaming=True, technology="lte")
        source.close()


def test_a_port_that_is_silent_is_passed_by(tmp_path):
    with Modem({}, is_silent=True) as silent, Modem(QUECTEL_NSA) as modem:
        os.symlink(silent.device, tmp_path / "ttyUSB1")
        os.symlink(modem.device, tmp_path / "ttyUSB2")
        port = find_port(115_200, tmp_path)
        assert port.device == str(tmp_path / "ttyUSB2")
        port.close()
        with pytest.raises(InstrumentError, match="no AT modem on any serial port"):
            find_port(115_200, tmp_path / "empty")


def test_a_modem_that_is_unplugged_is_an_instrument_error_and_comes_back(tmp_path):
    link = tmp_path / "modem"
    with Modem(SIMCOM) as modem:
        os.symlink(modem.device, link)
        source = AtSource(str(link))
        assert source.sample()
        modem.unplug()
        with pytest.raises(InstrumentError, match="serial port"):
            source.sample()
    link.unlink()
    with pytest.raises(InstrumentError, match="No such file"):
        source.sample()
    with Modem(SIMCOM) as modem:
        os.symlink(modem.device, link)
        assert source.sample()
        source.close()
