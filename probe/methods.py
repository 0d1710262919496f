"""The table of throughput methods: name → function. A method is one file (or one package)."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from measurement.errors import ConfigError
from probe.target import Target
from probe.throughput.plan import Method

METHODS: dict[str, str] = {
    "http": "probe.throughput.http:measure",
    "ndt7": "probe.ndt7.client:measure",
    "librespeed": "probe.librespeed.client:measure",
    "iperf3": "probe.iperf3:measure",
    "ookla": "probe.ookla:measure",
}


FINDERS: dict[str, str] = {
    "ndt7": "probe.ndt7.locate:server",
    "ookla": "probe.ookla:server",
}
"""Methods whose target may be a directory of servers: `module:function` gives the server it names."""


def find(name: str, target: Target, timeout_s: float) -> Target:
    """Return the server that a method will test against, so that every phase of a cycle meets it.

    Raises
    ------
    NetworkFailure
        Where the directory does not answer.
    """
    if name not in FINDERS:
        return target
    module, _, function = FINDERS[name].partition(":")
    finder: Callable[[Target, float], Target] = getattr(importlib.import_module(module), function)
    return finder(target, timeout_s)


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
