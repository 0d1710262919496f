"""Operator by PLMN, roaming, ASN by a local table, the kind of an interface."""

import pytest

from measurement.errors import ConfigError
from measurement.record import Network
from probe.network import asn_table, completed, kind_of, public_address
from probe.settings import load

TABLE = """start,end,asn,country
1.52.0.0,1.55.255.255,18403,VN
14.160.0.0,14.191.255.255,AS45899,VN
2001:ee0::,2001:ee0:ffff:ffff:ffff:ffff:ffff:ffff,45899,VN
27.64.0.0,27.79.255.255,7552,VN
27.80.0.0,27.95.255.255,0,not routed
"""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "asn.csv"
    path.write_text(TABLE)
    return asn_table(str(path))


@pytest.mark.parametrize(
    ("address", "asn"),
    [("27.64.0.0", 7552), ("27.79.255.255", 7552), ("14.170.1.2", 45899), ("2001:ee0:4141::1", 45899),
     ("27.81.0.1", None), ("8.8.8.8", None), ("0.0.0.1", None), ("2001:db8::1", None)],
)  # fmt: skip
def test_the_asn_is_that_of_the_range_an_address_is_in(table, address, asn):
    assert table.find(address) == asn


@pytest.mark.parametrize("row", ["1.2.3.4,1.2.3.3,7", "1.2.3.4,::1,7", "1.2.3.4,1.2.3.5,x7", "x,y,7", "1.2.3.4"])
def test_a_broken_row_is_named(tmp_path, row):
    path = tmp_path / "asn.csv"
    path.write_text(TABLE + row + "\n")
    with pytest.raises(ConfigError, match=r"asn.csv:7: Invalid row"):
        asn_table(str(path))


def test_operator_and_roaming_follow_from_the_two_plmns(table):
    abroad = completed(Network(mcc="452", mnc="04", sim_mcc="608", sim_mnc="01"), "27.70.0.1", table)
    assert (abroad.operator, abroad.is_roaming, abroad.asn) == ("Viettel", True, 7552)
    home = completed(Network(mcc="452", mnc="02", sim_mcc="452", sim_mnc="02", operator="VNPT"))
    assert (home.operator, home.is_roaming, home.asn) == ("VNPT", False, None)
    assert completed(Network(mcc="999", mnc="99")).operator is None


def test_a_private_address_has_no_asn():
    assert public_address("127.0.0.1") is None
    assert public_address("no such host.invalid") is None


def test_the_kind_of_an_interface_is_the_kernels_word(tmp_path):
    (tmp_path / "wifi7" / "phy80211").mkdir(parents=True)
    assert kind_of("wifi7", tmp_path) == "wifi"
    assert kind_of("eth0", tmp_path) == "ethernet"
    assert kind_of("wwan0", tmp_path) is None
    assert kind_of(None) is None


def test_network_settings_reach_the_record(tmp_path):
    path = tmp_path / "probe.toml"
    path.write_text('[network]\ninterface = "wwan0"\napn = "v-internet"\n')
    from probe.network import describe

    described = describe(load(path, {}, {}).network, tmp_path)
    assert described == Network(interface="wwan0", apn="v-internet")
