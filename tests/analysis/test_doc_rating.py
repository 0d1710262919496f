"""The documents say what the tables say, and their examples are run."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

from analysis import results, rules, thresholds
from measurement.kpi import KPIS

DOCS = Path(__file__).parents[2] / "docs"
PAGES = {name: (DOCS / f"{name}.md").read_text("utf-8") for name in ("rating", "compliance")}
LIMITS = thresholds.load()


@pytest.mark.parametrize("page", PAGES)
def test_examples_are_right(page: str) -> None:
    outcome = doctest.testfile(str(DOCS / f"{page}.md"), module_relative=False, encoding="utf-8")
    assert outcome.failed == 0
    assert outcome.attempted > 3


@pytest.mark.parametrize("entry", list(LIMITS.entries()), ids=lambda entry: entry.id)
def test_every_threshold_stands_in_the_documents(entry: thresholds._Entry) -> None:
    page = PAGES["compliance" if entry.id.startswith(("qcvn", "quota")) else "rating"]
    (line,) = [line for line in page.splitlines() if line.startswith("|") and f"| `{entry.id}` |" in line]
    assert f"| {entry.evidence} |" in line
    if not isinstance(entry, thresholds.Grade):
        assert entry.source in line
    for value in _numbers(entry):
        assert any(f"{value * scale:g}" in line or f"{value:,}" in line for scale in (1, 1e-6, 100)), value


def _numbers(entry: thresholds._Entry) -> list[float]:
    found: list[float] = []
    for name in entry.__struct_fields__:
        value = getattr(entry, name)
        if isinstance(value, int | float) and name not in ("weight",):
            found.append(value)
        elif isinstance(value, dict):
            found += [v for v in value.values() if isinstance(v, int | float)]
    return found


def test_every_kpi_rule_and_table_stands_in_the_document() -> None:
    page = PAGES["rating"]
    for kpi in KPIS:
        assert f"| `{kpi.id}` |" in page, kpi.id
    for rule in rules.RULES:
        assert f"| `{rule.id}` |" in page, rule.id
    for table, fields in results.TABLES.items():
        (line,) = [line for line in page.splitlines() if line.startswith(f"* `{table}`: ")]
        for field in fields:
            assert f"`{field.name}`" in line, (table, field.name)
