"""Offer every server of this folder to its tests; another folder's conftest imports those that it needs."""

from tests.servers.alertmanager import alertmanager, amtool
from tests.servers.chromium import chromium
from tests.servers.gpsd import gpsd
from tests.servers.influxd import influxd, own_influxd
from tests.servers.influxd1 import influxd1
from tests.servers.iperf3 import iperf3
from tests.servers.irtt import irtt
from tests.servers.msak import msak_server
from tests.servers.ndt_server import ndt_server
from tests.servers.prometheus import prometheus, promtool
from tests.servers.s3 import s3

__all__ = [
    "alertmanager",
    "amtool",
    "chromium",
    "gpsd",
    "influxd",
    "influxd1",
    "iperf3",
    "irtt",
    "msak_server",
    "ndt_server",
    "own_influxd",
    "prometheus",
    "promtool",
    "s3",
]
