"""A screen may ask a rule in vain; it never leaves out a rule that would have found something."""

import random
from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from archive.gathering import gather
from measurement import plausibility, rules
from measurement.errors import RecordError
from measurement.plausibility import Context, flags
from measurement.record import Record
from measurement.vocabulary import Failure, Leg, Status, Technology
from tests.archive.sample import record

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ODD = {
    "position": {"longitude_deg": (0.0,), "latitude_deg": (0.0,), "accuracy_m": (None, 1e4), "age_s": (30.0,),
                 "speed_mps": (2.0, 60.0), "is_mock": (True, False)},
    "radio": {"rsrp_dbm": (None, -150.0, -40.0, -30.5), "rsrq_db": (-40.0, -25.0, 0.0, 10.0), "sinr_db": (35.0,),
              "rssi_dbm": (-120.0, -20.0), "pci": (900, None), "tac": (70_000,), "leg": tuple(Leg),
              "cell_id": (2**28 - 1, 2**36 - 1, None)},
    "latency": {"rtt_median_ms": (1.0, 20_000.0, None), "sent_count": (5, 50), "received_count": (60,)},
    "throughput": {"goodput_bps": (0.0, 5e9, 1e6, None), "low_bps": (1e11, None), "high_bps": (1.0, None)},
    "network": {"technology": (None, *Technology)},
    "outcome": {"status": tuple(Status), "failure": (None, Failure.NO_SERVICE)},
}  # fmt: skip


def odd(noise: random.Random, group: str, content: msgspec.Struct) -> msgspec.Struct:
    chosen = {name: noise.choice(values) for name, values in ODD[group].items() if noise.random() < 0.15}
    return msgspec.structs.replace(content, **chosen)


def spoiled(noise: random.Random) -> Record:
    """A record of which each value may be doubtful or out of its range."""
    found = record(noise, at=NOW - timedelta(seconds=noise.choice((60, 60, -9000, 4e6))))
    assert found.radio is not None
    assert found.latency is not None
    assert found.throughput is not None
    groups = {name: odd(noise, name, getattr(found, name)) for name in ("position", "network", "outcome")}
    groups["latency"] = msgspec.structs.replace(found.latency, idle=odd(noise, "latency", found.latency.idle))
    groups["throughput"] = msgspec.structs.replace(
        found.throughput, **{d: odd(noise, "throughput", getattr(found.throughput, d)) for d in ("downlink", "uplink")}
    )
    radio = [odd(noise, "radio", sample) for sample in found.radio * noise.randint(0, 3)]
    gone = {name: None for name in ("position", "network", "latency", "throughput") if noise.random() < 0.1}
    return msgspec.structs.replace(
        found, radio=radio or None, clock_synchronised=noise.random() < 0.8, clock_offset_ms=4e5, **groups | gone
    )


def broken(found: Record, held: tuple[rules.Rule, ...]) -> str | None:
    try:
        rules.check(found, held)
    except RecordError as error:
        return str(error)
    return None


@given(st.integers(0, 2**32), st.integers(1, 6))
@settings(max_examples=400, deadline=None)
def test_a_screened_batch_is_judged_as_each_record_alone(seed: int, count: int) -> None:
    noise = random.Random(seed)
    batch = [spoiled(noise) for _ in range(count)]
    columns = gather(batch).columns()
    tests, held = plausibility.suspects(columns), rules.suspects(columns)
    for found in batch:
        assert flags(found, Context(NOW), tests) == flags(found, Context(NOW))
        assert broken(found, held) == broken(found, rules.RULES)


def test_an_ordinary_batch_is_asked_little() -> None:
    noise = random.Random(1)
    columns = gather([record(noise) for _ in range(50)]).columns()
    assert rules.suspects(columns) == ()
    asked = [name for _, tests in plausibility.suspects(columns) for name, _ in tests]
    assert asked == ["started-in-future", "started-long-ago", "tests-too-close", "position-jump"]


def test_every_rule_is_found_by_some_batch() -> None:
    noise = random.Random(2)
    found = {name for _ in range(3000) for name in flags(spoiled(noise), Context(NOW))}
    context = {"tests-too-close", "position-jump", "clock-unsynchronised"}  # need a test before, or a clock that is off
    assert found | context == set(plausibility.BY_ID)


def test_each_key_of_the_json_is_counted() -> None:
    noise = random.Random(3)
    batch = [spoiled(noise) for _ in range(20)]
    body = msgspec.json.Encoder().encode_lines(batch)
    assert gather(batch).key_count == body.count(b'":')
