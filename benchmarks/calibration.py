"""Whether intervals hold what they promise: simulated cities whose truth is known, judged as real ones are."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from multiprocessing import get_context
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from analysis import rules, thresholds
from analysis.grading import verdicts
from analysis.groups import Rows
from analysis.judge import Scheme, judge
from analysis.observations import BASE_COLUMNS, observe
from analysis.partition import KPI_IDS, NO_AREA, coded, partial_of
from analysis.quantisation import SCALES, SHARES
from analysis.ranking import differing
from analysis.scores import score
from analysis.tally import SPLITS
from archive.frames import conform
from benchmarks import Row
from benchmarks import __main__ as results
from measurement.columns import area_column
from simulation.city import City, Scale
from simulation.panel import Mix
from simulation.truth import draw

LAYER = "communes-2025"
ZONE = "Asia/Ho_Chi_Minh"
START = date(2026, 5, 4)
TECHNOLOGIES = ("5g", "4g")
OPERATORS = ("Viettel", "VinaPhone", "MobiFone", "Vietnamobile")
DRAWS = 60_000
PROBABILITIES = {"p10": 0.1, "median": 0.5, "p90": 0.9}


class Design(NamedTuple):
    """How a city is sampled."""

    communes: int
    phones: int
    records: int
    days: int
    mix: tuple[float, float, float, float]
    skew: float
    urban_bias: float
    quality_bias: float


def _observed(frame: pl.DataFrame, areas: Sequence[str]) -> pl.DataFrame:
    columns = [*BASE_COLUMNS, area_column(LAYER)]
    held = [name for name in columns if name in frame.columns]
    return observe(conform(frame.select(held), [LAYER]).select(columns), [LAYER], ZONE, thresholds.load())


def sample(city: City, design: Design) -> tuple[pl.DataFrame, list[str]]:
    """Return the collapsed rows of a city's records, day by day, and the keys of its communes."""
    areas = list(city.settlement.keys)
    parts = []
    for frame in city.records(design.records, days=design.days, start=START):
        local = pl.col("started_at").dt.convert_time_zone(ZONE).dt.date().alias("civil")
        for (day,), part in frame.with_columns(local).partition_by("civil", as_dict=True).items():
            number = (day - date(1970, 1, 1)).days
            seen = _observed(part, areas)
            whole = coded(seen, {LAYER: areas}, np.full(len(seen), number, np.uint16))
            tests = partial_of(whole, {LAYER: areas}, 0, len(seen)).area_tests
            names = pl.Series(list(whole.operators))
            parts.append(pl.DataFrame(tests).with_columns(names.gather(tests["operator"]).alias("operator")))
    return pl.concat(parts), areas


def votes(rows: pl.DataFrame) -> tuple[Any, Any]:
    """Return the share of its unit, and of its device's vote, that each test holds."""
    share = rows.select(share=(1 / pl.col("unit_size")).cast(pl.Float32), device="device")
    weight = share.select((pl.col("share") / pl.col("share").sum().over("device")).cast(pl.Float32))
    return share["share"].to_numpy(), weight.to_series().to_numpy()


def rated(rows: pl.DataFrame, areas: Sequence[str]) -> pl.DataFrame:
    """Judge communes as `haidang-analysis rate` does."""
    rows = rows.filter(pl.col(area_column(LAYER)) != NO_AREA)
    operator = rows["operator"].replace_strict(dict(zip(OPERATORS, range(4), strict=True)), return_dtype=pl.Int64)
    columns = Rows(
        rows[area_column(LAYER)].to_numpy().astype(np.int64),
        operator.to_numpy(),
        rows["technology"].to_numpy().astype(np.int64),
        rows["device"].to_numpy(),
        (rows["device"].to_numpy() & np.uint32(SPLITS - 1)).astype(np.uint8),
        *votes(rows),
        rows["day"].to_numpy(),
        rows["is_simulated"].to_numpy(),
        {kpi: rows[kpi].to_numpy() for kpi in KPI_IDS},
    )
    scheme = Scheme(thresholds.load(), "area", TECHNOLOGIES)
    return judge(columns, (len(areas), 4, 2), scheme, KPI_IDS)


