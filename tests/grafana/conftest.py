"""The servers that rules, routes and dashboards are tried on."""

from tests.servers.alertmanager import amtool
from tests.servers.influxd import influxd
from tests.servers.prometheus import promtool

__all__ = ["amtool", "influxd", "promtool"]
