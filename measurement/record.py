"""The record: one test cycle of one probe at one place. The one contract between probe, collector and analysis.

Absent is `null` (or left out), never 0 and never "". A number carries its unit in its name. Timestamps are UTC,
durations come from a monotonic clock. Fields are never removed or renamed; `SCHEMA_VERSION` rises when one is added.
Ranges are those of 3GPP TS 36.133 and 38.133 where radio is meant; the ones that depend on the leg are in
`measurement.rules`. Archive columns, the InfluxDB fields, JSON Schema and the OpenAPI page derive from here.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from measurement.vocabulary import (
    Confidence,
    Environment,
    Failure,
    LatencyMethod,
    Leg,
    LimitedBy,
    MatchedBy,
    Mode,
    Operation,
    PositionSource,
    Status,
    StopReason,
    Technology,
    ThroughputMethod,
)

SCHEMA_VERSION = 1

# Bounds that only stop nonsense: a day of milliseconds, a pebibyte, a terabit per second.
Milliseconds = Annotated[float, Meta(ge=0, le=86_400_000)]
RoundTripMs = Annotated[float, Meta(ge=0.001, le=60_000)]
Bytes = Annotated[int, Meta(ge=0, le=2**50)]
BitsPerSecond = Annotated[float, Meta(ge=0, le=1e12)]
Ratio = Annotated[float, Meta(ge=0, le=1)]
Count = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Word = Annotated[str, Meta(min_length=1, max_length=64)]
Text = Annotated[str, Meta(min_length=1, max_length=200)]
Key = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$")]
Utc = Annotated[datetime, Meta(tz=True)]


class Group(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """Base of every group of fields. Frozen, so never part of a cycle: the collector of garbage need not walk them."""


class Position(Group, frozen=True, kw_only=True):
    """Where the probe was."""

    longitude_deg: Annotated[float, Meta(ge=-180, le=180)]
    latitude_deg: Annotated[float, Meta(ge=-90, le=90)]
    accuracy_m: Annotated[float, Meta(ge=0, le=1e6)] | None = None
    age_s: Annotated[float, Meta(ge=0, le=1e7)] | None = None
    speed_mps: Annotated[float, Meta(ge=0, le=1000)] | None = None
    altitude_m: Annotated[float, Meta(ge=-1000, le=100_000)] | None = None
    satellites_count: Annotated[int, Meta(ge=0, le=256)] | None = None
    source: PositionSource | None = None
    is_mock: bool | None = None
    moved_m: Annotated[float, Meta(ge=0, le=1e7)] | None = None
    environment: Environment | None = None


class Network(Group, frozen=True, kw_only=True):
    """Whose network, and how it was reached. MCC and MNC are strings: leading zeros are kept."""

    operator: Text | None = None
    mcc: Annotated[str, Meta(pattern=r"^[0-9]{3}$")] | None = None
    mnc: Annotated[str, Meta(pattern=r"^[0-9]{2,3}$")] | None = None
    sim_mcc: Annotated[str, Meta(pattern=r"^[0-9]{3}$")] | None = None
    sim_mnc: Annotated[str, Meta(pattern=r"^[0-9]{2,3}$")] | None = None
    is_roaming: bool | None = None
    technology: Technology | None = None
    interface: Word | None = None
    ip_version: Annotated[int, Meta(ge=4, le=6)] | None = None
    asn: Annotated[int, Meta(ge=1, le=2**32 - 1)] | None = None
    apn: Text | None = None


class RadioSample(Group, frozen=True, kw_only=True):
    """What the modem said `at_ms` after the start of the test, for one cell."""

    at_ms: Milliseconds
    cell_id: Annotated[int, Meta(ge=1, le=68_719_476_735)] | None = None
    base_station_id: Annotated[int, Meta(ge=0, le=2**32 - 1)] | None = None
    pci: Annotated[int, Meta(ge=0, le=1007)] | None = None
    tac: Annotated[int, Meta(ge=0, le=16_777_215)] | None = None
    arfcn: Annotated[int, Meta(ge=0, le=3_279_165)] | None = None
    band: Annotated[int, Meta(ge=1, le=1024)] | None = None
    bandwidth_mhz: Annotated[float, Meta(gt=0, le=2000)] | None = None
    rsrp_dbm: Annotated[float, Meta(ge=-156, le=-30)] | None = None
    rsrq_db: Annotated[float, Meta(ge=-43, le=20)] | None = None
    sinr_db: Annotated[float, Meta(ge=-23, le=40)] | None = None
    rssi_dbm: Annotated[float, Meta(ge=-140, le=0)] | None = None
    cqi: Annotated[int, Meta(ge=0, le=15)] | None = None
    timing_advance: Annotated[int, Meta(ge=0, le=3846)] | None = None
    leg: Leg
    is_serving: bool


class LatencyResult(Group, frozen=True, kw_only=True):
    """Round trips of one phase. Loss means nothing without its counts."""

    method: LatencyMethod
    sent_count: Count
    received_count: Count
    duplicate_count: Count | None = None
    reordered_count: Count | None = None
    rtt_min_ms: RoundTripMs | None = None
    rtt_median_ms: RoundTripMs | None = None
    rtt_mean_ms: RoundTripMs | None = None
    rtt_p95_ms: RoundTripMs | None = None
    ipdv_mean_ms: Milliseconds | None = None
    pdv_p95_ms: Milliseconds | None = None
    loss_ratio: Ratio | None = None
    loss_uplink_ratio: Ratio | None = None
    loss_downlink_ratio: Ratio | None = None


class Latency(Group, frozen=True, kw_only=True):
    """Latency with an idle line and under load in each direction."""

    idle: LatencyResult | None = None
    downlink: LatencyResult | None = None
    uplink: LatencyResult | None = None


class ThroughputResult(Group, frozen=True, kw_only=True):
    """Goodput of one direction. `low_bps`…`high_bps` is the 95 % interval of the steady rate."""

    method: ThroughputMethod
    goodput_bps: BitsPerSecond | None = None
    low_bps: BitsPerSecond | None = None
    high_bps: BitsPerSecond | None = None
    bytes_count: Bytes | None = None
    duration_ms: Milliseconds | None = None
    warmup_ms: Milliseconds | None = None
    stream_count: Annotated[int, Meta(ge=1, le=256)] | None = None
    slice_ms: Annotated[float, Meta(gt=0, le=60_000)] | None = None
    slices_bytes: Annotated[list[Bytes], Meta(max_length=2400)] | None = None
    stop_reason: StopReason | None = None
    confidence: Confidence | None = None
    rtt_min_ms: RoundTripMs | None = None
    retransmit_ratio: Ratio | None = None


class Throughput(Group, frozen=True, kw_only=True):
    """Goodput in each direction."""

    downlink: ThroughputResult | None = None
    uplink: ThroughputResult | None = None


class ResponsivenessResult(Group, frozen=True, kw_only=True):
    """Round trips per minute under load (draft-ietf-ippm-responsiveness)."""

    rpm: Annotated[float, Meta(ge=0, le=6e7)]
    confidence: Confidence | None = None


class Responsiveness(Group, frozen=True, kw_only=True):
    """Responsiveness in each direction."""

    downlink: ResponsivenessResult | None = None
    uplink: ResponsivenessResult | None = None


class Access(Group, frozen=True, kw_only=True):
    """Times of the steps before a transfer."""

    resolve_ms: Milliseconds | None = None
    connect_ms: Milliseconds | None = None
    tls_ms: Milliseconds | None = None
    first_byte_ms: Milliseconds | None = None
    page_ms: Milliseconds | None = None


class Hop(Group, frozen=True, kw_only=True):
    """One hop of a path. `address` is coarsened to /24 or /48 before it is stored."""

    ttl: Annotated[int, Meta(ge=1, le=255)]
    address: Word | None = None
    rtt_median_ms: RoundTripMs | None = None
    loss_ratio: Ratio | None = None


class Path(Group, frozen=True, kw_only=True):
    """The way to the server."""

    hops: Annotated[list[Hop], Meta(max_length=255)] | None = None
    mtu_bytes: Annotated[int, Meta(ge=68, le=65_535)] | None = None


class Server(Group, frozen=True, kw_only=True):
    """The other end."""

    host: Text | None = None
    site: Text | None = None
    asn: Annotated[int, Meta(ge=1, le=2**32 - 1)] | None = None
    is_domestic: bool | None = None
    distance_km: Annotated[float, Meta(ge=0, le=21_000)] | None = None


class Device(Group, frozen=True, kw_only=True):
    """The instrument, and what held it down."""

    model: Text | None = None
    cpu_max_ratio: Ratio | None = None
    cross_traffic_bytes: Bytes | None = None
    temperature_c: Annotated[float, Meta(ge=-60, le=150)] | None = None
    limited_by: LimitedBy | None = None


class Outcome(Group, frozen=True, kw_only=True):
    """How the cycle ended. A failing network is a result: it is here, not in an exception."""

    status: Status
    failure: Failure | None = None
    operation: Operation | None = None


class BaseStationMatch(Group, frozen=True, kw_only=True):
    """The registry's base station to which the collector attached the record."""

    id: Key
    distance_m: Annotated[float, Meta(ge=0, le=1e6)] | None = None
    matched_by: MatchedBy | None = None


