"""M-Lab's server for these tests."""

from tests.servers.ndt_server import ndt_server

__all__ = ["ndt_server"]
