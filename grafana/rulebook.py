"""Rules as Prometheus' YAML, at full length or with every window compressed. Knows PyYAML."""

from __future__ import annotations

import re
from typing import Any

import yaml  # type: ignore[import-untyped]

from grafana.layers import WATCHED, placed
from grafana.rules import ALERTS, DASHBOARDS, RECORDINGS, Alert

_WINDOW = re.compile(r"<(\d+)([smhd])>")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
INTERVAL_S = 30.0
HEADER = "# Generated from grafana/rules.py by `python -m grafana`; a test holds it to the table.\n"
_NAME = (
    "{{{{ with printf \"haidang_area_info{{layer='%s',area='%s'}}\" $labels.layer $labels.area | query }}}}"
    '{{{{ . | first | label "{label}" }}}}{{{{ else }}}}{{{{ $labels.area }}}}{{{{ end }}}}'
)
"""The name people give an area; its key where the collector no longer knows it (renamed, merged, gone)."""


def windows(text: str, scale: float = 1.0) -> str:
    """Write each window, `scale` times its length.

    Examples
    --------
    >>> windows('rate(x[<30m>])'), windows('<30m>', 1 / 60), windows('<0s>', 0.1)
    ('rate(x[30m])', '30000ms', '0s')
    """

    def written(match: re.Match[str]) -> str:
        if scale == 1.0 or match[1] == "0":
            return match[1] + match[2]
        return f"{max(round(1000 * int(match[1]) * _SECONDS[match[2]] * scale), 1)}ms"

    return _WINDOW.sub(written, text)


def _alert(row: Alert, scale: float, url: str) -> dict[str, Any]:
    rule: dict[str, Any] = {"alert": row.id, "expr": windows(row.expr, scale)}
    rule |= {key: windows(value, scale) for key, value in (("for", row.wait), ("keep_firing_for", row.keep))
             if value != "<0s>"}  # fmt: skip
    rule["labels"] = {"severity": row.severity.value, "scope": row.scope.value}
    board = DASHBOARDS[row.dashboard]
    variables = "?var-operator={{ $labels.operator }}&var-area={{ $labels.area }}" if row.dashboard == "area" else ""
    rule["annotations"] = {
        "title_en": row.title_en,
        "title_vi": row.title_vi,
        "summary_en": row.en.replace("<area>", _NAME.format(label="name_en")),
        "summary_vi": row.vi.replace("<area>", _NAME.format(label="name")),
        "runbook": f"docs/runbooks/{row.id}.md",
        "dashboard": f"{url}/d/{board}{variables}",
    }
    return rule


def rules(scale: float = 1.0, url: str = "http://localhost:3000", layer: str = WATCHED) -> dict[str, Any]:
    """Return the rule file as a tree; `url` is where people reach Grafana, `layer` the areas that page."""
    interval = f"{INTERVAL_S:g}s" if scale == 1.0 else f"{max(round(1000 * INTERVAL_S * scale), 1000)}ms"
    recorded = [{"record": row.record, "expr": placed(windows(row.expr, scale), layer)} for row in RECORDINGS]
    alerts = [_alert(row._replace(expr=placed(row.expr, layer)), scale, url) for row in ALERTS]
    return {
        "groups": [
            {"name": "haidang-recordings", "interval": interval, "rules": recorded},
            {"name": "haidang-alerts", "interval": interval, "rules": alerts},
        ]
    }


def text(tree: dict[str, Any]) -> str:
    """Return a tree as YAML with its origin."""
    dumped: str = yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, width=120)
    return HEADER + dumped
