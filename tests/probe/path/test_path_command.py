import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.probe.path.chain import LINKS6, Chain, chain

PROGRAM = str(Path(sys.executable).with_name("haidang-probe"))
QUICK = ("--probes", "5", "--interval", "0.05")


@pytest.fixture(scope="module")
def path() -> Iterator[Chain]:
    with chain(narrow_mtu=1400) as laid:
        yield laid


def traced(path: Chain, *options: str) -> dict:
    return json.loads(path.run(path.probe, PROGRAM, "path", path.host, "--json", *QUICK, *options))


@pytest.mark.root
@pytest.mark.parametrize("method", ["icmp", "udp", "tcp"])
def test_every_hop_of_a_known_path_is_found(path: Chain, method: str) -> None:
    found = traced(path, "--method", method)
    assert [hop["address"] for hop in found["hops"]] == ["10.64.1.2", "100.64.7.2", "203.113.2.2", "198.51.100.2"]
    assert [hop["segment"] for hop in found["hops"]] == ["access", "operator", "operator", "beyond"]
    assert all(hop["loss_ratio"] == 0 and 0 < hop["rtt_median_ms"] < 50 for hop in found["hops"])
    assert found["is_reached"] is True
    assert found["mtu_bytes"] == 1400
    assert found["findings"] == []


@pytest.mark.root
@pytest.mark.parametrize("method", ["icmp", "udp", "tcp"])
def test_every_hop_of_a_known_path_is_found_over_ipv6(path: Chain, method: str) -> None:
    words = ["path", path.host6, "--json", *QUICK, "--method", method]
    found = json.loads(path.run(path.probe, PROGRAM, *words))
    assert [hop["address"] for hop in found["hops"]] == [f"{net}::2" for net in LINKS6]
    assert [hop["segment"] for hop in found["hops"]] == ["access", "operator", "operator", "beyond"]
    assert all(hop["loss_ratio"] == 0 for hop in found["hops"])
    assert found["mtu_bytes"] == 1400


@pytest.mark.root
def test_the_capture_holds_probes_and_answers(path: Chain, tmp_path: Path) -> None:
    kept = tmp_path / "path.pcap"
    traced(path, "--no-mtu", "--pcap", str(kept))
    data = kept.read_bytes()
    assert data[:4] in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1")
    packets, offset = 0, 24
    while offset < len(data):
        offset += 16 + int.from_bytes(data[offset + 8 : offset + 12], "little")
        packets += 1
    assert packets >= 2 * 5 * 4


@pytest.mark.root
def test_an_asn_table_tells_networks_apart(path: Chain, tmp_path: Path) -> None:
    table = tmp_path / "asn.csv"
    table.write_text("203.113.0.0,203.113.255.255,7552\n198.51.100.0,198.51.100.255,AS7552\n")
    found = traced(path, "--no-mtu", "--asn-table", str(table))
    assert [hop["segment"] for hop in found["hops"]] == ["access", "operator", "operator", "operator"]
    assert found["segments_by"] == "asn"


@pytest.mark.root
def test_the_table_is_for_people(path: Chain) -> None:
    table = path.run(path.probe, PROGRAM, "path", path.host, *QUICK, "--probes", "3")
    assert "hop  address" in table
    assert "Largest packet: 1400 bytes" in table
    assert "Segments are a guess by blocks of addresses" in table
    assert table.rstrip().endswith("No trouble found.")


@pytest.mark.root
def test_trouble_is_found_where_it_starts() -> None:
    with chain() as path:
        path.lose(3, 0.4)
        found = json.loads(
            path.run(path.probe, PROGRAM, "path", path.host, "--json", *QUICK, "--probes", "40", "--no-mtu")
        )
        assert [(f["trouble"], f["segment"], f["ttl"]) for f in found["findings"]] == [("loss", "beyond", 4)]
        assert 0.2 < found["hops"][3]["loss_ratio"] < 0.6
        path.cut(2)
        found = traced(path, "--no-mtu")
        assert [(f["trouble"], f["ttl"]) for f in found["findings"]] == [("unreachable", 2)]
        assert found["is_reached"] is False


def test_without_the_right_one_clear_line_says_how_to_grant_it() -> None:
    # Dropping the capability in a child is how a test that runs as root sees what a user sees.
    done = subprocess.run(
        ["setpriv", "--bounding-set", "-net_raw", "--inh-caps", "-net_raw", PROGRAM, "path", "127.0.0.1"],
        capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    if "setpriv:" in done.stderr:
        done = subprocess.run([PROGRAM, "path", "127.0.0.1"], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "setcap cap_net_raw+ep" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["nosuch.invalid"], 1, "Cannot resolve 'nosuch.invalid'."),
        (["127.0.0.1", "--pcap", "/nonexistent/x.pcap"], 2, "/nonexistent/x.pcap: Cannot write the capture."),
        (["127.0.0.1", "--probes", "0"], 2, "--probes"),
    ],
)
def test_bad_input_is_one_line(arguments: list[str], code: int, says: str) -> None:
    done = subprocess.run([PROGRAM, "path", *arguments], capture_output=True, text=True, timeout=30, check=False)
    if "setcap" in done.stderr:
        pytest.skip("needs raw sockets")
    assert done.returncode == code
    assert says in done.stderr
    assert "Traceback" not in done.stderr
