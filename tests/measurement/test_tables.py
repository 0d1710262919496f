"""The tables that everything reads: KPIs, columns, vocabulary, rules, PLMNs, layers. Held row by row."""

from __future__ import annotations

import math
import re
from enum import StrEnum

import pytest

from archive.frames import DTYPES, schema
from measurement import vocabulary
from measurement.columns import BY_NAME, COLUMNS, Kind, area_column, struct_fields
from measurement.kpi import BY_ID, KPIS, Better, Kpi
from measurement.plausibility import RULES as DOUBTS
from measurement.radio import PLMNS, operator_of, rated_leg
from measurement.record import Record
from measurement.rules import LEG_RANGES, RULES
from measurement.vocabulary import Leg, Technology

ENUMS = [e for e in vars(vocabulary).values() if isinstance(e, type) and issubclass(e, StrEnum) and e is not StrEnum]
UNITS = {"bit/s": "_bps", "ms": "_ms", "ratio": "_ratio", "1/min": "_rpm", "dBm": "_dbm", "dB": "_db"}


@pytest.mark.parametrize("kpi", KPIS, ids=lambda kpi: kpi.id)
def test_kpi_reads_a_column_of_its_unit(kpi: Kpi) -> None:
    assert BY_ID[kpi.id] is kpi
    assert kpi.title_en
    assert kpi.title_vi
    assert kpi.scale > 0
    if not kpi.column:
        assert kpi.unit == "ratio"
        return
    column = kpi.column.replace("radio_", "radio_anchor_", 1) if kpi.column.startswith("radio_") else kpi.column
    assert BY_NAME[column].kind is Kind.REAL
    assert kpi.column.endswith(UNITS[kpi.unit])


def test_shown_units_follow_from_scales() -> None:
    factors = {("bit/s", "Mbit/s"): 1e-6, ("ratio", "%"): 100.0, ("1/min", "RPM"): 1.0}
    for kpi in KPIS:
        assert math.isclose(kpi.scale, factors.get((kpi.unit, kpi.shown_unit), 1.0)), kpi.id


def test_speeds_are_better_higher_and_delays_lower() -> None:
    for kpi in KPIS:
        expected = Better.LOWER if kpi.unit == "ms" or kpi.id in ("loss", "access_failure", "drop") else Better.HIGHER
        assert kpi.better is expected, kpi.id


def test_columns_are_unique_and_cover_every_field() -> None:
    assert len(BY_NAME) == len(COLUMNS)
    heads = {column.path[0] for column in COLUMNS if column.path}
    assert heads == set(struct_fields(Record)) - {"areas"}
    for column in COLUMNS:
        assert column.kind in DTYPES
        assert column.name == "_".join(column.path) or column.name.startswith("radio_")
        assert re.fullmatch(r"[a-z][a-z0-9_]*", column.name)


def test_each_layer_has_its_column() -> None:
    assert area_column("communes-2025") in schema(["communes-2025"])
    assert not any(name.startswith("areas") for name in schema())


@pytest.mark.parametrize("enum", ENUMS, ids=lambda enum: enum.__name__)
def test_words_are_plain_and_named_after_their_value(enum: type[StrEnum]) -> None:
    assert enum.__doc__
    for word in enum:
        assert re.fullmatch(r"[a-z][a-z0-9_]*", word.value)
        assert word.name == word.value.upper()


def test_rules_have_ids_and_sources() -> None:
    ids = [rule.id for rule in RULES] + [rule.id for rule in DOUBTS]
    assert len(ids) == len(set(ids))
    for identifier in ids:
        assert re.fullmatch(r"[a-z][a-z0-9-]*", identifier)
    assert all(rule.source for rule in RULES)
    assert all(rule.evidence in "VSRD" and rule.source and rule.comment for rule in DOUBTS)


def test_leg_ranges_are_ordered_and_within_the_fields_own() -> None:
    for row in LEG_RANGES:
        assert row.low < row.high
        assert row.source.startswith("3GPP TS")


def test_plmns_keep_leading_zeros_and_have_one_operator_each() -> None:
    assert len({(p.mcc, p.mnc) for p in PLMNS}) == len(PLMNS)
    for plmn in PLMNS:
        assert re.fullmatch(r"\d{3}", plmn.mcc)
        assert re.fullmatch(r"\d{2,3}", plmn.mnc)
        assert plmn.evidence in "VSR"
        assert operator_of(plmn.mcc, plmn.mnc) == plmn.operator
    assert operator_of("452", "4") is None
    assert operator_of(None, "04") is None


@pytest.mark.parametrize("technology", Technology)
def test_5g_is_rated_on_nr_and_the_rest_on_the_anchor(technology: Technology) -> None:
    assert rated_leg(technology) is (Leg.NR if technology.value.startswith("nr") else Leg.ANCHOR)
