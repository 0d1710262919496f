"""No parser raises on whatever a line may bring, and none lets an impossible value through."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from measurement.rules import leg_findings
from probe.radio import android, mikrotik, modemmanager, qmicli
from probe.radio.at import generic, quectel, simcom
from probe.radio.at.replies import lines

PARSERS = [
    quectel.parse,
    simcom.parse,
    generic.parse,
    qmicli.parse,
    mikrotik.parse,
    android.parse,
    android.parse_termux,
    modemmanager.cells_of,
]
WORDS = st.sampled_from(
    [
        '+QENG: "servingcell","NOCONN","LTE"',
        '+QENG:"NR5G-NSA"',
        '+QCAINFO: "PCC"',
        '"SCC"',
        '"NR5G BAND 41"',
        "+CPSI: LTE",
        "+CESQ: ",
        "+COPS: 0,2,",
        "+CEREG: 2,1",
        "FDD",
        "452",
        "04",
        "-",
        "-999999",
        "1e999",
        "nan",
        "FFFFFFFFFF",
        "0x",
        '"',
        ",",
        "\r\n",
        "OK",
        "CellInfoLte:{",
        "mRegistered=YES",
        "rsrp=-5",
        "cell type: lte, serving: yes, ci: ",
        "{",
        "[",
        "5G:\n",
        "        RSRP: '-75 dBm'",
        "n78@100Mhz earfcn: 999999999",
        "nr-rsrp: -9dBm",
    ]
)


@pytest.mark.parametrize("parse", PARSERS, ids=lambda p: f"{p.__module__}.{p.__name__}")
@settings(deadline=None)
@given(st.one_of(st.text(max_size=300), st.lists(WORDS, max_size=30).map(",".join)))
def test_parsers_never_raise_and_never_let_the_impossible_through(parse, text):
    from measurement.errors import InstrumentError

    try:
        reading = parse(text)
    except InstrumentError:
        return  # mmcli that prints no JSON
    for sample in reading.samples:
        assert not list(leg_findings(sample, "$"))


@settings(deadline=None)
@given(st.text(max_size=200))
def test_replies_are_split_whatever_stands_between(text):
    assert all(line.name and line.fields for line in lines(text))
