import pytest

from measurement.record import Path
from probe.path import mtu
from probe.path.hops import HopFigures, HopSamples, Segment, Trouble, as_record, figures, findings, segments


def hop(
    ttl: int, address: str, received: int = 20, rtt_ms: float = 10.0, *, sent: int = 20, last: bool = False
) -> HopSamples:
    return HopSamples(ttl, sent, [rtt_ms] * received, {address: received} if received else {}, last)


def judged(*samples: HopSamples) -> list[HopFigures]:
    return figures(list(samples))


def test_a_silent_hop_belongs_where_both_neighbours_do() -> None:
    assert segments(["10.0.0.1", "10.9.0.1", None, "10.9.0.2", None]) == [
        Segment.ACCESS,
        Segment.OPERATOR,
        Segment.OPERATOR,
        Segment.OPERATOR,
        None,
    ]


def test_networks_are_told_apart_by_their_numbers_where_they_are_known() -> None:
    way = ["10.0.0.1", "203.113.1.1", "117.1.1.1", "8.8.8.8"]
    assert segments(way)[2] is Segment.BEYOND
    known = {"203.113.1.1": 7552, "117.1.1.1": 7552, "8.8.8.8": 15169}
    assert segments(way, known.get) == [Segment.ACCESS, Segment.OPERATOR, Segment.OPERATOR, Segment.BEYOND]


def test_a_router_that_answers_rarely_is_no_trouble() -> None:
    clean = judged(hop(1, "10.0.0.1", received=4), hop(2, "203.113.1.1"), hop(3, "8.8.8.8", last=True))
    assert clean[0].loss_ratio == 0.8
    assert findings(clean) == []


def test_loss_starts_at_the_first_hop_from_which_it_persists() -> None:
    lossy = judged(
        hop(1, "10.0.0.1"),
        hop(2, "203.113.1.1", received=3),
        hop(3, "203.113.1.9"),
        hop(4, "8.8.8.1", received=14),
        hop(5, "8.8.8.8", received=15, last=True),
    )
    found = findings(lossy)
    assert [(f.trouble, f.segment, f.ttl) for f in found] == [(Trouble.LOSS, Segment.BEYOND, 4)]
    assert "25% of 20 probes" in found[0].text


def test_one_probe_lost_of_ten_is_no_evidence() -> None:
    assert findings(judged(hop(1, "10.0.0.1", received=9, sent=10, last=True))) == []


def test_delay_is_blamed_on_the_hop_that_adds_it_not_on_a_router_of_low_priority() -> None:
    slow = judged(
        hop(1, "10.0.0.1", rtt_ms=20),
        hop(2, "203.113.1.1", rtt_ms=400),
        hop(3, "203.113.1.9", rtt_ms=25),
        hop(4, "8.8.8.8", rtt_ms=190, last=True),
    )
    assert [(f.trouble, f.ttl, f.segment) for f in findings(slow)] == [(Trouble.DELAY, 4, Segment.BEYOND)]


def test_a_slow_first_hop_is_the_access_network() -> None:
    slow = judged(hop(1, "10.0.0.1", rtt_ms=150), hop(2, "8.8.8.8", rtt_ms=160, last=True))
    assert findings(slow)[0].segment is Segment.ACCESS


@pytest.mark.parametrize(
    ("samples", "ttl", "segment"),
    [
        ([hop(1, "", received=0)], 1, Segment.ACCESS),
        ([hop(1, "10.0.0.1"), hop(2, "203.113.1.1"), hop(3, "", received=0)], 2, Segment.OPERATOR),
    ],
)
def test_silence_is_placed_after_the_last_hop_that_answers(
    samples: list[HopSamples], ttl: int, segment: Segment
) -> None:
    found = findings(figures(samples))
    assert [(f.trouble, f.ttl, f.segment) for f in found] == [(Trouble.UNREACHABLE, ttl, segment)]


def test_the_record_keeps_no_full_address() -> None:
    kept = as_record(judged(hop(1, "10.1.2.3"), hop(2, "2001:ee0:1:2::9", last=True)), 1400)
    assert isinstance(kept, Path)
    assert [h.address for h in kept.hops or []] == ["10.1.2.0/24", "2001:ee0:1::/48"]
    assert kept.mtu_bytes == 1400


def test_the_search_believes_a_router_and_needs_none() -> None:
    asked: list[int] = []

    def named(size: int) -> int | None:
        asked.append(size)
        return size if size <= 1400 else 1400

    assert mtu.search(named, 576, 1500) == 1400
    assert len(asked) <= 4
    for truth in range(576, 1501, 77):
        assert mtu.search(lambda size, truth=truth: size if size <= truth else None, 576, 1500) == truth
    assert mtu.search(lambda _: None, 576, 1500) is None


def test_a_router_that_lies_about_the_size_does_not_trap_the_search() -> None:
    assert mtu.search(lambda size: size if size <= 1000 else 1499 if size > 1499 else None, 576, 1500) == 1000