def truth(city: City, areas: Sequence[str], draws: int) -> pl.DataFrame:
    """Return true statistics and scores of commune x operator x technology: citizens drawn afresh, one test each."""
    drawn = draw(city, draws, START)
    seen = _observed(drawn, areas).with_columns(drawn["weight"]).filter(pl.col(area_column(LAYER)).is_not_null())
    # What a rating is about: tests that the network limited. Those it leaves out are left out of the truth as well.
    seen = seen.filter(rules.reason(rules.AREA).is_null())
    seen = seen.with_columns(pl.col(area_column(LAYER)).alias("area"))
    by = ["area", "operator", "technology"]
    tables = []
    for kpi in KPI_IDS:
        known = seen.select(*by, "weight", pl.col(kpi).alias("x")).drop_nulls("x")
        known = known.sort("x")
        share = pl.col("weight").cum_sum() / pl.col("weight").sum()
        mean = ((pl.col("x") * pl.col("weight")).sum() / pl.col("weight").sum()).alias(
            "share" if kpi in SHARES else "mean"
        )
        quantiles = (
            [] if kpi in SHARES else [pl.col("x").filter(share >= p).first().alias(n) for n, p in PROBABILITIES.items()]
        )
        table = known.group_by(by, maintain_order=True).agg(mean, *quantiles, pl.len().alias("draws"))
        tables.append(
            table.unpivot(index=[*by, "draws"], variable_name="statistic", value_name="truth").with_columns(
                kpi=pl.lit(kpi)
            )
        )
    whole = pl.concat(tables)
    return pl.concat((whole, true_scores(whole)), how="diagonal")


def true_scores(whole: pl.DataFrame) -> pl.DataFrame:
    """Return the scores of the true statistics."""
    limits = thresholds.load()
    parts, weights = limits.part[0].weights, limits.weights("area")
    rows = []
    for (area, operator, technology), group in whole.group_by("area", "operator", "technology"):
        values = {(k, s): v for k, s, v in group.select("kpi", "statistic", "truth").iter_rows()}
        total = weight = 0.0
        for kpi, own in weights.items():
            target = limits.targets(str(technology)).get(kpi)
            if target is None:
                continue
            own_parts = parts if len(target.values) > 1 else dict.fromkeys(target.values, 1.0)
            found = [
                (own_parts[s], float(score(values[kpi, s], target, s, limits)))
                for s in target.values
                if (kpi, s) in values
            ]
            if found:
                total += own * sum(w * x for w, x in found) / sum(w for w, _ in found)
                weight += own
        rows.append((area, operator, technology, "score", "score", total / weight))
    return pl.DataFrame(rows, schema=["area", "operator", "technology", "kpi", "statistic", "truth"], orient="row")


def design_of(seed: int) -> Design:
    """Return how the city of a seed is sampled: sizes, device mixes, heavy users and bias all vary."""
    rng = np.random.default_rng([seed, 9])
    mixes = ((0, 1, 0, 0), (0.05, 0.95, 0, 0), (0.22, 0.55, 0.18, 0.05), (0, 0.8, 0.2, 0))
    return Design(
        communes=3, phones=int(rng.integers(500, 1800)), records=int(rng.integers(6_000, 30_000)),
        days=int(rng.choice([14, 28])), mix=mixes[seed % 4], skew=float(rng.uniform(0, 1.5)),
        urban_bias=float(rng.choice([0.0, 0.5])), quality_bias=float(rng.choice([0.0, 0.5])),
    )  # fmt: skip


