"""Classes of colour for each KPI, one row each. Five classes: red is poor, blue is good, none relies on green.

The breaks follow the targets of docs/rating.md where it has them, in the unit that is shown.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from measurement.kpi import KPIS, Better

COLOURS = ("#c9271e", "#f8a35b", "#fbf3b0", "#9ccbe3", "#1f6fa8")
"""From poor to good: ColorBrewer RdYlBu with darker ends, told apart with every kind of colour blindness."""

NO_DATA = "#9aa5ad"
"""Too little evidence to say."""

GRADES = ("E", "D", "C", "B", "A")


class Scale(NamedTuple):
    """Four breaks between the five classes, from poor to good; `technology` None is the general row."""

    kpi: str
    technology: str | None
    breaks: tuple[float, float, float, float]


SCALES: tuple[Scale, ...] = (
    Scale("score", None, (35, 50, 65, 80)),
    Scale("downlink", None, (5, 20, 40, 120)),
    Scale("downlink", "5g", (30, 60, 100, 300)),
    Scale("downlink", "4g", (5, 15, 40, 120)),
    Scale("uplink", None, (2.5, 5, 10, 30)),
    Scale("uplink", "5g", (10, 20, 30, 100)),
    Scale("uplink", "4g", (2.5, 5, 10, 30)),
    Scale("latency", None, (200, 100, 50, 25)),
    Scale("loaded_latency", None, (400, 200, 100, 50)),
    Scale("jitter", None, (60, 30, 15, 5)),
    Scale("loss", None, (5, 2, 1, 0.2)),
    Scale("responsiveness", None, (100, 300, 600, 1000)),
    Scale("access_delay", None, (5000, 1000, 300, 100)),
    Scale("access_failure", None, (10, 5, 2, 1)),
    Scale("drop", None, (10, 5, 2, 1)),
    Scale("floor_share", None, (80, 90, 95, 99)),
    Scale("coverage_share", None, (80, 90, 95, 99)),
    Scale("rsrp", None, (-120, -110, -100, -90)),
    Scale("rsrq", None, (-20, -15, -12, -10)),
    Scale("sinr", None, (-5, 0, 7, 13)),
)


def breaks_of(kpi: str, technology: str | None = None) -> tuple[float, ...]:
    """Return the breaks of a KPI for a class of technology.

    Examples
    --------
    >>> breaks_of('downlink', '5g')
    (30, 60, 100, 300)
    >>> breaks_of('latency', '5g')
    (200, 100, 50, 25)
    """
    rows = {scale.technology: scale.breaks for scale in SCALES if scale.kpi == kpi}
    return rows.get(technology) or rows[None]


def class_of(value: float, breaks: tuple[float, ...]) -> int:
    """Return the class, 0 poor to 4 good, of a value in the unit shown.

    Examples
    --------
    >>> class_of(60, (30, 60, 100, 300)), class_of(25, (200, 100, 50, 25))
    (2, 4)
    """
    if breaks[0] <= breaks[-1]:
        return sum(value >= edge for edge in breaks)
    return sum(value <= edge for edge in breaks)


def row_class(row: dict[str, Any], breaks: tuple[float, ...]) -> int:
    """Return the class of a rated row: its grade where it has one, for a failed limit caps it, else by its value.

    Examples
    --------
    >>> row_class({'grade': 'D', 'value': 60.0}, (35, 50, 65, 80)), row_class({'value': 60.0}, (35, 50, 65, 80))
    (1, 2)
    """
    grade = row.get("grade")
    return GRADES.index(grade) if grade in GRADES else class_of(row["value"], breaks)


def payload() -> list[dict[str, Any]]:
    """Return what the page needs of every KPI: the score first."""
    score: dict[str, Any] = {
        "id": "score", "unit": "", "digits": 0, "better": Better.HIGHER.value, "title": {"en": "Score", "vi": "Điểm"},
    }  # fmt: skip
    rows = [score] + [
        {
            "id": kpi.id, "unit": kpi.shown_unit, "digits": kpi.digits, "better": kpi.better.value,
            "title": {"en": kpi.title_en, "vi": kpi.title_vi},
        }
        for kpi in KPIS
    ]  # fmt: skip
    for row in rows:
        row["breaks"] = {s.technology or "*": s.breaks for s in SCALES if s.kpi == row["id"]}
    return rows
