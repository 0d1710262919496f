"""Settings of the agent: defaults < TOML file < environment < flags. Each default says why.

The file is /etc/haidang/probe.toml or what `--config` names. `HAIDANG_PROBE_` plus a key in capitals overrides it,
two underscores between section and key: HAIDANG_PROBE_BUDGET__MONTH_BYTES=5000000000.
"""

from __future__ import annotations

import platform
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import Meta

from measurement.errors import ConfigError
from measurement.vocabulary import Environment, ThroughputMethod
from probe.servers import MOST, Candidate, Role, allowed, check

DEFAULT_FILE = Path("/etc/haidang/probe.toml")
LEAST_TEST_BYTES = 300_000  # under this a throughput phase says nothing
PREFIX = "HAIDANG_PROBE_"
LISTS = ("peers", "exclude", "roles", "methods", "windows")
_PATH = re.compile(r" - at `(?:key in )?(\$[^`]*)`$")

Bytes = Annotated[int, Meta(ge=0, le=2**50)]
Seconds = Annotated[float, Meta(ge=0, le=366 * 86_400)]
Port = Annotated[int, Meta(ge=0, le=65_535)]


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    pass


class Schedule(_Section, frozen=True, kw_only=True):
    """When to test."""

    # A test an hour sees each hour of the day within a week and costs a capped SIM about what a phone does.
    mean_interval_s: Annotated[float, Meta(ge=30, le=366 * 86_400)] = 3600.0
    windows: list[str] = []  # none: the whole week
    # Above 1 Mbit/s somebody is using the line: the test would disturb him and measure him.
    quiet_bps: Annotated[float, Meta(ge=0)] = 1e6
    quiet_retry_s: Annotated[float, Meta(ge=1, le=3600)] = 30.0  # as SamKnows does
    quiet_patience_s: Seconds = 600.0  # after that the test is skipped and counted


class Budget(_Section, frozen=True, kw_only=True):
    """What tests may cost. 0 means no limit."""

    test_bytes: Bytes = 200_000_000  # both directions: 2 s of 595/124 Mbit/s, Vietnam's 5G medians, and a reserve
    day_bytes: Bytes = 1_000_000_000  # common Vietnamese data plans give 1 to 4 GB a day
    month_bytes: Bytes = 20_000_000_000


class Spool(_Section, frozen=True, kw_only=True):
    """Where records wait."""

    path: str = "/var/lib/haidang/spool.sqlite"
    max_bytes: Annotated[int, Meta(ge=65_536, le=2**40)] = 64 * 2**20  # three months of hourly tests with radio samples


class Radio(_Section, frozen=True, kw_only=True):
    """Which modem. `auto` takes ModemManager, then a serial port that answers AT."""

    source: str = "none"
    device: str | None = None
    baud: Annotated[int, Meta(ge=300, le=4_000_000)] = 115_200
    format: str | None = None  # dialect of AT, or what a command prints
    command: str | None = None
    speed: Annotated[float, Meta(gt=0, le=1000)] = 1.0  # of a replayed log
    sinr_scale: Annotated[float, Meta(gt=0, le=100)] | None = None  # None: told from the values themselves
    gnb_id_bits: Annotated[int, Meta(ge=22, le=32)] = 24


class Position(_Section, frozen=True, kw_only=True):
    """Where the probe is."""

    source: str = "none"
    device: str | None = None
    baud: Annotated[int, Meta(ge=300, le=4_000_000)] = 9600  # NMEA 0183 receivers start at 4800 or 9600
    host: str = "127.0.0.1"
    port: Port = 2947
    speed: Annotated[float, Meta(gt=0, le=1000)] = 1.0  # of a replayed log
    longitude_deg: Annotated[float, Meta(ge=-180, le=180)] | None = None
    latitude_deg: Annotated[float, Meta(ge=-90, le=90)] | None = None
    environment: Environment | None = None


class Network(_Section, frozen=True, kw_only=True):
    """Which line."""

    interface: str | None = None  # None: that of the default route
    asn_table: str | None = None  # CSV of first address, last address, ASN (and anything after)
    apn: str | None = None


class Metrics(_Section, frozen=True, kw_only=True):
    """Local Prometheus endpoint; port 0 turns it off."""

    host: str = "127.0.0.1"
    port: Port = 0


