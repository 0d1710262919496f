"""Dashboards: valid by Grafana's schema, on data sources, metrics and fields that exist."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.models.dashboard import Dashboard

from collector.metrics import METRICS
from collector.sinks.lines import FIELDS, TAGS
from grafana.__main__ import FOLDER
from grafana.boards import BOARDS, INFLUX, PROMETHEUS
from grafana.rules import DASHBOARDS
from measurement.kpi import BY_ID
from tests.grafana.test_rules import exported

FILES = sorted((FOLDER / "dashboards").glob("*.json"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_grafanas_own_types_read_the_dashboard_and_lose_nothing(path: Path) -> None:
    raw: dict[str, Any] = json.loads(path.read_text("utf-8"))
    read = Dashboard.from_json(raw)
    assert read.uid == path.stem
    assert read.panels is not None
    assert len(read.panels) == len(raw["panels"])
    assert len({panel["id"] for panel in raw["panels"]}) == len(raw["panels"])
    for panel in raw["panels"]:
        assert panel["datasource"]["uid"] in (PROMETHEUS, INFLUX)
        assert panel["fieldConfig"]["defaults"]["unit"]
        place = panel["gridPos"]
        assert 0 <= place["x"] <= 24 - place["w"]


def test_no_board_lies_about_that_no_code_makes() -> None:
    assert {path.stem for path in FILES} == {board.uid for board in BOARDS}
    assert set(DASHBOARDS.values()) <= {board.uid for board in BOARDS}


@pytest.mark.parametrize("board", BOARDS, ids=lambda board: board.uid)
def test_panels_ask_for_what_the_code_exports(board: Any) -> None:
    for panel in board.panels:
        if panel.source == PROMETHEUS:
            named = set(re.findall(r"haidang[_:][a-z0-9_:]+", panel.query))
            assert named <= exported(), (panel.title, named - exported())
            for name, labels in re.findall(r"(haidang_[a-z0-9_]+)\{([^}]*)\}", panel.query):
                known = next((m.labels for m in METRICS if m.name == name), None)
                if known is not None:
                    assert set(re.findall(r"(\w+)=", labels)) <= set(known), panel.title
        else:
            asked = set(re.findall(r'r\._field == "(\w+)"', panel.query))
            assert asked <= set(FIELDS)
            assert set(re.findall(r"\br\.(\w+) =~", panel.query)) <= {*TAGS, "_field", "_measurement"}
        if panel.kpi is not None:
            assert panel.kpi in BY_ID


def test_provisioning_names_the_uids_of_the_boards() -> None:
    sources = yaml.safe_load((FOLDER / "provisioning/datasources/haidang.yml").read_text("utf-8"))["datasources"]
    assert {source["uid"]: source["type"] for source in sources} == {PROMETHEUS: "prometheus", INFLUX: "influxdb"}
    providers = yaml.safe_load((FOLDER / "provisioning/dashboards/haidang.yml").read_text("utf-8"))["providers"]
    assert providers[0]["options"]["path"] == "/var/lib/grafana/dashboards"
