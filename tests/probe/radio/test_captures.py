"""Every capture of a real modem parses to the right values, units and absences."""

import pytest

from measurement.record import Network, RadioSample
from measurement.rules import leg_findings
from probe.radio import android, mikrotik, modemmanager, qmicli
from probe.radio.at import generic, quectel, simcom
from tests.probe.radio.captures import capture, told

ANCHOR, NR = "anchor", "nr"

GOLDEN = [
    (
        quectel.parse,
        "at_qeng_nr5g_sa_tdd_dito_n78.txt",
        Network(mcc="515", mnc="66", technology="nr_sa"),
        [
            {"leg": NR, "cell_id": 0x100072000, "base_station_id": 0x100072000 >> 12, "pci": 538, "tac": 0x114000,
             "arfcn": 620640, "band": 78, "bandwidth_mhz": 100.0, "rsrp_dbm": -109, "rsrq_db": -12, "sinr_db": 14},
        ],
    ),
    (
        quectel.parse,
        "at_qeng_nr5g_sa_fdd_tmobile_n71.txt",
        Network(mcc="310", mnc="260", technology="nr_sa"),
        [
            {"leg": NR, "cell_id": 0x939204254, "base_station_id": 0x939204, "pci": 24, "tac": 0x60AA00,
             "arfcn": 126490, "band": 71, "bandwidth_mhz": 10.0, "rsrp_dbm": -104, "rsrq_db": -13, "sinr_db": 11},
            {"leg": NR, "is_serving": False, "pci": 625, "arfcn": 520110, "band": 41, "bandwidth_mhz": 100.0},
        ],
    ),
    (
        quectel.parse,
        "at_qeng_endc_nsa_lte_plus_nr_b1_n41.txt",
        Network(mcc="515", mnc="03", technology="nr_nsa"),
        [
            {"leg": ANCHOR, "cell_id": 0x3359966, "base_station_id": 0x3359966 >> 8, "pci": 1, "tac": 0x4AA3,
             "arfcn": 150, "band": 1, "bandwidth_mhz": 20.0, "rsrp_dbm": -89, "rsrq_db": -13, "rssi_dbm": -58,
             "sinr_db": 16, "cqi": 15},
            {"leg": NR, "pci": 832, "arfcn": 528030, "band": 41, "bandwidth_mhz": 60.0, "rsrp_dbm": -76,
             "rsrq_db": -11, "sinr_db": 21},
        ],
    ),
    (
        quectel.parse,
        "mmcli_command_qeng_nsa_and_qmicli_signal_info.txt",
        Network(mcc="001", mnc="01", technology="nr_nsa"),
        [
            {"leg": ANCHOR, "cell_id": 0x1A2D001, "base_station_id": 0x1A2D0, "pci": 1, "tac": 1, "arfcn": 1575,
             "band": 3, "bandwidth_mhz": 10.0, "rsrp_dbm": -70, "rsrq_db": -9, "rssi_dbm": -46, "sinr_db": 25},
            {"leg": NR, "pci": 500, "rsrp_dbm": -75, "rsrq_db": -11, "sinr_db": 18.0},  # 180 in tenths
        ],
    ),
    (
        qmicli.parse,
        "mmcli_command_qeng_nsa_and_qmicli_signal_info.txt",
        Network(technology="nr_nsa"),
        [
            {"leg": ANCHOR, "rsrp_dbm": -70, "rsrq_db": -5, "sinr_db": 30.0, "rssi_dbm": -47},
            {"leg": NR, "rsrp_dbm": -75, "rsrq_db": -11, "sinr_db": 18.5},
        ],
    ),
    (
        quectel.parse,
        "at_qcainfo_lte_4cc_rm551e.txt",
        Network(technology="lte"),
        [
            {"leg": ANCHOR, "pci": 52, "arfcn": 2850, "band": 7, "bandwidth_mhz": 20.0, "rsrp_dbm": -103,
             "rsrq_db": -12, "rssi_dbm": -70, "sinr_db": 7},
            {"leg": ANCHOR, "is_serving": False, "pci": 167, "arfcn": 326, "band": 1, "bandwidth_mhz": 5.0,
             "rsrp_dbm": -87, "rsrq_db": -9, "rssi_dbm": -69, "sinr_db": 0},
            {"leg": ANCHOR, "is_serving": False, "pci": 49, "arfcn": 1300, "band": 3, "bandwidth_mhz": 20.0,
             "rsrp_dbm": -85, "rsrq_db": -8, "rssi_dbm": -67, "sinr_db": 0},
            {"leg": ANCHOR, "is_serving": False, "pci": 455, "arfcn": 3526, "band": 8, "bandwidth_mhz": 5.0,
             "rsrp_dbm": -73, "rsrq_db": -9, "rssi_dbm": -54, "sinr_db": 0},
        ],
    ),
    (
        # Two replies on one line; RSRP -11 is no level of any cell and stays absent; SNR 2549 is 25.49 dB.
        quectel.parse,
        "at_qcainfo_missing_newline_fw_bug_rm551e.txt",
        Network(technology="nr_sa"),
        [
            {"leg": NR, "pci": 153, "arfcn": 501390, "band": 41, "bandwidth_mhz": 100.0,
             "rsrq_db": -11, "sinr_db": 25.49},
            {"leg": NR, "is_serving": False, "pci": 93, "arfcn": 126270, "band": 71, "bandwidth_mhz": 15.0},
            {"leg": NR, "is_serving": False, "pci": 153, "arfcn": 521310, "band": 41, "bandwidth_mhz": 90.0,
             "rsrq_db": -11, "sinr_db": 25.49},
        ],
    ),
    (quectel.parse, "at_qrsrp_nr5g.txt", None, [{"leg": NR, "rsrp_dbm": -75}]),
    (
        simcom.parse,
        "simcom_sim7906_cpsi_cmgrmi_lte.txt",
        Network(mcc="250", mnc="02", technology="lte"),
        [
            {"leg": ANCHOR, "cell_id": 22060, "base_station_id": 86, "pci": 58, "tac": 0x0EF8, "arfcn": 1725, "band": 3,
             "bandwidth_mhz": 10.0, "rsrp_dbm": -88.9, "rsrq_db": -10.8, "rssi_dbm": -61.4, "sinr_db": 19},
        ],
    ),
    (
        generic.parse,
        "at_c5greg.txt",
        Network(is_roaming=False, technology="nr_sa"),
        [{"leg": NR, "cell_id": 0x939204254, "base_station_id": 0x939204, "tac": 0x60AA00}],
    ),
    (
        modemmanager.cells_of,
        "mmcli_get_cell_info_em9191.txt",
        Network(mcc="202", mnc="01", technology="lte"),
        [
            {"leg": ANCHOR, "is_serving": False, "pci": 20, "rsrp_dbm": -104, "rsrq_db": -10},
            {"leg": ANCHOR, "cell_id": 0x19E4A2B, "base_station_id": 0x19E4A2B >> 8, "pci": 20, "tac": 0x11D1,
             "arfcn": 500, "rsrp_dbm": -104, "rsrq_db": -10},
        ],
    ),
    (
        mikrotik.parse,
        "mikrotik_lte_monitor_5g_nsa.txt",
        Network(operator="A1", technology="nr_nsa"),
        [
            {"leg": ANCHOR, "cell_id": 105735, "base_station_id": 413, "pci": 205, "arfcn": 6250, "band": 20,
             "bandwidth_mhz": 20.0, "rsrp_dbm": -83, "rsrq_db": -14, "sinr_db": -2, "rssi_dbm": -48, "cqi": 5},
            {"leg": NR, "pci": 472, "arfcn": 636000, "band": 78, "bandwidth_mhz": 100.0, "rsrp_dbm": -90,
             "rsrq_db": -10, "sinr_db": 14},
            {"leg": NR, "is_serving": False, "pci": 472, "arfcn": 631296, "band": 78, "bandwidth_mhz": 40.0},
        ],
    ),
    (
        android.parse,
        "android_ril_cellinfo_lte_2015.txt",
        Network(mcc="242", mnc="01", technology="lte"),
        [
            {"leg": ANCHOR, "pci": 376, "rsrp_dbm": -94, "rsrq_db": -8},
            {"leg": ANCHOR, "is_serving": False, "pci": 375, "rsrp_dbm": -99, "rsrq_db": -13},
            {"leg": ANCHOR, "is_serving": False, "pci": 82, "rsrp_dbm": -102, "rsrq_db": -12},
            {"leg": ANCHOR, "is_serving": False, "pci": 338, "rsrp_dbm": -117, "rsrq_db": -20},
        ],
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("parse", "name", "network", "samples"), GOLDEN, ids=[f"{g[0].__module__}-{g[1]}" for g in GOLDEN]
)
def test_a_capture_parses_to_the_right_values(parse, name, network, samples):
    reading = parse(capture(name))
    assert [told(sample) for sample in reading.samples] == samples
    assert reading.network == network
    assert all(isinstance(s, RadioSample) and not list(leg_findings(s, "$")) for s in reading.samples)


def test_sinr_in_tenths_stays_in_tenths_once_it_was_seen():
    scale = quectel.SinrScale()
    first = quectel.parse('+QENG:"NR5G-NSA",452,04,500,-75,180,-11', scale)
    later = quectel.parse('+QENG:"NR5G-NSA",452,04,500,-75,35,-11', scale)
    assert (first.samples[0].sinr_db, later.samples[0].sinr_db) == (18.0, 3.5)


def test_the_other_order_of_nsa_fields_is_told_by_the_frequency():
    reading = quectel.parse('+QENG:"NR5G-NSA",452,04,500,528030,41,-75,-11,18')
    assert told(reading.samples[0]) == {
        "leg": NR, "pci": 500, "arfcn": 528030, "band": 41, "rsrp_dbm": -75, "rsrq_db": -11, "sinr_db": 18,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("line", "levels"),
    [
        ("+CESQ: 99,99,255,255,20,46", {ANCHOR: {"rsrp_dbm": -95, "rsrq_db": -10}}),
        ("+CESQ: 99,99,255,255,255,255", {}),
        ("+CESQ: 99,99,255,255,255,255,65,57,75", {NR: {"rsrp_dbm": -100, "rsrq_db": -11, "sinr_db": 14}}),
    ],
)
def test_cesq_indices_become_dbm(line, levels):
    found = generic.parse(line).samples
    assert {s.leg: {n: v for n, v in told(s).items() if n != "leg"} for s in found} == levels


def test_operator_and_registration_give_plmn_roaming_and_technology():
    text = '+COPS: 0,2,"45204",13\r\n\r\nOK\r\n+CEREG: 2,5,"4AA3","3359966",7\r\n\r\nOK'
    reading = generic.parse(text)
    assert reading.network == Network(mcc="452", mnc="04", is_roaming=True, technology="lte")
    assert told(reading.samples[0]) == {"leg": ANCHOR, "cell_id": 0x3359966, "base_station_id": 0x33599, "tac": 0x4AA3}


def test_modemmanager_json_keeps_leading_zeros_and_both_legs():
    modem = """{"modem":{"3gpp":{"operator-code":"45202","operator-name":"VINAPHONE","registration-state":"roaming"},
      "generic":{"access-technologies":["lte","5gnr"]}}}"""
    assert modemmanager.network_of(modem) == Network(
        operator="VINAPHONE", mcc="452", mnc="02", is_roaming=True, technology="nr_nsa"
    )
    signal = """{"modem":{"signal":{"5g":{"rsrp":"-98.00","rsrq":"-11.00","snr":"7.50"},
      "lte":{"rsrp":"-91.00","rsrq":"-9.00","rssi":"-60.00","snr":"--"}}}}"""
    assert [told(s) for s in modemmanager.signal_of(signal)] == [
        {"leg": ANCHOR, "rsrp_dbm": -91, "rsrq_db": -9, "rssi_dbm": -60},
        {"leg": NR, "rsrp_dbm": -98, "rsrq_db": -11, "sinr_db": 7.5},
    ]


def test_termux_json_gets_its_leading_zero_back():
    text = """[{"type":"lte","registered":true,"asu":46,"dbm":-94,"level":3,"timing_advance":2147483647,
      "ci":53844326,"pci":1,"tac":19107,"mcc":452,"mnc":4,"rsrp":-94,"rsrq":-8,"rssi":-63}]"""
    reading = android.parse_termux(text)
    assert reading.network == Network(mcc="452", mnc="04", technology="lte")
    assert told(reading.samples[0]) == {
        "leg": ANCHOR, "cell_id": 53844326, "base_station_id": 210329, "pci": 1, "tac": 19107, "rsrp_dbm": -94,
        "rsrq_db": -8, "rssi_dbm": -63,
    }  # fmt: skip


def test_dumpsys_text_keeps_the_nr_leg_apart():
    text = """mCellInfo=[CellInfoLte:{mRegistered=YES mTimeStamp=1ns mCellConnectionStatus=1 CellIdentityLte:{
      mCi=53844326 mPci=1 mTac=19107 mEarfcn=150 mBands=[1] mBandwidth=20000 mMcc=452 mMnc=04 mAlphaLong=Viettel}
      CellSignalStrengthLte: rssi=-63 rsrp=-94 rsrq=-8 rssnr=12 cqiTableIndex=2147483647 cqi=10 ta=2 level=3},
      CellInfoNr:{ mRegistered=NO mTimeStamp=1ns mCellConnectionStatus=2 CellIdentityNr:{ mPci = 832 mTac = 2147483647
      mNrArfcn = 528030 mBands = [41] mMcc = null mMnc = null mNci = 9223372036854775807 }
      CellSignalStrengthNr:{ csiRsrp = 2147483647 csiRsrq = 2147483647 ssRsrp = -98 ssRsrq = -11 ssSinr = 7 }}]"""
    reading = android.parse(text)
    assert reading.network == Network(mcc="452", mnc="04", technology="nr_nsa")
    assert [told(s) for s in reading.samples] == [
        {"leg": ANCHOR, "cell_id": 53844326, "base_station_id": 210329, "pci": 1, "tac": 19107, "arfcn": 150, "band": 1,
         "rsrp_dbm": -94, "rsrq_db": -8, "sinr_db": 12, "rssi_dbm": -63, "cqi": 10, "timing_advance": 2},
        {"leg": NR, "pci": 832, "arfcn": 528030, "band": 41, "rsrp_dbm": -98, "rsrq_db": -11, "sinr_db": 7},
    ]  # fmt: skip
