"""The ModemManager path through a program named mmcli, and the source that takes whatever modem there is."""

import os

import pytest

from measurement.errors import InstrumentError
from measurement.record import Network
from probe.radio.at.source import AtSource
from probe.radio.auto import LOOK_AGAIN_S, AutoSource
from probe.radio.modemmanager import ModemManagerSource
from tests.probe.radio.modem import SIMCOM, Modem

# A stand-in for the program, not for our code: it prints what `mmcli` of ModemManager 1.20 prints.
MMCLI = r"""#!/bin/sh
echo "$*" >> "$MMCLI_LOG"
case "$*" in
    *--signal-setup*) [ -n "$MMCLI_DENIES" ] && { echo "error: couldn't setup: Unauthorized" >&2; exit 1; }; exit 0 ;;
    *--signal-get*) echo '{"modem":{"signal":{"5g":{"rsrp":"-98.00","rsrq":"-11.00","snr":"7.50"},
        "lte":{"rsrp":"-91.50","rsrq":"-9.00","rssi":"-60.00","snr":"12.00"}}}}' ;;
    *--get-cell-info*) [ -n "$MMCLI_OLD" ] && { echo "error: unknown option" >&2; exit 1; }
        echo '{"modem":{"cell-info":["cell type: lte, serving: yes, operator id: 45204, tac: 11D1, ci: 19E4A2B,
        physical ci: 20, earfcn: 500, rsrp: -92.000000, rsrq: -10.000000"]}}' | tr -d '\n' ;;
    *) [ -n "$MMCLI_NO_MODEM" ] && { echo "error: couldn't find modem" >&2; exit 1; }
        echo '{"modem":{"3gpp":{"operator-code":"45204","operator-name":"Viettel","registration-state":"home"},
        "generic":{"access-technologies":["lte","5gnr"]}}}' ;;
esac
"""


@pytest.fixture
def mmcli(tmp_path, monkeypatch):
    program = tmp_path / "mmcli"
    program.write_text(MMCLI)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("MMCLI_LOG", str(tmp_path / "log"))
    return monkeypatch


def test_cells_and_signal_are_joined(mmcli):
    source = ModemManagerSource()
    anchor, nr = source.sample()
    assert (anchor.cell_id, anchor.tac, anchor.pci, anchor.arfcn) == (0x19E4A2B, 0x11D1, 20, 500)
    assert (anchor.rsrp_dbm, anchor.sinr_db, anchor.rssi_dbm) == (-91.5, 12, -60)
    assert (nr.leg, nr.rsrp_dbm, nr.sinr_db) == ("nr", -98, 7.5)
    assert source.network() == Network(operator="Viettel", mcc="452", mnc="04", is_roaming=False, technology="nr_nsa")


def test_an_old_modemmanager_gives_the_signal_alone(mmcli):
    mmcli.setenv("MMCLI_OLD", "1")
    assert [sample.rsrp_dbm for sample in ModemManagerSource().sample()] == [-91.5, -98]


def test_without_the_right_to_set_up_it_goes_on_and_says_so_once(mmcli, caplog):
    mmcli.setenv("MMCLI_DENIES", "1")
    source = ModemManagerSource()
    assert source.sample()
    assert source.sample()
    assert caplog.text.count("signal values may be old") == 1


def test_a_modem_that_is_missing_is_an_instrument_error_and_may_come_later(mmcli):
    mmcli.setenv("MMCLI_NO_MODEM", "1")
    source = ModemManagerSource()
    with pytest.raises(InstrumentError, match="couldn't find modem"):
        source.sample()
    mmcli.delenv("MMCLI_NO_MODEM")
    assert source.sample()


def test_auto_takes_the_first_that_answers_and_looks_again_when_it_is_gone(mmcli):
    mmcli.setenv("MMCLI_NO_MODEM", "1")
    clock = [0.0]
    with Modem(SIMCOM) as modem:
        serial = AtSource(modem.device)
        source = AutoSource([ModemManagerSource(), serial], monotonic=lambda: clock[0])
        assert [sample.rsrp_dbm for sample in source.sample()] == [-88.9]
        assert source.network().mnc == "05"
        modem.unplug()
        with pytest.raises(InstrumentError):
            source.sample()
    assert source.sample() == [], "it does not look again at once"
    clock[0] += LOOK_AGAIN_S
    with pytest.raises(InstrumentError, match="couldn't find modem; serial port"):
        source.sample()
    mmcli.delenv("MMCLI_NO_MODEM")
    clock[0] += LOOK_AGAIN_S
    assert len(source.sample()) == 2
    source.close()
