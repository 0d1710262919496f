"""What is left out of a rating, one row a rule. A record counts under the first rule that takes it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from analysis.technology import MOBILE

AREA, BASE_STATION, GRID = "area", "base_station", "grid"
SCOPES = (AREA, BASE_STATION, GRID)
"""What a record may be left out of."""

_EVERYWHERE = frozenset(SCOPES)
KEPT = "kept"
"""Said of records that no rule takes out."""

_NOT_NETWORK = ("interrupted", "permission_denied", "method_unavailable")

ACCURACY_AREA_M = 200.0
ACCURACY_PLACE_M = 50.0


class Rule(NamedTuple):
    """A stable id, where it applies, its source, its evidence mark, and the condition that takes a record out."""

    id: str
    scopes: frozenset[str]
    source: str
    evidence: str
    condition: pl.Expr


RULES: tuple[Rule, ...] = (
    Rule("flagged", _EVERYWHERE, "docs/rating.md, cleaning: implausible records are kept but not rated", "D",
         pl.col("flags").list.len() > 0),
    Rule("not-limited-by-network", _EVERYWHERE, "docs/rating.md, cleaning: the instrument was the bottleneck", "D",
         pl.col("device_limited_by") != "network"),
    Rule("instrument-failure", _EVERYWHERE, "docs/rating.md, cleaning: the test was stopped, not the network", "D",
         pl.col("outcome_failure").is_in(_NOT_NETWORK)),
    Rule("server-busy", _EVERYWHERE, "docs/rating.md, cleaning: the server refused, the network did not fail", "D",
         pl.col("outcome_failure") == "server_busy"),
    Rule("mock-position", _EVERYWHERE, "docs/rating.md, cleaning: a false place", "D",
         pl.col("position_is_mock")),
    Rule("roaming", _EVERYWHERE, "docs/rating.md, cleaning: another operator's network", "D",
         pl.col("network_is_roaming")),
    Rule("not-mobile", _EVERYWHERE, "docs/rating.md, cleaning: Wi-Fi and wires have their own verb, sites", "D",
         ~pl.col("technology").is_in(MOBILE)),
    Rule("unknown-operator", _EVERYWHERE, "docs/rating.md, cleaning: nobody to answer for it", "D",
         pl.col("operator").is_null()),
    Rule("no-position", frozenset((AREA, GRID)), "docs/rating.md, cleaning: no place", "D",
         pl.col("h3_cell").is_null()),
    Rule("position-inaccurate-200m", frozenset((AREA,)), "docs/rating.md, cleaning: 200 m for areas", "D",
         pl.col("position_accuracy_m") > ACCURACY_AREA_M),
    Rule("position-inaccurate-50m", frozenset((BASE_STATION, GRID)), "docs/rating.md, cleaning: 50 m for these", "D",
         pl.col("position_accuracy_m") > ACCURACY_PLACE_M),
    Rule("no-base-station", frozenset((BASE_STATION,)), "docs/rating.md, cleaning: neither registry nor cell id", "D",
         pl.col("base_station").is_null()),
)  # fmt: skip


def reason(scope: str) -> pl.Expr:
    """Return the id of the first rule that takes each record out of a scope, null where it stays."""
    return pl.coalesce(
        pl.when(rule.condition.fill_null(False)).then(pl.lit(rule.id)) for rule in RULES if scope in rule.scopes
    )


def reasons(seen: pl.DataFrame) -> dict[str, npt.NDArray[np.uint8]]:
    """Return for each scope the number of the first rule that takes each record out, `len(RULES)` where it stays.

    As `reason`, many times as fast: every condition is worked out once.
    """
    conditions = seen.select(rule.condition.fill_null(False).alias(rule.id) for rule in RULES)
    found = {scope: np.full(len(seen), len(RULES), np.uint8) for scope in SCOPES}
    for number, rule in reversed(list(enumerate(RULES))):
        meets = conditions[rule.id].to_numpy()
        for scope in rule.scopes:
            found[scope][meets] = number
    return found
