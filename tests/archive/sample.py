"""Records of about 1.5 kB as a probe on a cellular line writes them, seeded."""

import random
from datetime import UTC, datetime, timedelta

from measurement.identity import uuid7
from measurement.record import (
    Access,
    Device,
    Latency,
    LatencyResult,
    Network,
    Outcome,
    Position,
    RadioSample,
    Record,
    Server,
    Throughput,
    ThroughputResult,
)
from measurement.vocabulary import (
    Confidence,
    Environment,
    LatencyMethod,
    Leg,
    LimitedBy,
    Mode,
    PositionSource,
    Status,
    StopReason,
    Technology,
    ThroughputMethod,
)

HAI_PHONG = (106.60, 106.75, 20.80, 20.90)


def latency(noise: random.Random) -> LatencyResult:
    middle = round(noise.lognormvariate(3.3, 0.3), 2)
    return LatencyResult(
        method=LatencyMethod.STAMP,
        sent_count=100,
        received_count=99,
        rtt_min_ms=round(middle * 0.8, 2),
        rtt_median_ms=middle,
        rtt_mean_ms=round(middle * 1.05, 2),
        rtt_p95_ms=round(middle * 1.6, 2),
        ipdv_mean_ms=round(middle * 0.1, 2),
        loss_ratio=0.01,
    )


def throughput(noise: random.Random, middle_bps: float) -> ThroughputResult:
    rate = float(round(middle_bps * noise.lognormvariate(0, 0.5)))
    return ThroughputResult(
        method=ThroughputMethod.HTTP,
        goodput_bps=rate,
        low_bps=rate * 0.97,
        high_bps=rate * 1.03,
        bytes_count=int(rate),
        duration_ms=8000.5,
        stream_count=3,
        slice_ms=500.0,
        slices_bytes=[int(rate / 16 * noise.uniform(0.8, 1.2)) for _ in range(8)],
        stop_reason=StopReason.STABLE,
        confidence=Confidence.HIGH,
    )


def record(noise: random.Random, *, probe_id: str = "probe-1", at: datetime | None = None, **fields: object) -> Record:
    at = at or datetime.now(UTC) - timedelta(seconds=noise.uniform(60, 3000))
    west, east, south, north = HAI_PHONG
    values: dict[str, object] = {
        "record_id": uuid7(int(at.timestamp() * 1000), noise.randbytes(10)),
        "schema_version": 1,
        "probe_id": probe_id,
        "agent": "haidang-probe/0.1.0",
        "mode": Mode.SCHEDULED,
        "started_at": at,
        "outcome": Outcome(status=Status.COMPLETE),
        "duration_ms": 21_000.0,
        "clock_synchronised": True,
        "position": Position(
            longitude_deg=round(noise.uniform(west, east), 6),
            latitude_deg=round(noise.uniform(south, north), 6),
            accuracy_m=8.0,
            source=PositionSource.GNSS,
            environment=Environment.OUTDOOR_STATIC,
        ),
        "network": Network(operator="Viettel", mcc="452", mnc="04", technology=Technology.LTE, interface="wwan0"),
        "radio": [
            RadioSample(
                at_ms=0.0,
                cell_id=500 * 256 + 3,
                pci=101,
                tac=1021,
                arfcn=1300,
                band=3,
                rsrp_dbm=round(noise.uniform(-110, -70), 1),
                rsrq_db=-10.5,
                sinr_db=12.0,
                leg=Leg.ANCHOR,
                is_serving=True,
            )
        ],
        "latency": Latency(idle=latency(noise)),
        "throughput": Throughput(downlink=throughput(noise, 4e7), uplink=throughput(noise, 1e7)),
        "access": Access(resolve_ms=12.0, connect_ms=30.0, first_byte_ms=61.5),
        "server": Server(host="peer.example", is_domestic=True),
        "device": Device(model="raspberrypi,4", cpu_max_ratio=0.4, limited_by=LimitedBy.NETWORK),
    }
    return Record(**(values | fields))  # type: ignore[arg-type]


def records(count: int, seed: int = 1, **fields: object) -> list[Record]:
    noise = random.Random(seed)
    return [record(noise, **fields) for _ in range(count)]  # type: ignore[arg-type]
