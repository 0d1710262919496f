"""What the report says, as plain data: figures come from the tables, nothing is computed that they do not hold."""

from __future__ import annotations

from datetime import datetime
from typing import Any, NamedTuple

import polars as pl

from analysis.results import ALL, WHOLE
from maps import language
from maps.findings import FINDINGS, connected, whole
from maps.picture import operator_of, technology_of
from maps.publish.ratings import shown_statistic
from maps.report.findings import table
from maps.scales import breaks_of, row_class
from maps.selection import Selection, best_first, is_rated, rows
from maps.source import Source
from measurement.kpi import BY_ID, KPIS

POOREST = 25
"""Base stations on the list to mend."""


class Terms(NamedTuple):
    """What the report is about and who answers for it."""

    selection: Selection
    made_at: datetime
    title: str | None
    organisation: str | None
    is_certified: bool


def collect(source: Source, terms: Terms, code: str) -> dict[str, Any]:
    """Return everything one language of the report shows."""
    selection = terms.selection
    names = {area.key: (area.name if code == "vi" else area.name_en) for area in selection.layer.areas}
    found = rows(source, selection)
    ranked = best_first(found, selection.kpi)
    lacking = [key for key in names if not is_rated(found.get(key))]
    return {
        "language": code,
        "texts": {key[7:]: value for key, value in language.texts(code).items() if key.startswith("report.")},
        "title": terms.title or language.text(code, "report.title"),
        "organisation": terms.organisation,
        "period": language.month(code, selection.period),
        "made": terms.made_at.strftime("%d/%m/%Y" if code == "vi" else "%d %B %Y"),
        "layer": selection.layer.title_vi if code == "vi" else selection.layer.title_en,
        "approximate": language.text(code, "layer.approximate") if selection.layer.is_approximate else None,
        "is_simulated": source.is_simulated,
        "simulated": language.text(code, "simulated.long"),
        "is_certified": terms.is_certified,
        "summary": _summary(source, code, ranked, lacking, found, names),
        "cards": _cards(code, ranked, names, found),
        "ranking": [_ranked(code, row, names, selection) for row in ranked],
        "lacking": [names[key] for key in sorted(lacking, key=lambda key: names[key])],
        "operators": _operators(source, selection, code),
        "stations": _stations(source, selection, code),
        "findings": _findings(source, code, names),
        "exclusions": _exclusions(source, code),
    }


def _cards(
    code: str, ranked: list[dict[str, Any]], names: dict[str, str], found: dict[str, dict[str, Any]]
) -> list[list[str]]:
    samples = sum(row["samples_count"] or 0 for row in found.values())
    rated, every = language.number(code, len(ranked)), language.number(code, len(names))
    return [
        [language.text(code, "card.rated"), f"{rated} / {every}"],
        [language.text(code, "card.samples"), language.number(code, samples)],
        [language.text(code, "report.below"), language.number(code, sum(row["value"] < 50 for row in ranked))],
    ]  # fmt: skip


def _counted(source: Source, code: str) -> list[str]:
    """Return the sentences that findings add to the summary."""
    said = []
    participation, sites, verdicts = (source.tables.get(n) for n in ("participation", "sites", "compliance"))
    everybody = None if participation is None else whole(participation)
    if everybody:
        users, samples = (language.number(code, everybody[name]) for name in ("users_count", "samples_count"))
        said.append(language.text(code, "report.participation", users=users, samples=samples))
    online = None if sites is None else connected(sites)
    if online:
        said.append(language.text(code, "report.connected", connected=online[0], count=online[1]))
    if verdicts is not None and verdicts.height:
        passed, failed, still = (int((verdicts["verdict"] == w).sum()) for w in ("PASS", "FAIL", "INDETERMINATE"))
        said.append(language.text(code, "report.verdicts", passed=passed, failed=failed, open=still))
    return said


def _summary(
    source: Source,
    code: str,
    ranked: list[dict[str, Any]],
    lacking: list[str],
    found: dict[str, dict[str, Any]],
    names: dict[str, str],
) -> list[str]:
    if not ranked:
        return [language.text(code, "rank.none")]

    def listed(part: list[dict[str, Any]]) -> str:
        return ", ".join(
            f"{names[r['area']]} ({language.number(code, r['value'])})" for r in part if r["area"] in names
        )

    said = [language.text(code, "report.best", names=listed(ranked[:3]))]
    if len(ranked) > 3:
        said.append(language.text(code, "report.worst", names=listed(ranked[-3:][::-1])))
    said += _counted(source, code)
    if lacking:
        needed = sum((found[key]["needed_count"] or 0) for key in lacking if key in found)
        said.append(
            language.text(
                code, "report.lacking", count=language.number(code, len(lacking)), needed=language.number(code, needed)
            )
        )
    return said


def _interval(code: str, row: dict[str, Any], digits: int) -> str:
    if row.get("low") is None or row.get("high") is None:
        return "–"
    return f"{language.number(code, row['low'], digits)} – {language.number(code, row['high'], digits)}"


