"""What the probe can do stands in the documentation."""

from pathlib import Path

import pytest

from measurement.record import LatencyResult
from probe.latency import METHODS as LATENCY_METHODS
from probe.latency.icmp import WAYS
from probe.methods import METHODS
from probe.path.hops import Segment
from probe.path.link import ProbeKind
from probe.servers import Candidate, Role

TEXT = Path("docs/methods-latency.md").read_text("utf-8")


@pytest.mark.parametrize("name", [*LATENCY_METHODS, *(m for m in METHODS if m != "http"), *ProbeKind, *Role])
def test_every_method_and_role_is_explained(name: str) -> None:
    assert str(name) in TEXT


@pytest.mark.parametrize(
    "field", [f for f in LatencyResult.__struct_fields__ if f.startswith(("ipdv", "pdv", "loss_ratio"))]
)
def test_every_figure_that_needs_a_definition_has_one(field: str) -> None:
    assert f"`{field}`" in TEXT


@pytest.mark.parametrize("key", Candidate.__struct_fields__)
def test_every_key_of_the_list_of_servers_is_shown(key: str) -> None:
    assert f"{key} = " in TEXT


def test_the_ways_of_icmp_are_a_decision() -> None:
    decision = Path("docs/decisions/0012-icmp-by-three-ways.md").read_text("utf-8")
    assert all(way in decision for way in WAYS)
    assert all(segment in TEXT for segment in (Segment.ACCESS, Segment.OPERATOR, Segment.BEYOND))