class Settings(_Section, frozen=True, kw_only=True):
    """Everything the agent can be told."""

    probe_id: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")] | None = None
    collector: str | None = None
    token_file: str = "/var/lib/haidang/token"
    ca_file: str | None = None
    peers: Annotated[list[str | Candidate], Meta(max_length=MOST)] = []
    pin: str | None = None  # of the peers this one, by URL or host
    exclude: list[str] = []  # never these
    roles: list[Role] = []  # none: the nearest of all, whatever it stands for
    methods: list[ThroughputMethod] = msgspec.field(default_factory=lambda: [ThroughputMethod.HTTP])
    is_thorough: bool = False
    allow_task_peers: bool = True  # may the collector's tasks name other peers?
    organisation: str | None = None
    campaign: str | None = None
    time_zone: str = "Asia/Ho_Chi_Minh"
    report_interval_s: Annotated[float, Meta(ge=1, le=86_400)] = 300.0  # fresh enough for alerts, rare enough to sleep
    tasks_interval_s: Annotated[float, Meta(ge=10, le=7 * 86_400)] = 900.0
    schedule: Schedule = Schedule()
    budget: Budget = Budget()
    spool: Spool = Spool()
    radio: Radio = Radio()
    position: Position = Position()
    network: Network = Network()
    metrics: Metrics = Metrics()

    def candidates(self, role: Role | None = None) -> list[Candidate]:
        """Return the peers that may be tested against, those of a role where one is given.

        Raises
        ------
        ConfigError
            Where one is no URL or stands twice, a word names none of them, or none is left.
        """
        listed = [Candidate(url=one) if isinstance(one, str) else one for one in self.peers]
        if not listed:
            raise ConfigError("peers: Invalid []. At least one; give --peer or set it in the configuration.")
        try:
            return allowed(check(listed), self.pin, self.exclude, role)
        except ConfigError as error:
            raise ConfigError(f"peers: {error}") from None

    def zone(self) -> ZoneInfo:
        """Return the time zone in which days, months and windows are meant."""
        try:
            return ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ConfigError(f"time_zone: Invalid time zone {self.time_zone!r}. Such as Asia/Ho_Chi_Minh.") from None


def load(path: Path | None, environment: Mapping[str, str], flags: Mapping[str, Any]) -> Settings:
    """Read the settings; `flags` are nested like the file, None where a flag was not given.

    Raises
    ------
    ConfigError
        With the key that is wrong.
    """
    raw: dict[str, Any] = {}
    if path is not None or DEFAULT_FILE.is_file():
        raw = _read(path or DEFAULT_FILE)
    raw = _merged(raw, _from_environment(environment))
    raw = _merged(raw, flags)
    try:
        settings = msgspec.convert(raw, Settings, strict=False)
    except msgspec.ValidationError as error:
        text = str(error)
        match = _PATH.search(text)
        key = match.group(1).removeprefix("$").removeprefix(".") if match else ""
        reason = text[: match.start()] if match else text
        raise ConfigError(f"{path or 'settings'}: {key + ': ' if key else ''}{reason}.") from None
    settings.zone()
    for role in (None, *settings.roles) if settings.peers else ():
        settings.candidates(role)
    if 0 < settings.budget.test_bytes < LEAST_TEST_BYTES:
        raise ConfigError(f"budget.test_bytes: Invalid {settings.budget.test_bytes}. 0 or at least {LEAST_TEST_BYTES}.")
    return settings


def _read(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"Invalid configuration {str(path)!r}. {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"Invalid configuration {str(path)!r}. {error}.") from None


def _from_environment(environment: Mapping[str, str]) -> dict[str, Any]:
    raw: dict[str, Any] = {}
    for name, value in environment.items():
        if name.startswith(PREFIX) and value:
            keys = name.removeprefix(PREFIX).lower().split("__")
            here = raw
            for key in keys[:-1]:
                here = here.setdefault(key, {})
            here[keys[-1]] = value.split(",") if keys[-1] in LISTS else value
    return raw


def _merged(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(low)
    for key, value in high.items():
        if isinstance(value, Mapping):
            below = merged.get(key, {})
            merged[key] = _merged(below if isinstance(below, Mapping) else {}, value)
        elif value is not None:
            merged[key] = value
    return merged


class Credentials(msgspec.Struct, frozen=True):
    """What `enrol` was given: a token, and whose it is."""

    token: str
    probe_id: str | None = None
    collector: str | None = None


def read_credentials(path: Path) -> Credentials:
    """Read a token file: JSON as `enrol` writes it, or the bare token.

    Raises
    ------
    ConfigError
        Where there is none, or others may read it.
    """
    try:
        text = path.read_text().strip()
        mode = path.stat().st_mode
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "No text"
        raise ConfigError(f"Invalid token file {str(path)!r}. {reason}; `haidang-probe enrol` makes one.") from None
    if mode & 0o007:
        raise ConfigError(f"Invalid token file {str(path)!r}. Anyone may read it; chmod 600 it.")
    if not text.startswith("{"):
        if not text or any(letter.isspace() or not letter.isprintable() for letter in text):
            raise ConfigError(f"Invalid token file {str(path)!r}. One token on one line.")
        return Credentials(text)
    try:
        return msgspec.json.decode(text, type=Credentials)
    except msgspec.MsgspecError as error:
        raise ConfigError(f"Invalid token file {str(path)!r}. {error}.") from None


def default_probe_id() -> str:
    """Return an id made of the host's name, where nobody has given one."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", platform.node()).strip("-._")[:48]
    return f"probe-{name or 'unnamed'}"
