from tests.servers.iperf3 import iperf3

__all__ = ["iperf3"]