def _ranked(code: str, row: dict[str, Any], names: dict[str, str], selection: Selection) -> dict[str, Any]:
    low, high = row.get("rank_low"), row.get("rank_high")
    place = "–" if low is None else f"{low}" if low == high else f"{low}–{high}"
    return {
        "place": place,
        "area": names.get(row["area"], row["area"]),
        "grade": row.get("grade"),
        "value": language.number(code, row["value"], 0 if selection.kpi == "score" else 1),
        "interval": _interval(code, row, 0 if selection.kpi == "score" else 1),
        "samples": language.number(code, row["samples_count"]),
        "class": row_class(row, breaks_of(selection.kpi, selection.technology)),
        "bar": [max(0.0, min(100.0, v)) if v is not None else None for v in (row["low"], row["value"], row["high"])],
    }


def _operators(source: Source, selection: Selection, code: str) -> dict[str, Any] | None:
    """Return KPI by operator and technology over the widest area there is: the layer with a single area."""
    frame = source.tables.get("area_ratings")
    single = [layer for layer in source.layers if len(layer.areas) == 1]
    if frame is None or not single:
        return None
    whole = frame.filter(
        (pl.col("layer") == single[0].key)
        & (pl.col("period") == selection.period)
        & (pl.col("operator") != ALL)
        & (pl.col("technology") != ALL)
        & shown_statistic()
        & pl.col("value").is_not_null()
        & (pl.col("status") != "insufficient")
    )
    held = {(r["operator"], r["technology"], r["kpi"]): r for r in whole.iter_rows(named=True)}
    columns = sorted({(operator, technology) for operator, technology, _ in held})
    kpis = ["score", *(kpi.id for kpi in KPIS)]
    shown = [kpi for kpi in kpis if any((*column, kpi) in held for column in columns)]
    if not shown:
        return None
    return {
        "area": single[0].areas[0].name if code == "vi" else single[0].areas[0].name_en,
        "heads": [[operator_of(code, o), technology_of(code, t)] for o, t in columns],
        "rows": [
            [_kpi_title(code, kpi), *(_figure(code, kpi, held.get((*column, kpi))) for column in columns)]
            for kpi in shown
        ],
    }


def _kpi_title(code: str, kpi: str) -> str:
    if kpi == "score":
        return language.text(code, "kpi.score")
    row = BY_ID[kpi]
    return f"{row.title_vi if code == 'vi' else row.title_en} ({row.shown_unit})"


def _figure(code: str, kpi: str, row: dict[str, Any] | None) -> list[str]:
    if row is None:
        return ["–", ""]
    digits = 0 if kpi == "score" or abs(row["value"]) >= 100 else BY_ID[kpi].digits
    return [language.number(code, row["value"], digits), _interval(code, row, digits)]


def _stations(source: Source, selection: Selection, code: str) -> list[list[str]] | None:
    """Return the rated base stations with the lowest scores, worst first by the upper end of the interval."""
    frame = source.tables.get("bts_ratings")
    if frame is None:
        return None
    # Stations are few tests each: where a month is too short to rate them, the whole period speaks.
    period = selection.period if frame.filter(pl.col("period") == selection.period).height else WHOLE
    scored = frame.filter(
        (pl.col("kpi") == "score")
        & (pl.col("statistic") == "score")
        & (pl.col("period") == period)
        & (pl.col("technology") != ALL)
        & (pl.col("status") != "insufficient")
        & pl.col("value").is_not_null()
    )
    worst = scored.with_columns(pl.coalesce("high", "value").alias("at_best")).sort("at_best", "base_station")
    own = {station.id: station for station in source.stations}
    return [
        [
            (own[row["base_station"]].name if row["base_station"] in own else None) or row["base_station"],
            own[row["base_station"]].operator if row["base_station"] in own else operator_of(code, row["operator"]),
            technology_of(code, row["technology"]),
            f"{row['grade'] or ''} {language.number(code, row['value'])}".strip(),
            _interval(code, row, 0),
            language.number(code, row["samples_count"]),
        ]
        for row in worst.filter(pl.col("value") < 50).head(POOREST).iter_rows(named=True)
    ]


def _findings(source: Source, code: str, names: dict[str, str]) -> list[dict[str, Any]]:
    every = {a.key: (a.name if code == "vi" else a.name_en) for layer in source.layers for a in layer.areas} | names
    made = []
    for finding in FINDINGS:
        frame = source.tables.get(finding.table)
        made.append(
            {
                "title": language.text(code, f"progress.{finding.table}"),
                "note": language.text(code, f"progress.{finding.table}.caption"),
                "table": None if frame is None else table(frame, finding, code, every),
            }
        )
    return made


def _exclusions(source: Source, code: str) -> list[list[str]]:
    frame = source.tables.get("exclusions")
    if frame is None:
        return []
    texts = language.texts(code)
    return [
        [
            texts.get(f"scope.{row['scope']}", row["scope"]),
            texts.get(f"reason.{row['reason']}", row["reason"]),
            language.number(code, row["count"]),
        ]
        for row in frame.iter_rows(named=True)
    ]
