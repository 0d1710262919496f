import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probe.ndt7.model import AppInfo, ConnectionInfo, Measurement, TCPInfo, decode, encode

# The message of the specification, made valid JSON.
EXAMPLE = """{
  "AppInfo": {"ElapsedTime": 1234, "NumBytes": 1235},
  "ConnectionInfo": {"Client": "1.2.3.4:5678", "Server": "[::1]:2345", "UUID": "x",
                     "StartTime": "2019-07-16T15:26:05.987748459-04:00"},
  "Origin": "server", "Test": "download",
  "TCPInfo": {"BusyTime": 1, "BytesAcked": 2, "BytesReceived": 3, "BytesSent": 4, "BytesRetrans": 5, "ElapsedTime": 6,
              "MinRTT": 7, "RTT": 8, "RTTVar": 9, "RWndLimited": 10, "SndBufLimited": 11}
}"""


def test_the_message_of_the_specification() -> None:
    found = decode(EXAMPLE.encode())
    assert found.AppInfo == AppInfo(elapsed_time=1234, num_bytes=1235)
    assert found.ConnectionInfo.uuid == "x"
    assert found.TCPInfo.SndBufLimited == 11
    assert json.loads(encode(found)) == json.loads(EXAMPLE)


def test_absent_fields_are_left_out() -> None:
    only = Measurement(ConnectionInfo=ConnectionInfo(client="a:1", server="b:2"), TCPInfo=TCPInfo(RTT=5))
    assert json.loads(encode(only)) == {"ConnectionInfo": {"Client": "a:1", "Server": "b:2"}, "TCPInfo": {"RTT": 5}}


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"null", b"1", b'{"AppInfo": 3}', b'{"TCPInfo": {"RTT": "x"}}', b"\xff"]
)
def test_what_is_no_measurement_is_none(text: bytes) -> None:
    assert decode(text) is None


def test_more_fields_than_the_specification_are_no_error() -> None:
    assert decode(b'{"BBRInfo": {"BW": 1}, "TCPInfo": {"RTT": 3, "SndMSS": 5}}').TCPInfo.RTT == 3


@given(st.binary(max_size=300))
def test_any_bytes(text: bytes) -> None:
    assert decode(text) is None or isinstance(decode(text), Measurement)
