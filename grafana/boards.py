# ruff: noqa: E501
"""The dashboards as code, by Grafana's own SDK: rows of panels, each with its query, unit and thresholds.

Units, digits and titles are those of `measurement.kpi`, thresholds those of `analysis.thresholds`: nothing is typed
twice. Live panels ask Prometheus; panels of records ask InfluxDB (Flux).
"""

from __future__ import annotations

from typing import Any, NamedTuple

from grafana_foundation_sdk.builders import dashboard, prometheus, stat, table, timeseries
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models
from grafana_foundation_sdk.models import prometheus as prometheus_models

from analysis.thresholds import load
from collector.window import SPAN
from grafana import flux
from grafana.layers import WATCHED, placed
from measurement.kpi import BY_ID, Better, Kpi

MAP_URL = "http://localhost:8080/"
"""The collector serves the map; a deployment puts its own address and generates again."""
PROMETHEUS, INFLUX = "haidang-prometheus", "haidang-influx"
"""Uids of the provisioned data sources."""
_UNITS = {"bit/s": "bps", "ms": "ms", "ratio": "percentunit", "dBm": "dBm", "dB": "dB", "1/min": "none"}
_KIND = {PROMETHEUS: "prometheus", INFLUX: "influxdb"}
HERE = 'layer=~"$layer",area=~"$area",operator=~"$operator",technology=~"$technology"'
ANALYSED = 'layer=~"$layer",area=~"$area",operator=~"$operator"'
"""The analysis' technology is a class (4g, 5g), the record's a word (lte, nr_nsa): one variable cannot serve both."""


class Panel(NamedTuple):
    """One panel: `kind` is stat, series or table; `query` PromQL or Flux by `source`; `kpi` gives unit and limits."""

    title: str
    kind: str
    query: str
    source: str = PROMETHEUS
    kpi: str | None = None
    unit: str = "short"
    legend: str = "{{area}} {{operator}} {{technology}}"
    scale: float = 1.0


class Board(NamedTuple):
    """One dashboard: uid, title in both languages, variables, panels."""

    uid: str
    title: str
    variables: tuple[str, ...]
    panels: tuple[Panel, ...]


AREA_VARIABLES = ("layer", "area", "operator", "technology")


def _live(metric: str) -> str:
    return f"haidang_area_{metric}{{{HERE}}}"


def _title(kpi: str) -> str:
    return f"{BY_ID[kpi].title_vi} · {BY_ID[kpi].title_en}"


def _kpis(what: str = "") -> tuple[Panel, ...]:
    """Return the live panels of an area."""
    rows = (("downlink", "downlink_goodput_bits_per_second", 1.0), ("uplink", "uplink_goodput_bits_per_second", 1.0),
            ("latency", "latency_seconds", 1000.0), ("loss", "loss_ratio", 1.0),
            ("access_failure", "failure_ratio", 1.0))  # fmt: skip
    return tuple(
        Panel(_title(kpi) + what, "series", _live(metric) if scale == 1 else f"{scale:g} * {_live(metric)}", kpi=kpi)
        for kpi, metric, scale in rows
    )


