"""Whose network a test ran on, from what this device knows itself: settings, interface, a local table of ASNs."""

from __future__ import annotations

import csv
import ipaddress
import socket
from bisect import bisect_right
from functools import cache
from pathlib import Path
from typing import NamedTuple

import msgspec

from measurement.errors import ConfigError
from measurement.radio import operator_of
from measurement.record import Network
from measurement.vocabulary import Technology
from probe.settings import Network as NetworkSettings

_SYSTEM = Path("/sys/class/net")
MAX_ROWS = 2_000_000  # the whole routing table of 2026 has about 1.2 million prefixes

# Kernel names of interfaces by what they are; the first that fits.
_KINDS: tuple[tuple[str, Technology], ...] = (
    ("wl", Technology.WIFI),
    ("en", Technology.ETHERNET),
    ("eth", Technology.ETHERNET),
)


class AsnTable(NamedTuple):
    """Ranges of addresses in ascending order, one list for each IP version."""

    starts: dict[int, list[int]]
    rows: dict[int, list[tuple[int, int]]]  # last address, ASN

    def find(self, address: str) -> int | None:
        """Return the ASN of an address, None where the table does not know it."""
        known = ipaddress.ip_address(address)
        place = bisect_right(self.starts[known.version], int(known)) - 1
        if place < 0:
            return None
        last, asn = self.rows[known.version][place]
        return asn if int(known) <= last else None


@cache
def asn_table(path: str) -> AsnTable:
    """Read a table of first address, last address, ASN, as CSV or TSV; further columns are ignored.

    Raises
    ------
    ConfigError
        With the line that is wrong.
    """
    found: dict[int, list[tuple[int, int, int]]] = {4: [], 6: []}
    try:
        with Path(path).open(newline="", encoding="utf-8", errors="replace") as file:
            delimiter = "\t" if "\t" in file.readline() else ","
            file.seek(0)
            for number, row in enumerate(csv.reader(file, delimiter=delimiter), 1):
                if number > MAX_ROWS:
                    raise ConfigError(f"network.asn_table: Invalid table {path!r}. Over {MAX_ROWS} rows.")
                if row and not row[0].startswith("#"):
                    _enter(found, row, path, number)
    except OSError as error:
        raise ConfigError(f"network.asn_table: Invalid table {path!r}. {error.strerror}.") from None
    ordered = {version: sorted(rows) for version, rows in found.items()}
    starts = {version: [first for first, _, _ in rows] for version, rows in ordered.items()}
    return AsnTable(starts, {version: [(last, asn) for _, last, asn in rows] for version, rows in ordered.items()})


def _enter(found: dict[int, list[tuple[int, int, int]]], row: list[str], path: str, number: int) -> None:
    try:
        first, last = ipaddress.ip_address(row[0].strip()), ipaddress.ip_address(row[1].strip())
        asn = int(row[2].strip().upper().removeprefix("AS"))
        if first.version != last.version or int(last) < int(first):
            raise ValueError("first and last address do not fit")
    except (ValueError, IndexError) as error:
        if number == 1 and not any(letter.isdigit() for letter in "".join(row[:3])):
            return  # a header
        raise ConfigError(f"network.asn_table: {path}:{number}: Invalid row. {error}.") from None
    if asn > 0:  # 0 stands for "not routed"
        found[first.version].append((int(first), int(last), asn))


def public_address(host: str, port: int = 443) -> str | None:
    """Return the address this device uses towards a host, where it is a public one; nothing is sent.

    Behind a network's address translation it is private, and the ASN stays unknown rather than guessed.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as sender:
            sender.connect(address)
            own = str(sender.getsockname()[0])
    except OSError:
        return None
    return own if ipaddress.ip_address(own.partition("%")[0]).is_global else None


def describe(settings: NetworkSettings, system: Path = _SYSTEM) -> Network | None:
    """Return what settings and kernel tell of the line: interface, its kind, the APN."""
    if settings.interface is None and settings.apn is None:
        return None
    return Network(interface=settings.interface, technology=kind_of(settings.interface, system), apn=settings.apn)


def kind_of(interface: str | None, system: Path = _SYSTEM) -> Technology | None:
    """Return Wi-Fi or Ethernet by the kernel's word; a modem's technology only its radio source can tell."""
    if interface is None:
        return None
    folder = system / interface
    if (folder / "wireless").exists() or (folder / "phy80211").exists():
        return Technology.WIFI
    if interface.startswith(("wwan", "ppp", "usb", "rmnet")):
        return None
    return next((kind for prefix, kind in _KINDS if interface.startswith(prefix)), None)


def completed(network: Network, public_address: str | None = None, table: AsnTable | None = None) -> Network:
    """Add the operator's name by PLMN, roaming by the two PLMNs, and the ASN by the local table."""
    changes: dict[str, object] = {}
    if network.operator is None:
        changes["operator"] = operator_of(network.mcc, network.mnc)
    if network.technology is None:
        changes["technology"] = kind_of(network.interface)
    if network.is_roaming is None and None not in (network.mcc, network.mnc, network.sim_mcc, network.sim_mnc):
        changes["is_roaming"] = (network.mcc, network.mnc) != (network.sim_mcc, network.sim_mnc)
    if network.asn is None and table is not None and public_address is not None:
        changes["asn"] = table.find(public_address)
    return msgspec.structs.replace(network, **changes)
