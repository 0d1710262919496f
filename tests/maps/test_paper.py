"""The picture and the report: made without a browser, in both languages, from full and from empty archives."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import polars as pl
import pytest
from click.testing import CliRunner

from analysis.results import schema
from archive.store import Archive
from maps import language
from maps.commands.image import command as image
from maps.commands.report import command as report
from maps.report.findings import cell
from maps.scales import SCALES, breaks_of, class_of
from measurement.errors import ConfigError
from measurement.kpi import KPIS, Better
from tests.maps import city


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = city.make(tmp_path_factory.mktemp("paper") / "archive", cells=20)
    verdict = {
        "kind": "certified", "area": "*", "operator": "Viettel", "technology": "5g", "period": "all", "kpi": "downlink",
        "statistic": "mean", "bound": "at_least", "limit": 1e8, "value": 9e7, "low": 8.55e7, "high": 9.55e7,
        "samples_count": 1600, "verdict": "FAIL", "missing": "", "regulation": "QCVN 126", "limit_id": "x",
    }  # fmt: skip
    with Archive(path) as opened:
        opened.write_result("compliance", pl.DataFrame([verdict], schema_overrides=dict(schema("compliance"))))
    return path


def text_of(pdf: Path) -> str:
    if shutil.which("pdftotext") is None:
        pytest.skip("pdftotext is not installed (.ci/servers/install)")
    return subprocess.run(["pdftotext", "-layout", str(pdf), "-"], check=True, capture_output=True, text=True).stdout


@pytest.mark.parametrize("code", language.CODES)
def test_a_picture_of_the_ratings(archive: Path, tmp_path: Path, code: str) -> None:
    out = tmp_path / "map.png"
    arguments = ["--archive", str(archive), "--out", str(out), "--language", code, "--width", "900", "--height", "600"]
    result = CliRunner().invoke(image, [*arguments, "--operator", "Viettel", "--technology", "5g", "--kpi", "downlink"])
    assert result.exit_code == 0, result.output
    body = out.read_bytes()
    assert body[:8] == b"\x89PNG\r\n\x1a\n"
    assert (int.from_bytes(body[16:20]), int.from_bytes(body[20:24])) == (900, 600)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--layer", "wards"], "Invalid layer 'wards'. One of: provinces-2025, districts-2024, communes-2025, zones."),
        (["--kpi", "speed"], "Invalid kpi 'speed'."),
        (["--period", "2020-01"], "Invalid period '2020-01'. One of:"),
        (["--operator", "Nobody"], "Invalid operator 'Nobody'. One of: *, Viettel, VinaPhone."),
    ],
)
def test_what_is_not_there_is_refused_by_name(archive: Path, tmp_path: Path, arguments: list[str], said: str) -> None:
    result = CliRunner().invoke(image, ["--archive", str(archive), "--out", str(tmp_path / "x.png"), *arguments])
    assert isinstance(result.exception, ConfigError)
    assert str(result.exception).startswith(said)


def test_the_report_in_both_languages_with_its_proof(archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.pdf"
    arguments = ["--archive", str(archive), "--out", str(out), "--language", "both", "--certified"]
    result = CliRunner().invoke(report, [*arguments, "--organisation", "#panic() Sở & <b>"])
    assert result.exit_code == 0, result.output
    digest = hashlib.sha256(out.with_suffix(".json").read_bytes()).hexdigest()
    assert digest in result.output
    text = text_of(out)
    for words in (
        "Báo cáo chất lượng mạng di động", "Report on the quality of mobile networks", "Xếp hạng khu vực",
        "Trạm BTS cần cải thiện", "Base stations to mend", "Đơn vị phê duyệt", "Approved by", "#panic() Sở & <b>",
        "Số liệu mô phỏng", "Simulated data", digest, "không đạt", "Chưa tính trong kho dữ liệu này",
    ):  # fmt: skip
        assert words in text, words
    assert "tháng 10/2026" in text, "the last month is the default"
    assert "85,5 – 95,5" in text, "Vietnamese numbers, in the unit shown"
    assert "85.5 – 95.5" in text
    editions = json.loads(out.with_suffix(".json").read_text("utf-8"))
    assert [edition["language"] for edition in editions] == ["vi", "en"]


def test_a_report_without_results_says_so(tmp_path: Path) -> None:
    from measurement.gazetteer import layers

    with Archive(tmp_path / "archive", create=True) as opened:
        opened.set_layers(layers())
    out = tmp_path / "report.pdf"
    result = CliRunner().invoke(report, ["--archive", str(tmp_path / "archive"), "--out", str(out), "--language", "en"])
    assert result.exit_code == 0, result.output
    text = text_of(out)
    assert "No area has enough samples" in text
    assert "Approved by" not in text
    assert "indicative" in text


def test_every_kpi_has_a_scale_that_runs_from_poor_to_good() -> None:
    assert {scale.kpi for scale in SCALES} == {"score", *(kpi.id for kpi in KPIS)}
    for kpi in KPIS:
        for technology in (None, "5g", "4g"):
            breaks = breaks_of(kpi.id, technology)
            assert list(breaks) == sorted(breaks, reverse=kpi.better is Better.LOWER)
            good = breaks[-1]
            assert class_of(good, breaks) == 4


def test_every_column_of_findings_has_words() -> None:
    from maps.findings import FINDINGS

    for code in language.CODES:
        texts = language.texts(code)
        for finding in FINDINGS:
            assert texts[f"progress.{finding.table}"]
            assert texts[f"progress.{finding.table}.caption"]
            for column in finding.columns:
                assert texts[f"column.{column}"], column


def test_findings_name_only_columns_of_the_contract() -> None:
    from analysis.results import TABLES
    from maps.findings import FINDINGS, SCALED

    derived = {"interval", "reason"}
    for finding in FINDINGS:
        assert set(finding.columns) - derived <= {field.name for field in TABLES[finding.table]}, finding.table
    for table, columns in SCALED.items():
        assert set(columns) <= {field.name for field in TABLES[table]}, table


@pytest.mark.parametrize(
    ("column", "row", "vietnamese"),
    [
        ("drop_ratio", {"drop_ratio": 0.317}, "32%"),
        ("interval", {"low": 0.2, "high": 0.4, "drop_ratio": 0.3}, "20 – 40%"),
        ("longest_outage_s", {"longest_outage_s": 90_000.0}, "25 giờ"),
        ("longest_outage_s", {"longest_outage_s": 600.0}, "10 phút"),
        ("availability", {"availability": 0.98765}, "98,77%"),
        ("verdict", {"verdict": "INDETERMINATE"}, "chưa kết luận được"),
        ("operator", {"operator": "*"}, "tất cả"),
        ("failures", {"failures": None}, "–"),
    ],
)
def test_cells_are_words(column: str, row: dict[str, object], vietnamese: str) -> None:
    assert cell("vi", column, row, {}) == vietnamese


def test_no_stray_text() -> None:
    """Texts are in sentence case and carry no doubled spaces; Vietnamese is in composed letters."""
    import unicodedata

    for code in language.CODES:
        for key, text in language.texts(code).items():
            assert text == unicodedata.normalize("NFC", text), key
            assert not re.search(r"  |\.\.\.", text), key
