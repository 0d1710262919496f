"""Whose fault: one probe among many, one server among many, or the network."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from analysis.degraded.confirm import shift

NETWORK, SERVER, PROBE = "network", "server", "probe"
_FEWEST = 10
_ALONE = 0.4
"""Without the guilty one less than this share of the fall is left."""


class Blame(NamedTuple):
    """What is to blame, and its name; None for the network."""

    what: str
    name: str | None


def _fall(before: pl.DataFrame, after: pl.DataFrame) -> float | None:
    if before.height < _FEWEST or after.height < _FEWEST:
        return None
    return -shift(before["residual"].to_numpy(), after["residual"].to_numpy()).estimate


def _alone(before: pl.DataFrame, after: pl.DataFrame, column: str, fall: float) -> str | None:
    """Return the one value of a column without which the fall is gone, among values that others do not share."""
    worst = (
        after.drop_nulls(column)
        .group_by(column)
        .agg(pl.col("residual").sum().alias("total"))
        .sort("total")
        .get_column(column)
        .to_list()
    )
    if len(worst) < 2:
        return None
    guilty = worst[0]
    rest = _fall(before.filter(pl.col(column) != guilty), after.filter(pl.col(column) != guilty))
    return str(guilty) if rest is not None and rest < _ALONE * fall else None


def judge(before: pl.DataFrame, after: pl.DataFrame, everyone: pl.DataFrame, operator: str, fall: float) -> Blame:
    """Blame a fall on a probe, a server or the network.

    Parameters
    ----------
    before, after
        Collapsed rows of the stream on both sides of the change.
    everyone
        Collapsed rows of every operator since the change, in any area.
    operator
        Operator of the stream.
    fall
        How much its residuals fell, above 0.
    """
    probe = _alone(before, after, "probe_id", fall)
    if probe is not None:
        return Blame(PROBE, probe)
    server = _alone(before, after, "server", fall)
    if server is not None:
        return Blame(SERVER, server)
    main = after["server"].drop_nulls().mode().sort()
    if len(main) == 0:
        return Blame(NETWORK, None)
    # A server that fails fails everybody: two other operators whose tests to it fell as much.
    others = (
        everyone.filter((pl.col("server") == main[0]) & (pl.col("operator") != operator))
        .group_by("operator")
        .agg(pl.col("residual").median().alias("fall"), pl.len().alias("count"))
        .filter((pl.col("count") >= 3 * _FEWEST) & (pl.col("fall") < -(1 - _ALONE) * fall))
    )
    return Blame(SERVER, str(main[0])) if others.height >= 2 else Blame(NETWORK, None)
