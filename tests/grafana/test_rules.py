"""Rules: generated = checked in, valid, firing when they must and not when they must not, on metrics that exist."""

import re
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from collector.metrics import METRICS, Type
from grafana import layers, rulebook
from grafana.__main__ import FOLDER, generated
from grafana.rules import ALERTS, RECORDINGS, Scope, Severity

ROOT = Path(__file__).resolve().parents[2]
RULES = FOLDER / "prometheus" / "rules.yml"
PEER = {"haidang_peer_tests_total", "haidang_peer_bytes_total", "haidang_peer_requests_total"}


def exported() -> set[str]:
    """Name every series the code exports: of histograms those that Prometheus sees."""
    names = {metric.name for metric in METRICS} | PEER | {row.record for row in RECORDINGS}
    for metric in METRICS:
        if metric.type is Type.HISTOGRAM:
            names |= {f"{metric.name}_{part}" for part in ("bucket", "sum", "count")}
    return names


@pytest.mark.parametrize("path", generated())
def test_what_is_checked_in_is_what_the_code_generates(path: str) -> None:
    assert (FOLDER / path).read_text("utf-8") == generated()[path], "run `python -m grafana`"


def test_promtool_accepts_the_rules_and_the_configuration(promtool: Path) -> None:
    subprocess.run([promtool, "check", "rules", RULES], check=True, capture_output=True)
    done = subprocess.run(
        [promtool, "check", "config", RULES.with_name("prometheus.yml")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.timeout(300)
def test_rules_fire_when_they_must_and_only_then(promtool: Path) -> None:
    done = subprocess.run(
        [promtool, "test", "rules", RULES.with_name("rules_test.yml")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _noise(rng: np.random.Generator, looks: int) -> dict[str, np.ndarray[Any, Any]]:
    """Draw a healthy area's hour of 60 tests every 15 minutes: 2 % failures, a lognormal median."""
    return {
        "failure_ratio": rng.binomial(60, 0.02, looks) / 60,
        "downlink_goodput_bits_per_second": 42e6 * np.exp(rng.normal(0, 1.25 / np.sqrt(60), looks)),
        "samples": rng.poisson(60, looks),
        "probes": rng.poisson(20, looks),
    }


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_simulated_quiet_month_pages_nobody(promtool: Path, tmp_path: Path) -> None:
    rng, looks = np.random.default_rng(9), 30 * 96
    series = [
        {"series": 'up{job="collector",instance="c"}', "values": f"1x{3 * looks}"},
        {"series": "haidang_disk_free_bytes", "values": f"200e9-3e6x{3 * looks}"},
        {"series": "haidang_probes", "values": " ".join(map(str, np.repeat(rng.binomial(250, 0.95, looks), 3)))},
    ]
    for area in ("303", "306"):
        for operator in ("Viettel", "VinaPhone"):
            labels = f'layer="{layers.WATCHED}",area="{area}",operator="{operator}"'
            for metric, values in _noise(rng, looks).items():
                name = f'haidang_area_{metric}{{{labels},technology="lte"}}'
                # Held three scrapes of five minutes: what is older than five is gone to Prometheus.
                series.append({"series": name, "values": " ".join(f"{v:.6g}" for v in np.repeat(values, 3))})
            name = f'haidang_area_degraded{{{labels},technology="4g"}}'
            series.append({"series": name, "values": f"0x{3 * looks}"})
    fired = 'count by (alertname) (count_over_time(ALERTS{alertname!="Heartbeat",alertstate="firing"}[30d]))'
    test = {
        "rule_files": [str(RULES)],
        "evaluation_interval": "5m",
        "tests": [{"interval": "5m", "input_series": series,
                   "promql_expr_test": [
                       {"expr": fired, "eval_time": "30d"},
                       # The month was there at all, and its areas counted.
                       {"expr": "count(count_over_time(haidang:area:enough[30d]) > 8000)", "eval_time": "30d",
                        "exp_samples": [{"labels": "{}", "value": 4}]}]}],
    }  # fmt: skip
    path = tmp_path / "month_test.yml"
    path.write_text(yaml.safe_dump(test), "utf-8")
    done = subprocess.run([promtool, "test", "rules", path], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def test_every_rule_reads_metrics_that_the_code_exports() -> None:
    known = exported()
    for row in (*ALERTS, *RECORDINGS):
        named = set(re.findall(r"haidang[_:][a-z0-9_:]+", row.expr))
        assert named <= known, (row, named - known)


def test_ids_are_unique_and_pages_are_bilingual_with_a_runbook() -> None:
    assert len({row.id for row in ALERTS}) == len(ALERTS)
    for row in ALERTS:
        page = ROOT / "docs" / "runbooks" / f"{row.id}.md"
        assert page.is_file(), page
        text = page.read_text("utf-8")
        assert row.title_en in text
        assert row.title_vi in text
        assert row.en != row.vi
        assert row.scope in Scope
        assert row.severity in Severity


def test_runbooks_are_of_rules_that_exist() -> None:
    pages = {path.stem for path in (ROOT / "docs" / "runbooks").glob("*.md")} - {"README"}
    assert pages == {row.id for row in ALERTS}


@pytest.mark.parametrize("scale", [1 / 60, 0.1])
def test_compressed_rules_are_valid_too(promtool: Path, tmp_path: Path, scale: float) -> None:
    path = tmp_path / "rules.yml"
    path.write_text(rulebook.text(rulebook.rules(scale)), "utf-8")
    assert subprocess.run([promtool, "check", "rules", path], capture_output=True).returncode == 0
    assert "<" not in re.sub(
        r" < | <bool ", "", " ".join(r["expr"] for g in rulebook.rules(scale)["groups"] for r in g["rules"])
    )


def test_another_layer_is_watched_by_one_word(promtool: Path, tmp_path: Path) -> None:
    for path, text in generated("communes-2025").items():
        assert "districts" not in text, path
        assert "<layer" not in text, path
    path = tmp_path / "rules.yml"
    path.write_text(generated("communes-2025")["prometheus/rules.yml"], "utf-8")
    assert subprocess.run([promtool, "check", "rules", path], capture_output=True).returncode == 0
