"""A crowd of real tests at one peer: never more than its places at one time, and everybody is served in the end."""

from __future__ import annotations

import threading
import time

from probe.peer.limits import Limits
from probe.peer.server import Peer
from probe.peer.state import PeerSettings
from probe.target import parse, resolve
from probe.throughput.http import measure
from probe.throughput.plan import Direction, Measured, Plan

PLACES, PROBES = 3, 12


def test_a_crowd_is_served_in_turn() -> None:
    limits = Limits(tests=PLACES, tests_per_address=PLACES, waiting=PROBES, wait_s=30)
    peer = Peer(PeerSettings(host="127.0.0.1", port=0, stamp_port=-1, limits=limits))
    peer.start()
    target = resolve(parse(peer.url))
    plan = Plan(duration_s=1, pretest_s=0.1, byte_budget=300_000, stream_count=2, timeout_s=30)
    outcomes: list[Measured] = []

    def probe(direction: Direction) -> None:
        outcomes.append(measure(direction, target, plan, lambda progress: None))

    threads = [threading.Thread(target=probe, args=(list(Direction)[number % 2],)) for number in range(PROBES)]
    most = 0
    try:
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            most = max(most, peer.admission.running_count)
            time.sleep(0.002)
    finally:
        peer.stop(1)
    assert most == PLACES
    assert [outcome.failure for outcome in outcomes] == [None] * PROBES
    assert peer.metrics.registry.get_sample_value("haidang_peer_tests_total", {"outcome": "admitted"}) == PROBES
    assert peer.metrics.registry.get_sample_value("haidang_peer_tests_total", {"outcome": "busy"}) == 0
    assert peer.admission.waiting_count == 0