HOUR = f"{SPAN.total_seconds() / 3600:g} h"
BOARDS: tuple[Board, ...] = (
    Board("haidang-city", "Hải Đăng · Thành phố · City", AREA_VARIABLES, (
        Panel("Khu vực suy giảm · Degraded areas", "stat", "count(haidang:area:degraded >= 1) or vector(0)"),
        Panel("Đầu đo · Probes in the last hour", "stat", "haidang_probes"),
        Panel(f"Phép đo trong {HOUR} · Tests", "stat", f"sum(haidang_area_samples{{{HERE}}}) or vector(0)"),
        Panel("Cảnh báo · Alerts firing", "stat", 'count(ALERTS{alertstate="firing",alertname!="Heartbeat"}) or vector(0)'),
        Panel("Điểm theo khu vực · Score by area", "table", f"haidang_area_rating_score{{{ANALYSED}}}"),
        Panel("Suy giảm · Degradation (1 minor, 2 major)", "table", f"haidang_area_degraded{{{ANALYSED}}} > 0"),
        *_kpis(),
        Panel("Vùng lõm · Coverage holes", "series", 'haidang_coverage_hole_area_square_metres{operator=~"$operator"}', unit="areaM2", legend="{{operator}} {{technology}}"),
    )),
    Board("haidang-area", "Hải Đăng · Khu vực · Area", AREA_VARIABLES, (
        *_kpis(),
        Panel(f"Phép đo trong {HOUR} · Tests", "series", _live("samples")),
        Panel(f"Đầu đo trong {HOUR} · Probes", "series", _live("probes")),
        Panel("Suy giảm · Degradation", "series", f"haidang_area_degraded{{{ANALYSED}}}"),
        Panel(_title("downlink") + " · P10, P50, P90", "series", flux.quantiles("throughput_downlink_goodput_bps"), INFLUX, "downlink"),
        Panel(_title("rsrp"), "series", flux.median("radio_anchor_rsrp_dbm"), INFLUX, "rsrp"),
        Panel("Phép đo thất bại theo lý do · Failed tests by reason", "table", flux.failures(), INFLUX),
    )),
    Board("haidang-base-station", "Hải Đăng · Trạm BTS · Base stations", ("operator",), (
        Panel("Trạm có phép đo trong ngày · Stations with tests today", "stat", "count(increase(haidang_station_tests_total[1d]) > 0) or vector(0)"),
        Panel("Trạm có thể ngừng phát · Perhaps off air", "table", "haidang:station:expected_tests >= 20 unless on (base_station) increase(haidang_station_tests_total[1d]) > 0"),
        Panel("Trạm suy giảm · Degraded stations", "table", 'haidang_area_degraded{layer="base_stations",operator=~"$operator"} > 0'),
        Panel("Phép đo mỗi ngày · Tests a day, 20 busiest", "table", "topk(20, increase(haidang_station_tests_total[1d]))"),
        Panel("Trạm chậm nhất · Slowest stations (median)", "table", flux.slowest_stations(), INFLUX, "downlink"),
    )),
    Board("haidang-operators", "Hải Đăng · So sánh nhà mạng · Operators compared", AREA_VARIABLES, (
        Panel(_title("downlink"), "series", f"quantile by (operator) (0.5, {_live('downlink_goodput_bits_per_second')})", kpi="downlink", legend="{{operator}}"),
        Panel(_title("uplink"), "series", f"quantile by (operator) (0.5, {_live('uplink_goodput_bits_per_second')})", kpi="uplink", legend="{{operator}}"),
        Panel(_title("latency"), "series", f"1000 * quantile by (operator) (0.5, {_live('latency_seconds')})", kpi="latency", legend="{{operator}}"),
        Panel(_title("access_failure"), "series", f"avg by (operator) ({_live('failure_ratio')})", kpi="access_failure", legend="{{operator}}"),
        Panel("Điểm trung bình · Mean score", "stat", f"avg by (operator) (haidang_area_rating_score{{{ANALYSED}}})", legend="{{operator}}"),
        Panel(_title("downlink") + " (InfluxDB)", "table", flux.by_operator("throughput_downlink_goodput_bps"), INFLUX, "downlink"),
    )),
    Board("haidang-fleet", "Hải Đăng · Đội đầu đo · Probe fleet", (), (
        Panel("Nghe được trong giờ · Heard in the last hour", "stat", "haidang_probes"),
        Panel("Đã ghi danh · Enrolled", "stat", "haidang_probes_enrolled"),
        Panel("Lần nghe cuối · Last heard", "stat", "time() - haidang_probe_last_seen_timestamp_seconds", unit="s"),
        Panel("Đường truyền cơ quan: phút từ lần thành công cuối · Offices: since the last good test", "table", "time() - haidang_line_last_success_timestamp_seconds", unit="s"),
        Panel("Cờ nghi ngờ · Plausibility flags", "series", "sum by (flag) (rate(haidang_records_flagged_total[15m]))", legend="{{flag}}"),
        Panel("Bản ghi theo đầu đo · Records by probe, 20 most", "table", flux.busiest_probes(), INFLUX),
    )),
    Board("haidang-server", "Hải Đăng · Máy thu · Collector health", (), (
        Panel("Hoạt động · Up", "stat", "up", legend="{{job}}"),
        Panel("Bản ghi mỗi giây · Records a second", "series", "rate(haidang_records_new_total[5m]) or rate(haidang_records_duplicate_total[5m])", legend="{{__name__}}"),
        Panel("Bị từ chối · Refused", "series", "haidang:records:rejected_ratio or vector(0)", unit="percentunit", legend="refused"),
        Panel("Đến khi bền, P99 · To durable", "series", "haidang:acknowledge:p99", unit="s", legend="p99"),
        Panel("Nhật ký · Journal records", "series", "haidang_journal_records", legend="journal"),
        Panel("Kho · Archive", "stat", "haidang_archive_bytes + haidang_journal_bytes", unit="bytes"),
        Panel("Đĩa trống · Disk free", "series", "haidang_disk_free_bytes", unit="bytes", legend="free"),
        Panel("Kho phụ chậm · Sink lag", "series", "haidang_sink_lag_records", legend="{{sink}}"),
        Panel("Máy chủ đo · Peer tests", "series", "sum by (instance, outcome) (rate(haidang_peer_tests_total[5m]))", legend="{{instance}} {{outcome}}"),
        Panel("Máy chủ đo · Peer traffic", "series", "8 * sum by (instance, direction) (rate(haidang_peer_bytes_total[5m]))", unit="bps", legend="{{instance}} {{direction}}"),
        Panel("Tuổi kết quả phân tích · Age of the analysis", "stat", "time() - haidang_result_timestamp_seconds", unit="s", legend="{{result}}"),
    )),
    Board("haidang-field", "Hải Đăng · Hiện trường · Field agents", ("area", "operator"), (
        Panel("Cần đo thêm: phép đo trong giờ · Least measured areas", "table", 'sort(sum by (area, operator) (haidang_area_samples{layer="<layer>",area=~"$area",operator=~"$operator"}))'),
        Panel("Mới nhất · Newest test", "table", 'time() - haidang_area_last_sample_timestamp_seconds{layer="<layer>",area=~"$area",operator=~"$operator"}', unit="s"),
        Panel("Phép đo lái xe · Drive and manual tests", "table", flux.field_tests(), INFLUX),
        Panel("Suy giảm cần xác minh · Degradations to verify", "table", 'haidang_area_degraded{area=~"$area",operator=~"$operator"} > 0'),
    )),
)  # fmt: skip


