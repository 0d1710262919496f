"""The table of throughput methods: name → function. A method is one file (or one package)."""

from __future__ import annotations

import importlib

from measurement.errors import ConfigError
from probe.throughput.plan import Method

METHODS: dict[str, str] = {
    "http": "probe.throughput.http:measure",
    "ndt7": "probe.ndt7.client:measure",
    "librespeed": "probe.librespeed.client:measure",
    "iperf3": "probe.iperf3:measure",
    "ookla": "probe.ookla:measure",
}


def load(name: str) -> Method:
    """Import a method.

    Raises
    ------
    ConfigError
        Where there is none of that name.
    """
    if name not in METHODS:
        raise ConfigError(f"Invalid method {name!r}. One of {', '.join(METHODS)}.")
    module, _, function = METHODS[name].partition(":")
    method: Method = getattr(importlib.import_module(module), function)
    return method
