"""docs/record.md is normative: it names every field, kind, range, rule, flag and KPI, and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from measurement import codec
from measurement.kpi import KPIS
from measurement.plausibility import PLACING_FLAGS
from measurement.plausibility import RULES as DOUBTS
from measurement.rules import LEG_RANGES, RULES, check_from_probe
from tests.measurement.described import GROUPS, LEG_FIELDS, PHASES, number, said

TEXT = (Path(__file__).parents[2] / "docs" / "record.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    match = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    assert match, f"docs/record.md has no section {title}"
    return match.group(1)


def rows(text: str) -> list[list[str]]:
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


@pytest.mark.parametrize("title", GROUPS)
def test_each_field_stands_with_its_kind_range_and_need(title: str) -> None:
    fields = said(GROUPS[title])
    written = {row[0].strip("`"): row for row in rows(section(title)) if len(row) == 6}
    assert list(written) == list(fields)
    for name, row in written.items():
        _, kind, unit, extent, meaning, absent = row
        assert (kind, extent) == (fields[name].kind, fields[name].range), name
        assert (absent == "*always*") == fields[name].is_required, name
        assert meaning, name
        assert absent, f"{title}.{name}: say when it is absent"
        assert unit, name


SUFFIXES = {"_ms": "ms", "_s": "s", "_m": "m", "_km": "km", "_mps": "m/s", "_bps": "bit/s", "_dbm": "dBm", "_db": "dB",
            "_deg": "°", "_c": "°C", "_mhz": "MHz", "_ratio": "ratio", "_bytes": "B", "_at": "UTC"}  # fmt: skip


@pytest.mark.parametrize("title", GROUPS)
def test_the_unit_is_the_one_in_the_name(title: str) -> None:
    for row in rows(section(title)):
        if len(row) == 6:
            name, unit = row[0].strip("`"), row[2]
            suffix = "_" + name.rsplit("_", 1)[-1]
            if suffix in SUFFIXES and name != "bytes_count":
                assert unit == SUFFIXES[suffix], name


@pytest.mark.parametrize("title", PHASES)
def test_each_phase_is_named(title: str) -> None:
    for name in PHASES[title].__struct_fields__:  # type: ignore[attr-defined]
        assert f"`{name}`" in section(title)


def test_leg_ranges_and_summaries() -> None:
    text = section("Radio sample")
    written = [row for row in rows(text) if len(row) == 4]
    expected = [[f"`{r.field}`", f"`{r.leg}`", f"{number(r.low)} … {number(r.high)}", r.source] for r in LEG_RANGES]
    assert written == expected
    assert all(f"`{name}`" in text for name in LEG_FIELDS)


def test_rules_flags_and_kpis_are_all_listed() -> None:
    assert [row[0].strip("`") for row in rows(section("Rules across fields"))] == [rule.id for rule in RULES]
    assert [row[0].strip("`") for row in rows(section("Doubt"))] == [rule.id for rule in DOUBTS] + list(PLACING_FLAGS)
    kpis = {row[0].strip("`"): row for row in rows(section("KPIs"))}
    assert list(kpis) == [kpi.id for kpi in KPIS]
    for kpi in KPIS:
        assert kpi.title_vi in kpis[kpi.id][4]
        assert kpis[kpi.id][2] == kpi.unit


def test_the_example_is_a_record() -> None:
    match = re.search(r"```json\n(.*?)```", TEXT, re.DOTALL)
    assert match
    record = codec.decode(match.group(1))
    check_from_probe(record)
    assert record.radio is not None
    assert record.radio[0].base_station_id == record.radio[0].cell_id >> 8  # type: ignore[operator]