def compare(seed: int, draws: int = DRAWS) -> pl.DataFrame:
    """Return the estimates of one city beside its truth."""
    design = design_of(seed)
    city = City(seed, communes=design.communes, scale=Scale(30 * design.communes, design.phones, 2 * design.communes),
                mix=Mix(*design.mix), skew=design.skew, urban_bias=design.urban_bias,
                quality_bias=design.quality_bias)  # fmt: skip
    rows, areas = sample(city, design)
    found = rated(rows, areas).filter((pl.col("operator") < 4) & (pl.col("technology") < 2))
    named = found.with_columns(
        pl.col("unit").replace_strict(dict(enumerate(areas)), return_dtype=pl.String).alias("area"),
        pl.col("operator").replace_strict(dict(enumerate(OPERATORS)), return_dtype=pl.String),
        pl.col("technology").replace_strict(dict(enumerate(TECHNOLOGIES)), return_dtype=pl.String),
    )
    keys = ["area", "operator", "technology", "kpi", "statistic"]
    return named.join(truth(city, areas, draws), on=keys).with_columns(seed=pl.lit(seed)).fill_nan(None)


def rounded(kpi: str, value: float) -> float:
    """Return a true value at the resolution that codes keep."""
    if kpi not in SCALES or kpi in SHARES:
        return value
    return float(SCALES[kpi].centres[SCALES[kpi].encode([value])[0]])


def is_held() -> pl.Expr:
    """Return whether the interval holds the truth, at the resolution that codes keep."""
    kept = pl.struct("kpi", "truth").map_elements(
        lambda row: rounded(row["kpi"], row["truth"]), return_dtype=pl.Float64
    )
    slack = 1e-9 * pl.col("truth").abs() + 1e-12
    exact = pl.col("statistic").is_in(("mean", "share", "score"))
    at = pl.when(exact).then(pl.col("truth")).otherwise(kept)
    return (at >= pl.col("low") - slack) & (at <= pl.col("high") + slack)


def coverage(found: pl.DataFrame, by: list[str]) -> pl.DataFrame:
    """Return the share of intervals that hold the truth, among figures on enough evidence."""
    minimum = thresholds.load().minimum_of("area")
    rated_only = found.filter(
        pl.col("low").is_not_null() & (pl.col("rows_count") >= minimum.samples)
        & (pl.col("devices_count") >= minimum.devices) & pl.col("truth").is_not_null()
    )  # fmt: skip
    judged = rated_only.with_columns(is_held().alias("held"))
    return judged.group_by(by).agg(intervals=pl.len(), covered=pl.col("held").mean()).sort(by)


def false_ranks(found: pl.DataFrame) -> tuple[int, int]:
    """Return how many pairs were ranked, and how many of them the wrong way round."""
    minimum = thresholds.load().minimum_of("area")
    scores = found.filter(
        (pl.col("kpi") == "score") & (pl.col("statistic") == "score") & (pl.col("rows_count") >= minimum.ranking)
        & pl.col("low").is_not_null() & (pl.col("devices_count") >= minimum.devices)
    )  # fmt: skip
    ranked = wrong = 0
    for _, group in scores.group_by("seed", "technology", maintain_order=True):
        better, worse = differing(group["value"].to_numpy(), group["error"].to_numpy(), group["freedom"].to_numpy() - 1)
        true = group["truth"].to_numpy()
        ranked += len(better)
        wrong += int((true[better] < true[worse]).sum())
    return ranked, wrong


def wrong_verdicts(found: pl.DataFrame) -> tuple[int, int, int]:
    """Return how many verdicts there were, how many were decided, and how many of these were wrong."""
    limits = thresholds.load()
    minimum = limits.minimum_of("area")
    enough = found.filter((pl.col("rows_count") >= minimum.samples) & (pl.col("devices_count") >= minimum.devices))
    spoken = verdicts(enough.filter(pl.col("truth").is_not_null()), limits).filter(pl.col("kpi") != "coverage_share")
    good = pl.when(pl.col("bound") == "at_least").then(pl.col("truth") >= pl.col("limit")).otherwise(
        pl.col("truth") <= pl.col("limit"))  # fmt: skip
    decided = spoken.filter(pl.col("verdict") != "INDETERMINATE")
    wrong = decided.filter((pl.col("verdict") == "PASS") != good)
    return spoken.height, decided.height, wrong.height


