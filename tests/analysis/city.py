"""Small archives with known content, made from arrays."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import h3.api.basic_int as h3
import numpy as np
import polars as pl

from archive.store import Archive
from measurement.geography import Area, BaseStation, Layer
from measurement.identity import uuid7

OPERATORS = np.array(["Viettel", "VinaPhone", "MobiFone"])
START = datetime(2026, 5, 1, tzinfo=UTC)


def square(west: float, south: float, side: float = 0.05) -> list[Any]:
    return [[[(west, south), (west + side, south), (west + side, south + side), (west, south + side), (west, south)]]]


def layer(count: int, key: str = "districts-2024") -> Layer:
    areas = [
        Area(key=f"d{i}", name=f"Quận {i}", name_en=f"District {i}", polygons=square(106.6 + 0.05 * i, 20.8))
        for i in range(count)
    ]
    return Layer(key=key, title_en="Districts", title_vi="Quận", areas=areas)


def records(seed: int, count: int, days: int = 10, areas: int = 3, devices: int = 80, **columns: Any) -> pl.DataFrame:
    """Return `count` clean records; columns given replace those made."""
    rng = np.random.default_rng(seed)
    area = rng.integers(0, areas, count)
    longitude, latitude = 106.6 + 0.05 * (area + rng.random(count)), 20.8 + 0.05 * rng.random(count)
    is_nr = rng.random(count) < 0.4
    device = rng.integers(0, devices, count)
    gain = np.exp(rng.normal(0, 0.3, devices))[device]
    speed = np.where(is_nr, 200e6, 40e6) * np.exp(rng.normal(0, 0.6, count)) * gain
    at = [START + timedelta(seconds=float(s)) for s in np.sort(rng.random(count)) * days * 86_400]
    made: dict[str, Any] = {
        "record_id": [uuid7(int(t.timestamp() * 1000), rng.bytes(10)) for t in at],
        "schema_version": 1,
        "probe_id": [f"p{d:04d}" for d in device],
        "organisation": [f"office {d % 4}" for d in device],
        "agent": "test/1",
        "mode": "scheduled",
        "started_at": at,
        "outcome_status": "complete",
        "is_simulated": True,
        "position_longitude_deg": longitude,
        "position_latitude_deg": latitude,
        "position_accuracy_m": 10.0,
        "position_environment": np.array(["indoor", "outdoor_static", "outdoor_moving"])[rng.integers(0, 3, count)],
        "h3_cell": [h3.latlng_to_cell(y, x, 10) for x, y in zip(longitude, latitude, strict=True)],
        "areas_districts_2024": [f"d{i}" for i in area],
        "network_operator": OPERATORS[device % 3],
        "network_technology": np.where(is_nr, "nr_nsa", "lte"),
        "throughput_downlink_goodput_bps": speed,
        "throughput_uplink_goodput_bps": speed / 4,
        "latency_idle_rtt_median_ms": 20 * np.exp(rng.normal(0, 0.3, count)),
        "latency_idle_ipdv_mean_ms": 3 * np.exp(rng.normal(0, 0.3, count)),
        "latency_idle_loss_ratio": rng.choice([0.0, 0.01], count),
        "access_connect_ms": 50 * np.exp(rng.normal(0, 0.3, count)),
        "radio_anchor_rsrp_dbm": np.round(rng.normal(-95, 8, count)),
        "radio_nr_rsrp_dbm": np.round(rng.normal(-95, 8, count)),
        "base_station_id": [f"b{i}" for i in rng.integers(0, 5, count)],
        "device_limited_by": "network",
    }
    return pl.DataFrame(made | columns)


def stations() -> list[BaseStation]:
    return [
        BaseStation(
            id=f"b{i}", operator="Viettel", technology="lte", longitude_deg=106.62 + 0.03 * i, latitude_deg=20.82
        )
        for i in range(5)
    ]


def archive(path: Path, frame: pl.DataFrame | None, areas: int = 3) -> Archive:
    made = Archive(path, create=True)
    made.set_layers([layer(areas)])
    made.set_base_stations(stations())
    if frame is not None and not frame.is_empty():
        made.append_frame(frame)
    return made