class Record(Group, frozen=True, kw_only=True):
    """One test cycle of one probe at one place."""

    record_id: Annotated[str, Meta(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")]
    schema_version: Annotated[int, Meta(ge=1, le=1000)]
    probe_id: Key
    agent: Text
    mode: Mode
    started_at: Utc
    outcome: Outcome
    campaign: Text | None = None
    organisation: Text | None = None
    sequence: Annotated[int, Meta(ge=0, le=2**53 - 1)] | None = None
    duration_ms: Milliseconds | None = None
    clock_synchronised: bool | None = None
    clock_offset_ms: Annotated[float, Meta(ge=-1e13, le=1e13)] | None = None
    attempt_count: Count | None = None
    is_simulated: bool = False
    position: Position | None = None
    network: Network | None = None
    radio: Annotated[list[RadioSample], Meta(max_length=4096)] | None = None
    latency: Latency | None = None
    throughput: Throughput | None = None
    responsiveness: Responsiveness | None = None
    access: Access | None = None
    path: Path | None = None
    server: Server | None = None
    device: Device | None = None
    # Added by the collector; a probe that sends them is told so.
    received_at: Utc | None = None
    areas: dict[Key, Key] | None = None
    base_station: BaseStationMatch | None = None
    h3_cell: Annotated[str, Meta(pattern=r"^8a[0-9a-f]{13}$")] | None = None
    flags: Annotated[list[Key], Meta(max_length=64)] | None = None


COLLECTOR_FIELDS = ("received_at", "areas", "base_station", "h3_cell", "flags")