HEADLINES = ("median", "p10", "p90", "mean", "share", "score")


def smooth(found: pl.DataFrame) -> pl.DataFrame:
    """Leave out percentiles of loss: most of them are exactly 0, estimate, interval and truth alike."""
    return found.filter((pl.col("kpi") != "loss") | (pl.col("statistic") == "mean"))


def report(found: pl.DataFrame) -> str:
    """Return the calibration table as Markdown."""
    seeds = sorted(found["seed"].unique().to_list())
    lines = ["| what | intervals | covered |", "|---|---:|---:|"]
    for statistic, count, share in coverage(smooth(found), ["statistic"]).iter_rows():
        if statistic in HEADLINES:
            lines.append(f"| {statistic} | {count:,} | {share * 100:.1f} % |")
    ranked, wrong = false_ranks(found)
    lines.append(f"| pairs ranked; the wrong way round | {ranked:,} | {wrong / max(ranked, 1) * 100:.2f} % |")
    spoken, decided, bad = wrong_verdicts(found)
    lines.append(f"| verdicts decided (of {spoken:,}); wrong | {decided:,} | {bad / max(decided, 1) * 100:.2f} % |")
    return "\n".join([f"{len(seeds)} simulated cities, seeds {seeds[0]} to {seeds[-1]}.", "", *lines])


def judge_cities(cities: int = 200, first: int = 1000, jobs: int = 2) -> pl.DataFrame:
    """Judge simulated cities and return every estimate beside its truth."""
    frames = []
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        for index, frame in enumerate(pool.map(compare, range(first, first + cities)), 1):
            frames.append(frame)
            print(f"\r{index}/{cities} cities", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return pl.concat(frames)


def rows_of(found: pl.DataFrame) -> list[Row]:
    """Return the rows of a calibration."""
    cities = found["seed"].n_unique()
    rows = []
    for statistic, count, share in coverage(smooth(found), ["statistic"]).iter_rows():
        if statistic in HEADLINES:
            what = f"95 % intervals of {statistic} on {cities} simulated cities"
            rows.append(
                Row("calibration", what, "93 to 97 % hold the truth", f"{share * 100:.1f} %", f"{count:,} intervals")
            )
    ranked, wrong = false_ranks(found)
    shown = f"{wrong / max(ranked, 1) * 100:.2f} %"
    rows.append(
        Row("calibration", "pairs ranked the wrong way round", "at most 5 %", shown, f"{ranked:,} pairs ranked")
    )
    spoken, decided, bad = wrong_verdicts(found)
    shown = f"{bad / max(decided, 1) * 100:.2f} %"
    rows.append(Row("calibration", "wrong PASS or FAIL", "at most 2.5 %", shown, f"{decided:,} of {spoken:,} decided"))
    return rows


def run(cities: int = 200) -> list[Row]:
    """Return the rows of the calibration."""
    return rows_of(judge_cities(cities))


def main() -> None:
    """Print the table; `--out` keeps every estimate, `--read` goes on from what several runs kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cities", type=int, default=200)
    parser.add_argument("--first", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out")
    parser.add_argument("--read", nargs="+", help="Files that --out wrote, instead of judging cities.")
    parser.add_argument("--write", action="store_true", help="Write the rows into RESULTS.md.")
    options = parser.parse_args()
    found = pl.read_parquet(options.read) if options.read else judge_cities(options.cities, options.first, options.jobs)
    if options.out:
        found.write_parquet(options.out)
    if options.write:
        results.write(results.held({"calibration"}) + rows_of(found))
    print(report(found))
    with pl.Config(tbl_rows=-1):
        print(coverage(found, ["kpi", "statistic"]))


if __name__ == "__main__":
    main()
