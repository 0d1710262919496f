"""Verdicts against the regulations: certified campaigns by their own rules, all else indicative («chỉ dấu»)."""

from __future__ import annotations

import numpy as np
import polars as pl

from analysis import results, rules
from analysis.grading import verdicts
from analysis.groups import Rows
from analysis.judge import Scheme, judge
from analysis.observations import BASE_COLUMNS, DayRecords, observe
from analysis.partition import KPI_IDS, parent_cell
from analysis.quantisation import SCALES
from analysis.results import ALL, WHOLE
from analysis.tally import SPLITS
from analysis.technology import MOBILE
from analysis.thresholds import Quota, Thresholds

CERTIFIED, INDICATIVE = "certified", "indicative"
TITLES = {CERTIFIED: "certified (đo kiểm)", INDICATIVE: "indicative (chỉ dấu)"}

MOVING = "outdoor_moving"


def certified_samples(records: DayRecords, zone: str, thresholds: Thresholds, quota: Quota) -> pl.DataFrame:
    """Return the cleaned observations of one day's certified tests, with their environment."""
    frame = records.frame([*BASE_COLUMNS, "position_environment"]).filter(pl.col("mode") == quota.mode)
    seen = observe(frame, [], zone, thresholds).with_columns(frame["position_environment"].alias("environment"))
    return seen.filter(rules.reason(rules.AREA).is_null())


def spaced(samples: pl.DataFrame, spacing_s: float) -> pl.DataFrame:
    """Leave out tests that start sooner than the spacing after the device's last one that was kept.

    Examples
    --------
    >>> from datetime import datetime, timedelta
    >>> at = [datetime(2026, 5, 1) + timedelta(seconds=s) for s in (0, 10, 31, 61)]
    >>> spaced(pl.DataFrame({'probe_id': ['a'] * 4, 'started_at': at}), 30.0).height
    3
    """
    ordered = samples.sort("probe_id", "started_at")
    if ordered.is_empty():
        return ordered
    _, device = np.unique(ordered["probe_id"].to_numpy(), return_inverse=True)
    at = ordered["started_at"].dt.timestamp("us").to_numpy() / 1e6
    kept = np.zeros(len(at), bool)
    last_device, last_at = -1, 0.0
    for index in range(len(at)):  # each one depends on the last that was kept
        if device[index] != last_device or at[index] - last_at >= spacing_s:
            kept[index] = True
            last_device, last_at = device[index], at[index]
    return ordered.filter(pl.Series(kept))


def quota_missing(samples: pl.DataFrame, quota: Quota) -> str:
    """Say what a campaign lacks to be certified; empty where nothing.

    Examples
    --------
    >>> from analysis.thresholds import load
    >>> few = pl.DataFrame({'environment': ['indoor'] * 600})
    >>> quota_missing(few, load().quota[0])
    '900 samples, 500 outdoor_static, 500 outdoor_moving'
    """
    counts = dict(samples.group_by("environment").len().iter_rows())
    parts = [f"{quota.samples - samples.height} samples"] if samples.height < quota.samples else []
    for name in ("indoor", "outdoor_static", "outdoor_moving"):
        short = quota.per_environment - counts.get(name, 0)
        if short > 0:
            parts.append(f"{short} {name}")
    return ", ".join(parts)


def judge_campaign(samples: pl.DataFrame, thresholds: Thresholds) -> pl.DataFrame:
    """Return mean and share of every KPI for each operator x technology, every sample weighing the same."""
    operators = sorted(samples["operator"].unique().to_list())
    index = {name: number for number, name in enumerate(operators)}
    # Radio availability counts moving samples only (QCVN 81:2019/BTTTT).
    moving = pl.when(pl.col("environment") == MOVING).then(pl.col("coverage_share"))
    seen = samples.with_columns(moving.alias("coverage_share"))
    # The crews' instruments are calibrated, and few: what was sampled, and varies, is the place.
    place = (parent_cell(seen["h3_cell"].to_numpy(), 9) >> np.uint64(18)).astype(np.uint32)
    rows = Rows(
        np.zeros(len(seen), np.int64),
        seen["operator"].replace_strict(index, return_dtype=pl.Int64).to_numpy(),
        seen["technology"]
        .replace_strict({name: number for number, name in enumerate(MOBILE)}, return_dtype=pl.Int64)
        .to_numpy(),
        place,
        (place & np.uint32(SPLITS - 1)).astype(np.uint8),
        np.ones(len(seen), np.float32),
        np.ones(len(seen), np.float32),
        seen["started_at"].dt.epoch("d").cast(pl.UInt16).to_numpy(),
        seen["is_simulated"].fill_null(False).to_numpy(),
        {kpi: SCALES[kpi].encode(seen[kpi].to_numpy()) for kpi in KPI_IDS},
    )
    scheme = Scheme(thresholds, "area", MOBILE)
    found = judge(rows, (1, len(operators), len(MOBILE)), scheme, KPI_IDS)
    return found.with_columns(
        pl.col("operator").replace_strict(dict(enumerate([*operators, ALL])), return_dtype=pl.String),
        pl.col("technology").replace_strict(dict(enumerate([*MOBILE, ALL])), return_dtype=pl.String),
        pl.col("low", "high").fill_nan(None),
    )


def certified(samples: pl.DataFrame, thresholds: Thresholds) -> pl.DataFrame:
    """Return the verdicts of every campaign among certified samples."""
    quota = thresholds.quota[0]
    frames = [pl.DataFrame(schema=results.schema("compliance"))]
    for (campaign,), own in samples.group_by("campaign", maintain_order=True):
        kept = spaced(own, quota.spacing_s)
        crowd = own.height - kept.height
        for (operator, technology), group in kept.group_by("operator", "technology", maintain_order=True):
            missing = quota_missing(group, quota)
            spoken = verdicts(judge_campaign(group, thresholds), thresholds)
            spoken = spoken.filter((pl.col("operator") == operator) & (pl.col("technology") == technology))
            named = spoken.with_columns(
                pl.lit(INDICATIVE if missing else CERTIFIED).alias("kind"),
                pl.lit(campaign, pl.String).alias("campaign"),
                pl.lit(WHOLE).alias("period"),
                pl.lit(missing).alias("missing"),
                pl.lit(ALL).alias("area"),
            )
            frames.append(results.shape("compliance", named))
        if crowd:
            frames[-1] = frames[-1].with_columns(
                pl.concat_str(pl.col("missing"), pl.lit(f"{crowd} tests left out: under {quota.spacing_s:g} s apart"),
                              separator="; ").str.strip_prefix("; ").alias("missing")
            )  # fmt: skip
    return pl.concat(frames)


def indicative(area_ratings: pl.DataFrame, thresholds: Thresholds) -> pl.DataFrame:
    """Return the verdicts that the ratings of areas give: indicative only."""
    spoken = verdicts(area_ratings, thresholds).with_columns(
        pl.lit(INDICATIVE).alias("kind"), pl.lit("no certified campaign").alias("missing")
    )
    return results.shape("compliance", spoken)
