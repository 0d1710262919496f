"""Tests and findings as a frame with the archive's columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from measurement.columns import area_column
from measurement.record import SCHEMA_VERSION
from simulation import measure
from simulation.fixes import Fixes
from simulation.ids import uuid7s
from simulation.links import ANCHOR, NEW_RADIO, Links
from simulation.measure import ACCESS_FAILED, COMPLETE, DROPPED, NO_SERVICE, Findings
from simulation.operators import OPERATORS
from simulation.panel import CREW, DRIVE, ENVIRONMENTS, PHONE, PROBE, Devices, Spots
from simulation.schedule import Tests, unix_seconds
from simulation.service import NSA, SA, TECHNOLOGIES
from simulation.stations import Net

Array = npt.NDArray[Any]

AGENTS = {PROBE: "haidang-simulation/probe", PHONE: "haidang-simulation/phone", DRIVE: "haidang-simulation/drive"}
AGENT_OF = [AGENTS[PROBE], AGENTS[PHONE], AGENTS[DRIVE], "haidang-simulation/crew"]
MODE_OF = ["scheduled", "manual", "drive", "certified"]
MODEL_OF = ["HD Probe 1", "Android phone", "HD Drive 1", "HD Drive 1"]
SERVERS = ("hp-1", "hp-2", "hn-1")
STATUS_OF = {COMPLETE: "complete", NO_SERVICE: "failed", ACCESS_FAILED: "failed", DROPPED: "partial"}
FAILURE_OF = {
    COMPLETE: None,
    NO_SERVICE: "no_service",
    ACCESS_FAILED: "generic_timeout_error",
    DROPPED: "transfer_stalled",
}
OPERATION_OF = {COMPLETE: None, NO_SERVICE: "attach", ACCESS_FAILED: "connect", DROPPED: "transfer"}
LIMITED_OF = {measure.NETWORK: "network", measure.CROSS_TRAFFIC: "cross_traffic", measure.PROBE_CPU: "probe_cpu"}


class Book(NamedTuple):
    """The names behind the numbers: stations, devices, organisations, layers with the keys of their areas."""

    nets: list[Net]
    station_ids: pl.Series
    device_ids: pl.Series
    organisations: pl.Series
    layers: Sequence[str]
    area_keys: list[pl.Series]


def _text(words: Sequence[str | None] | pl.Series, index: Array) -> pl.Series:
    """Return words by their numbers; −1 is null."""
    series = words if isinstance(words, pl.Series) else pl.Series(list(words), dtype=pl.String)
    if not len(series):
        return pl.Series([None], dtype=pl.String).extend_constant(None, len(index) - 1)
    numbers = pl.Series(index.astype(np.int64))
    return series.gather(pl.select(pl.when(numbers >= 0).then(numbers)).to_series())


def _real(values: Array, step: float) -> pl.Series:
    """Return values rounded to a step, NaN as null: steps as coarse as instruments show, which also compress."""
    # Dividing by a whole number gives the shortest decimal; multiplying by 0.1 would not.
    rounded = np.round(values / step) * step if step >= 1 else np.round(values / step) / round(1 / step)
    return pl.Series(rounded).fill_nan(None)


def _whole(values: Array, is_known: Array) -> pl.Series:
    return pl.select(pl.when(pl.Series(is_known)).then(pl.Series(values.astype(np.int64)))).to_series()


def _cells(book: Book, links: Links, leg: int, is_known: Array, shows_identity: Array) -> dict[str, pl.Series]:
    """Return the identity columns of one leg's serving cells."""
    name = ("anchor", "nr")[leg]
    station, sector = links.station[:, leg], links.sector[:, leg]
    cell, node, pci, tac, arfcn, band = (np.zeros(len(station), dtype=np.int64) for _ in range(6))
    for net in book.nets:
        rows = np.flatnonzero((station >= net.first) & (station < net.first + len(net.points)))
        own = station[rows] - net.first
        cell[rows], node[rows] = net.cell_id(own, sector[rows]), net.node_id[own]
        pci[rows], tac[rows] = net.pci(own, sector[rows]), net.tac(own)
        arfcn[rows], band[rows] = net.carrier.arfcn, net.carrier.band
    heard = is_known & (station >= 0)
    named = heard & shows_identity
    return {
        f"radio_{name}_cell_id": _whole(cell, named),
        f"radio_{name}_base_station_id": _whole(node, named),
        f"radio_{name}_pci": _whole(pci, heard),
        f"radio_{name}_tac": _whole(tac, named),
        f"radio_{name}_arfcn": _whole(arfcn, heard),
        f"radio_{name}_band": _whole(band, heard),
    }


