"""Places, queue and allowances of the peer, on a clock that the test moves."""

from __future__ import annotations

import threading

import pytest

from measurement.errors import ConfigError
from probe.peer.admission import HOUR_S, LINGER_S, SHARED_STREAMS, Admission, Busy
from probe.peer.limits import Limits


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_places_are_bounded_and_given_back(clock: Clock) -> None:
    admission = Admission(Limits(tests=2), clock)
    first, _ = admission.open("a"), admission.open("b")
    with pytest.raises(Busy) as busy:
        admission.open("c", wait_s=0)
    assert busy.value.retry_after_s >= 1
    admission.close(first)
    admission.close(first)
    assert admission.open("c", wait_s=0).address == "c"


def test_one_address_cannot_take_every_place(clock: Clock) -> None:
    admission = Admission(Limits(tests=10, tests_per_address=2), clock)
    admission.open("a"), admission.open("a")
    with pytest.raises(Busy):
        admission.open("a", wait_s=0)
    assert admission.open("b", wait_s=0).address == "b"


def test_the_address_with_fewer_tests_goes_first() -> None:
    admission = Admission(Limits(tests=2, tests_per_address=2, wait_s=20))
    one, other = admission.open("greedy"), admission.open("x")
    order: list[str] = []

    def wait(address: str) -> None:
        lease = admission.open(address)
        order.append(address)
        admission.close(lease)

    threads = []
    for address in ("greedy", "modest"):
        threads.append(threading.Thread(target=wait, args=(address,)))
        threads[-1].start()
        while admission.waiting_count < len(threads):
            pass
    admission.close(other)
    for thread in threads:
        thread.join(10)
    assert order == ["modest", "greedy"]
    admission.close(one)
    assert admission.running_count == admission.waiting_count == 0


def test_queue_is_bounded() -> None:
    admission = Admission(Limits(tests=1, waiting=1, wait_s=5))
    lease = admission.open("a")
    thread = threading.Thread(target=lambda: admission.close(admission.open("b")))
    thread.start()
    while not admission.waiting_count:
        pass
    with pytest.raises(Busy, match="queue is full"):
        admission.open("c")
    admission.close(lease)
    thread.join(5)


@pytest.mark.parametrize(
    "limits", [Limits(tests_per_address_hour=1), Limits(bytes_per_address_hour=100), Limits(seconds_per_address_hour=5)]
)
def test_an_hour_has_an_end(clock: Clock, limits: Limits) -> None:
    admission = Admission(limits, clock)
    lease = admission.open("a")
    admission.spend(lease, 100)
    clock.now += 6
    admission.close(lease)
    with pytest.raises(Busy, match="hour") as busy:
        admission.open("a")
    clock.now += busy.value.retry_after_s
    assert admission.open("a").address == "a"
    assert busy.value.retry_after_s <= HOUR_S


def test_a_test_ends_by_time_and_by_bytes(clock: Clock) -> None:
    admission = Admission(Limits(test_s=10, test_bytes=100), clock)
    lease = admission.open("a")
    assert admission.spend(lease, 99)
    assert not admission.spend(lease, 1)
    late = admission.open("b")
    clock.now += 11
    assert not admission.spend(late, 1)


def test_a_test_without_streams_ends_by_itself(clock: Clock) -> None:
    admission = Admission(Limits(tests=1), clock)
    lease = admission.open("a")
    admission.enter(lease)
    clock.now += LINGER_S + 1
    assert admission.find(lease.id) is lease
    admission.leave(lease)
    clock.now += LINGER_S + 1
    assert admission.find(lease.id) is None
    assert admission.open("b", wait_s=0)


def test_streams_that_name_no_test_share_a_place(clock: Clock) -> None:
    admission = Admission(Limits(tests=2), clock)
    leases = [admission.join("a") for _ in range(SHARED_STREAMS + 1)]
    assert len(set(map(id, leases))) == 2
    assert admission.join("a") is leases[-1]
    with pytest.raises(Busy):
        admission.open("b", wait_s=0)


def test_outcomes_add_up(clock: Clock) -> None:
    outcomes: list[str] = []
    admission = Admission(Limits(tests=1), clock)
    admission.on_outcome = outcomes.append
    lease = admission.open("a")
    with pytest.raises(Busy):
        admission.open("b", wait_s=0)
    admission.close(lease)
    admission.close(lease)
    assert outcomes == ["admitted", "busy", "ended"]


def test_limits_are_positive() -> None:
    with pytest.raises(ConfigError, match="Invalid tests 0"):
        Limits(tests=0)
