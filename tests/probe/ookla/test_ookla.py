"""The method `ookla`: the real speedtest-cli against a Mini server, with no Internet."""

import time

import pytest

from measurement.vocabulary import Confidence, Failure, LatencyMethod, Status, StopReason, ThroughputMethod
from probe import ookla
from probe.cycle import Cycle, run_cycle
from probe.target import parse, resolve
from probe.throughput.plan import Direction, Measured, Plan, Progress
from tests.probe.ookla.mini import mini


@pytest.fixture(autouse=True)
def forgotten() -> None:
    ookla._session.cache_clear()


def measured(url: str, direction: Direction, **plan: object) -> Measured:
    limits = {"duration_s": 1.0, "timeout_s": 2.0, **plan}
    return ookla.measure(direction, parse(url), Plan(**limits), lambda _: None)


@pytest.mark.parametrize("direction", list(Direction))
def test_a_mini_server_fills_the_record(direction: Direction) -> None:
    seen: list[Progress] = []
    with mini() as url:
        done = ookla.measure(direction, resolve(parse(url)), Plan(duration_s=2), seen.append)
    assert done.failure is None
    result = done.result
    assert (result.method, result.stop_reason) == (ThroughputMethod.OOKLA, StopReason.TIME)
    assert result.goodput_bps > 10e6
    assert result.bytes_count > 1_000_000
    assert result.confidence is Confidence.LOW
    assert (result.low_bps, result.slices_bytes) == (None, None)  # it tells no series
    assert result.duration_ms < 8000
    assert seen


def test_a_byte_budget_asks_for_less() -> None:
    with mini() as url:
        down = measured(url, Direction.DOWNLINK, byte_budget=5_000_000, duration_s=8).result
        up = measured(url, Direction.UPLINK, byte_budget=1_000_000, duration_s=8).result
    assert down.bytes_count <= 5_000_000
    assert up.bytes_count <= 1_100_000


def test_a_page_that_is_no_mini_server() -> None:
    with mini(page=b"<html>hello</html>") as url:
        done = measured(url, Direction.DOWNLINK)
    assert (done.result, done.failure.failure) == (None, Failure.PROTOCOL_ERROR)


def test_nobody_listens() -> None:
    done = measured("http://127.0.0.1:9", Direction.DOWNLINK)
    assert (done.result, done.failure.failure) == (None, Failure.CONNECTION_REFUSED)


def test_speedtest_nets_list_names_the_server_and_the_whole_cycle_meets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The real library, with www.speedtest.net led to this machine."""
    speedtest = ookla._library()
    real = speedtest.build_request

    def led(url: str, *rest: object, **more: object) -> object:
        public = "://www.speedtest.net"
        return real(url.replace(public, here) if url.startswith(public) else url, *rest, **more)

    monkeypatch.setattr(speedtest, "build_request", led)
    with mini() as here:
        record = run_cycle(
            parse("https://www.speedtest.net"),
            Cycle(probe_id="p", method="ookla", idle_s=0.2, plan=Plan(duration_s=1.0, timeout_s=2.0)),
        )
    assert record.outcome.status is Status.COMPLETE
    assert record.server.host == "127.0.0.1"
    assert record.latency.idle.method is LatencyMethod.TCP
    assert record.throughput.downlink.goodput_bps > 1e6
    assert record.throughput.uplink.goodput_bps > 1e6


def test_without_the_internet_the_public_service_is_a_failure_in_time() -> None:
    started = time.monotonic()
    done = measured("https://www.speedtest.net", Direction.DOWNLINK)
    assert time.monotonic() - started < 20
    assert done.failure is not None or done.result is not None
