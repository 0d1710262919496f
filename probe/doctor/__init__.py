"""What this device can measure at best: a table of checks, each a line, green or red, with the cure."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from probe.settings import Settings
from probe.target import Target

Pair = tuple[str, str]
"""Vietnamese and English."""


class Finding(NamedTuple):
    """What a check found. `is_good` None says that there is nothing to check, which is no fault."""

    is_good: bool | None
    said: Pair
    cure: Pair | None = None
    figures: dict[str, float] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is checked besides the device itself."""

    settings: Settings
    peer: Target | None = None
    seconds: float = 1.5
    stores_ceiling: bool = True


Check = Callable[[Subject], Finding]


class Row(NamedTuple):
    """A check: its name, its title, and where its function is."""

    name: str
    title: Pair
    function: str


ROWS = (
    Row("clock", ("Đồng hồ", "Clock"), "probe.doctor.system:clock"),
    Row("timer", ("Bộ định thời", "Timer"), "probe.doctor.system:timer"),
    Row("icmp", ("Quyền gửi ICMP", "ICMP right"), "probe.doctor.system:icmp"),
    Row("raw", ("Quyền gói tin thô", "Raw-socket right"), "probe.doctor.system:raw"),
    Row("disk", ("Ổ đĩa", "Disk"), "probe.doctor.system:disk"),
    Row("ceiling_http", ("Trần đo http", "Ceiling of http"), "probe.doctor.ceiling:http"),
    Row("ceiling_tls", ("Trần đo http qua TLS", "Ceiling of http over TLS"), "probe.doctor.ceiling:tls"),
    Row("ceiling_ndt7", ("Trần đo ndt7", "Ceiling of ndt7"), "probe.doctor.ceiling:ndt7"),
    Row("modem", ("Modem", "Modem"), "probe.doctor.senses:modem"),
    Row("position", ("Vị trí", "Position"), "probe.doctor.senses:position"),
    Row("peer", ("Máy chủ đo", "Peer"), "probe.doctor.reach:peer"),
    Row("collector", ("Máy chủ thu thập", "Collector"), "probe.doctor.reach:collector"),
)


def load(row: Row) -> Check:
    """Import the function of a row."""
    module, _, name = row.function.partition(":")
    check: Check = getattr(importlib.import_module(module), name)
    return check