def thresholds_of(kpi: Kpi) -> Builder[models.ThresholdsConfig]:
    """Return red, amber and green from the limit and target of the thresholds table; amber lies between the two."""
    found = load()
    # Limits of 4G: what must hold everywhere. 5G's are higher and stand in the ratings.
    limits = [
        limit.at_least or limit.at_most or 0.0
        for limit in found.limit
        if limit.kpi == kpi.id and limit.technology == "4g"
    ]
    targets = [
        v
        for target in found.target
        if target.kpi == kpi.id and target.technology in ("4g", "*")
        for v in target.values.values()
    ]
    points = sorted({*limits[:1], *targets[len(targets) // 2 :][:1]})
    colours = ["red", "yellow", "green"] if kpi.better is Better.HIGHER else ["green", "yellow", "red"]
    colours = colours if len(points) == 2 else [colours[0], colours[-1]]
    steps = [models.Threshold(value=None, color=colours[0])] if points else [models.Threshold(value=None, color="blue")]
    steps += [models.Threshold(value=v, color=c) for v, c in zip(points, colours[1:], strict=False)]
    return dashboard.ThresholdsConfig().mode(models.ThresholdsMode.ABSOLUTE).steps(steps)


class _Flux(Builder[Any]):
    """A Flux query: the SDK has no builder for InfluxDB, whose query is a plain object."""

    def __init__(self, query: str) -> None:
        self._query = query

    def build(self) -> Any:
        return _Query({"refId": "A", "query": self._query, "datasource": {"type": "influxdb", "uid": INFLUX}})


class _Query(dict[str, Any]):
    def to_json(self) -> dict[str, Any]:
        return dict(self)


_BUILDERS: dict[str, Any] = {"stat": stat.Panel, "series": timeseries.Panel, "table": table.Panel}


def _places(panels: tuple[Panel, ...]) -> list[models.GridPos]:
    """Lay panels out in rows of 24: figures six wide, all else twelve."""
    places, x, y = [], 0, 0
    for row in panels:
        width = 6 if row.kind == "stat" else 12
        if x + width > 24:
            x, y = 0, y + 8
        places.append(models.GridPos(h=8, w=width, x=x, y=y))
        x += width
    return places


def _panel(number: int, row: Panel, place: models.GridPos) -> Any:
    built = _BUILDERS[row.kind]().id(number).title(row.title).grid_pos(place)
    built = built.datasource(models.DataSourceRef(type_val=_KIND[row.source], uid=row.source))
    if row.source == INFLUX:
        built = built.with_target(_Flux(row.query))
    else:
        query = prometheus.Dataquery().expr(row.query).legend_format(row.legend).ref_id("A")
        if row.kind == "table":
            query = query.format(prometheus_models.PromQueryFormat.TABLE)
        built = built.with_target(query.instant() if row.kind != "series" else query.range())
    if row.kpi is None:
        return built.unit(row.unit)
    kpi = BY_ID[row.kpi]
    built = built.unit(_UNITS[kpi.unit]).decimals(kpi.digits)
    return built.thresholds(thresholds_of(kpi))


_VARIABLES = {
    "layer": ("Lớp · Layer", "label_values(haidang_area_info, layer)"),
    "area": ("Khu vực · Area", "label_values(haidang_area_samples, area)"),
    "operator": ("Nhà mạng · Operator", "label_values(haidang_area_samples, operator)"),
    "technology": ("Công nghệ · Technology", "label_values(haidang_area_samples, technology)"),
}


def _variable(name: str, layer: str) -> Any:
    label, query = _VARIABLES[name]
    source = models.DataSourceRef(type_val="prometheus", uid=PROMETHEUS)
    built = dashboard.QueryVariable(name).label(label).query(query).datasource(source)
    built = built.refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(models.VariableSort.ALPHABETICAL_ASC)
    if name == "layer":
        return built.current(models.VariableOption(text=layer, value=layer, selected=True))
    return built.multi(True).include_all(True).all_value(".*").current(
        models.VariableOption(text="All", value="$__all", selected=True)
    )  # fmt: skip


def build(board: Board, layer: str = WATCHED) -> str:
    """Return a dashboard as Grafana's JSON; it opens on `layer`."""
    built = dashboard.Dashboard(board.title).uid(board.uid).tags(["haidang"]).timezone("browser").refresh("1m")
    built = built.time("now-24h", "now").readonly()
    built = built.link(
        dashboard.DashboardLink("Bản đồ · Map").type(models.DashboardLinkType.LINK).url(MAP_URL).target_blank(True)
    ).link(
        dashboard.DashboardLink("Hải Đăng").type(models.DashboardLinkType.DASHBOARDS).tags(["haidang"]).keep_time(True)
    )  # fmt: skip
    for name in board.variables:
        built = built.with_variable(_variable(name, layer))
    for number, (row, place) in enumerate(zip(board.panels, _places(board.panels), strict=True), 1):
        built = built.with_panel(_panel(number, row._replace(query=placed(row.query, layer)), place))
    return JSONEncoder(sort_keys=True, indent=2, ensure_ascii=False).encode(built.build()) + "\n"