def _radio(book: Book, links: Links, found: Findings) -> dict[str, pl.Series]:
    """Return the summaries of both legs. NSA shows its anchor's identity and, of the NR cell, PCI and carrier only."""
    served = found.outcome != NO_SERVICE
    columns: dict[str, pl.Series] = {}
    for leg, levels, on in (
        (ANCHOR, found.anchor, served & (found.technology != SA)),
        (NEW_RADIO, found.new_radio, served & ((found.technology == SA) | (found.technology == NSA))),
    ):
        name = ("anchor", "nr")[leg]
        columns |= _cells(book, links, leg, on, (found.technology == SA) if leg == NEW_RADIO else on)
        for level, step in (("rsrp_dbm", 1.0), ("rsrq_db", 0.5), ("sinr_db", 0.5)):
            columns[f"radio_{name}_{level}"] = _real(np.where(on, getattr(levels, level), np.nan), step)
    return columns


def _latency(found: Findings) -> dict[str, pl.Series]:
    idle, echoed, loaded = found.idle_ms, ~np.isnan(found.idle_ms), ~np.isnan(found.loaded_ms)
    sent, lost = np.full(len(idle), measure.ECHOES), np.nan_to_num(found.lost_count)
    return {
        "latency_idle_method": _text(["stamp"], np.where(echoed, 0, -1)),
        "latency_idle_sent_count": _whole(sent, echoed),
        "latency_idle_received_count": _whole(sent - lost, echoed),
        "latency_idle_rtt_min_ms": _real(np.maximum(idle - 1.6 * found.jitter_ms, 0.6 * idle), 0.1),
        "latency_idle_rtt_median_ms": _real(idle, 0.1),
        "latency_idle_rtt_mean_ms": _real(idle + 0.3 * found.jitter_ms, 0.1),
        "latency_idle_rtt_p95_ms": _real(idle + 3 * found.jitter_ms, 0.1),
        "latency_idle_ipdv_mean_ms": _real(found.jitter_ms, 0.01),
        "latency_idle_pdv_p95_ms": _real(3.2 * found.jitter_ms, 0.1),
        "latency_idle_loss_ratio": _real(found.lost_count / measure.ECHOES, 0.01),
        "latency_downlink_method": _text(["stamp"], np.where(loaded, 0, -1)),
        "latency_downlink_sent_count": _whole(sent // 2, loaded),
        "latency_downlink_received_count": _whole(sent // 2 - lost // 2, loaded),
        "latency_downlink_rtt_median_ms": _real(found.loaded_ms, 0.1),
        "responsiveness_downlink_rpm": _real(60_000 / found.loaded_ms, 1.0),
    }


def _throughput(found: Findings) -> dict[str, pl.Series]:
    columns: dict[str, pl.Series] = {}
    for direction, rate, seconds in (("downlink", found.downlink_bps, 4.0), ("uplink", found.uplink_bps, 3.0)):
        cut = (found.outcome == DROPPED) & (direction == "downlink")
        tried = ~np.isnan(rate)
        name = f"throughput_{direction}"
        columns |= {
            f"{name}_method": _text(["http"], np.where(tried | cut, 0, -1)),
            f"{name}_goodput_bps": _real(rate, 1000.0),
            f"{name}_low_bps": _real(rate * 0.97, 10_000.0),
            f"{name}_high_bps": _real(rate * 1.03, 10_000.0),
            f"{name}_bytes_count": _whole(np.nan_to_num(np.round(rate * seconds / 8e4) * 1e4), tried),
            f"{name}_duration_ms": _real(np.where(tried, seconds * 1000, np.nan), 1.0),
            f"{name}_stop_reason": _text(["stable", "error"], np.select([tried, cut], [0, 1], -1)),
            f"{name}_confidence": _text(["high"], np.where(tried, 0, -1)),
        }
    return columns


def _by_number(table: dict[int, Any], index: Array) -> pl.Series:
    words = [table[key] for key in sorted(table)]
    return _text(words, np.where(np.array([word is None for word in words])[index], -1, index))


def frame(
    book: Book,
    devices: Devices,
    spots: Spots,
    fixes: Fixes,
    tests: Tests,
    links: Links,
    found: Findings,
    rng: np.random.Generator,
) -> pl.DataFrame:
    """Return one row a test, with archive columns."""
    count = len(tests.device)
    kind, operator = devices.kind[tests.device], devices.operator[tests.device]
    started_us = (unix_seconds(tests) * 1e6).astype(np.int64)
    environment = spots.environment[tests.spot]
    moving = environment == 2
    noise = rng.bytes(count * 10)
    station = found.station
    areas = fixes.areas[tests.fix]
    columns: dict[str, Any] = {
        "record_id": uuid7s(started_us // 1000, np.frombuffer(noise, dtype=np.uint8).reshape(count, 10)),
        "schema_version": np.full(count, SCHEMA_VERSION),
        "probe_id": book.device_ids.gather(tests.device),
        "agent": _text(AGENT_OF, kind),
        "mode": _text(MODE_OF, kind),
        "started_at": pl.Series(started_us).cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        "outcome_status": _by_number(STATUS_OF, found.outcome),
        "outcome_failure": _by_number(FAILURE_OF, found.outcome),
        "outcome_operation": _by_number(OPERATION_OF, found.outcome),
        "campaign": _text(["simulated-certified"], np.where(kind == CREW, 0, -1)),
        "organisation": _text(book.organisations, devices.organisation[tests.device]),
        "duration_ms": _real(np.where(found.outcome == COMPLETE, 9000.0, 3000.0) + 500 * rng.random(count), 1.0),
        "clock_synchronised": np.full(count, True),
        "attempt_count": np.ones(count, dtype=np.int64),
        "is_simulated": np.full(count, True),
        "position_longitude_deg": fixes.longitude_deg[tests.fix],
        "position_latitude_deg": fixes.latitude_deg[tests.fix],
        "position_accuracy_m": fixes.accuracy_m[tests.fix],
        "position_speed_mps": _real(np.where(moving, 9.0, np.nan), 0.1),
        "position_source": _text(["fixed", "network", "gnss", "gnss"], kind),
        "position_is_mock": np.full(count, False),
        "position_environment": _text([str(e) for e in ENVIRONMENTS], environment),
        "network_operator": _text([o.name for o in OPERATORS], operator),
        "network_mcc": _text([o.mcc for o in OPERATORS], operator),
        "network_mnc": _text([o.mnc for o in OPERATORS], operator),
        "network_is_roaming": np.full(count, False),
        "network_technology": _text(TECHNOLOGIES, found.technology),
        "network_ip_version": np.full(count, 4),
        "access_connect_ms": _real(found.access_ms, 0.1),
        "server_site": _text(SERVERS, rng.choice(3, count, p=[0.55, 0.35, 0.1])),
        "server_is_domestic": np.full(count, True),
        "device_model": _text(MODEL_OF, kind),
        "device_limited_by": _by_number(LIMITED_OF, found.limited_by),
        "received_at": pl.Series(started_us + 12_000_000).cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        "base_station_id": _text(book.station_ids, station),
        "base_station_distance_m": _real(np.where(station >= 0, found.distance_m, np.nan), 1.0),
        "base_station_matched_by": _text(["identity"], np.where(station >= 0, 0, -1)),
        "h3_cell": fixes.h3_cell[tests.fix],
    }
    columns |= _radio(book, links, found) | _latency(found) | _throughput(found)
    for number, layer in enumerate(book.layers):
        columns[area_column(layer)] = _text(book.area_keys[number], areas[:, number])
    return pl.DataFrame(columns)
