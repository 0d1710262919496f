# ruff: noqa: E501
"""Every recording and alerting rule of Prometheus, one row each; the rule file, runbooks and tests read this table.

`expr` is PromQL in which `<30m>` is a window: `grafana.rulebook` writes it as it stands, or compressed for the
end-to-end test; `<layers>` is the layer that is watched (`grafana.layers`). Ages and counts in an expression are never compressed. Area gauges cover the collector's rolling hour
(`collector.window.SPAN`), which is a window of its own. M-of-N is `sum_over_time((bad)[<30m>:<5m>]) >= 4`: bad in
four of the six looks of half an hour.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from analysis.degraded.kpis import BY_KPI
from analysis.thresholds import load
from collector.metrics import METRICS

LAYER = 'layer=~"<layers>"'
"""The layer whose areas page (`grafana.layers`)."""
LEAST_SAMPLES, LEAST_PROBES = 20, 3
"""Of the collector's hour, before a live figure of an area counts."""


class Severity(StrEnum):
    """What Alertmanager routes by."""

    CRITICAL = "critical"
    WARNING = "warning"
    NONE = "none"


class Scope(StrEnum):
    """What fails: the network at a place, a line or probe in the field, or our own server side."""

    AREA = "area"
    FLEET = "fleet"
    SERVER = "server"
    HEARTBEAT = "heartbeat"


class Recording(NamedTuple):
    """A series that others read."""

    record: str
    expr: str
    why: str


class Alert(NamedTuple):
    """One alert. `wait` and `keep` are `for` and `keep_firing_for`: together the hysteresis."""

    id: str
    scope: Scope
    severity: Severity
    expr: str
    wait: str
    keep: str
    title_en: str
    title_vi: str
    en: str
    vi: str
    dashboard: str


_LIMITS = {(limit.technology, limit.kpi, limit.statistic): limit for limit in load().limit}
DOWNLINK_4G = _LIMITS["4g", "downlink", "mean"].at_least or 0.0
DOWNLINK_5G = _LIMITS["5g", "downlink", "mean"].at_least or 0.0
ACCESS_FAILURE = _LIMITS["4g", "access_failure", "share"].at_most or 0.0

MINOR, MAJOR = (f"{100 * share:.0f}" for share in (BY_KPI["downlink"].fall, BY_KPI["downlink"].major))
"""Falls in percent from which the analysis calls a degradation of ratios minor and major."""

_TECHNOLOGY = {"4g": 'technology=~"lte.*"', "5g": 'technology=~"nr_.*"'}


def _live(metric: str, generation: str | None = None) -> str:
    selector = LAYER if generation is None else f"{LAYER},{_TECHNOLOGY[generation]}"
    return f"(haidang_area_{metric}{{{selector}}} and haidang:area:enough)"


def _m_of_n(bad: str) -> str:
    """Bad in four of the six looks of half an hour."""
    return f"sum_over_time(({bad})[<30m>:<5m>]) >= 4"


def _degraded(layers: str, but: str = "") -> str:
    not_these = f',layer!~"{but}"' if but else ""
    return f'max by (layer, area, operator) (haidang_area_degraded{{layer=~"{layers}"{not_these}}})'


RECORDINGS: tuple[Recording, ...] = (
    Recording("haidang:area:enough", f"haidang_area_samples{{{LAYER}}} >= {LEAST_SAMPLES} and haidang_area_probes >= {LEAST_PROBES}", "Areas whose last hour has enough tests and probes to be spoken of."),
    Recording("haidang:area:degraded", _degraded("<layers>"), "Worst severity of an area and operator, over technologies and KPIs, as the analysis last wrote it."),
    Recording("haidang:operator:degraded", 'max by (operator) (haidang_area_degraded{layer=~"operators|provinces-.*"})', "Worst severity of a whole operator."),
    Recording("haidang:records:rejected_ratio", "sum(rate(haidang_records_rejected_total[<15m>])) / sum(rate(haidang_records_received_total[<15m>]))", "Share of records refused."),
    Recording("haidang:station:expected_tests", "increase(haidang_station_tests_total[<7d>] offset <1d>) / 7", "Tests a station served a day, in the week before the last day."),
    Recording("haidang:acknowledge:p99", "histogram_quantile(0.99, sum by (le) (rate(haidang_acknowledge_seconds_bucket[<15m>])))", "Time to durable that 99 of 100 requests keep."),
)  # fmt: skip

_AREA = "{{ $labels.operator }}, <area>"
_PEOPLE = {
    "city": "haidang-city",
    "area": "haidang-area",
    "station": "haidang-base-station",
    "fleet": "haidang-fleet",
    "server": "haidang-server",
}

ALERTS: tuple[Alert, ...] = (
    # The network: worse than its own past (haidang-analysis degraded: baseline, CUSUM, confirmation, false discovery rate).
    # Pages have no `for`: what the analysis tells is confirmed, and a wait here would only delay it.
    # Where exactly one district is degraded, it is the district that weighs on the whole, and its own alert speaks.
    Alert("OperatorDegraded", Scope.AREA, Severity.CRITICAL, "haidang:operator:degraded >= 1 unless on (operator) count by (operator) (haidang:area:degraded >= 1) == 1", "<0s>", "<30m>",
          "Operator degraded city-wide", "Nhà mạng suy giảm toàn thành phố",
          "{{ $labels.operator }} is worse than its own past in the whole city.", "{{ $labels.operator }} kém hơn chính mình trước đây trên toàn thành phố.", "city"),
    Alert("AreaDegradedMajor", Scope.AREA, Severity.CRITICAL, "haidang:area:degraded >= 2", "<0s>", "<30m>",
          "Area degraded, major", "Khu vực suy giảm nghiêm trọng",
          f"{_AREA}: at least {MAJOR} % worse than its own past.", f"{_AREA}: kém ít nhất {MAJOR} % so với trước đây.", "area"),
    Alert("AreaDegraded", Scope.AREA, Severity.WARNING, "haidang:area:degraded == 1", "<2m>", "<30m>",
          "Area degraded", "Khu vực suy giảm",
          f"{_AREA}: at least {MINOR} % worse than its own past.", f"{_AREA}: kém ít nhất {MINOR} % so với trước đây.", "area"),
    # Places have fewer tests, so their end is seen later than the district's: three hours after it they are still its.
    Alert("PlaceDegraded", Scope.AREA, Severity.WARNING,
          f"({_degraded('communes-.*|zones', but='<layers>')} >= 1 or {_degraded('base_stations')} >= 2) unless on (operator) (max_over_time(haidang:area:degraded[<3h>]) >= 1) unless on (operator) (max_over_time(haidang:operator:degraded[<3h>]) >= 1)", "<10m>", "<30m>",
          "Commune, zone or base station degraded", "Xã/phường, khu công nghiệp hoặc trạm suy giảm",
          f"{_AREA} ({{{{ $labels.layer }}}}): worse than its own past, while no district of the operator is.", f"{_AREA} ({{{{ $labels.layer }}}}): kém hơn trước đây, trong khi không quận/huyện nào của nhà mạng suy giảm.", "area"),
    # The network: absolute limits, live, M-of-N, minimum of tests and probes.
    Alert("AreaTestsFail", Scope.AREA, Severity.CRITICAL, _m_of_n(f"{_live('failure_ratio')} > bool {4 * ACCESS_FAILURE:g}"), "<0s>", "<15m>",
          "Tests fail in an area", "Phép đo thất bại tại khu vực",
          f"{_AREA} ({{{{ $labels.technology }}}}): over {400 * ACCESS_FAILURE:g} % of the last hour's tests failed in 4 of 6 looks (limit {100 * ACCESS_FAILURE:g} %).", f"{_AREA} ({{{{ $labels.technology }}}}): hơn {400 * ACCESS_FAILURE:g} % phép đo trong giờ qua thất bại, 4 trên 6 lần xét (giới hạn {100 * ACCESS_FAILURE:g} %).", "area"),
    Alert("AreaBelowFloor4g", Scope.AREA, Severity.WARNING, _m_of_n(f"{_live('downlink_goodput_bits_per_second', '4g')} < bool {DOWNLINK_4G / 4:g}"), "<0s>", "<30m>",
          "4G far below the limit in an area", "4G thấp xa dưới giới hạn tại khu vực",
          f"{_AREA}: median 4G downlink under a quarter of the {DOWNLINK_4G / 1e6:g} Mbit/s limit in 4 of 6 looks.", f"{_AREA}: trung vị tải xuống 4G dưới một phần tư mức {DOWNLINK_4G / 1e6:g} Mbit/s, 4 trên 6 lần xét.", "area"),
    Alert("AreaBelowFloor5g", Scope.AREA, Severity.WARNING, _m_of_n(f"{_live('downlink_goodput_bits_per_second', '5g')} < bool {DOWNLINK_5G / 4:g}"), "<0s>", "<30m>",
          "5G far below the limit in an area", "5G thấp xa dưới giới hạn tại khu vực",
          f"{_AREA}: median 5G downlink under a quarter of the {DOWNLINK_5G / 1e6:g} Mbit/s limit in 4 of 6 looks.", f"{_AREA}: trung vị tải xuống 5G dưới một phần tư mức {DOWNLINK_5G / 1e6:g} Mbit/s, 4 trên 6 lần xét.", "area"),
    # A station that serves k tests a day is silent a day by chance with probability e^-k: 20 a day, once in 5·10^8 days.
    Alert("BaseStationOffAir", Scope.AREA, Severity.WARNING, "haidang:station:expected_tests >= 20 unless on (base_station) increase(haidang_station_tests_total[<1d>]) > 0 unless on () haidang:operator:degraded >= 1", "<1h>", "<0s>",
          "Base station perhaps off air", "Trạm có thể ngừng phát",
          "{{ $labels.base_station }} served no test for a day; usual are {{ $value | humanize }} a day.", "{{ $labels.base_station }} không phục vụ phép đo nào trong một ngày; thường là {{ $value | humanize }} mỗi ngày.", "station"),
    Alert("CoverageHolesGrow", Scope.AREA, Severity.WARNING, "haidang_coverage_hole_area_square_metres > 1.25 * avg_over_time(haidang_coverage_hole_area_square_metres[<7d>] offset <1d>) + 500000", "<1d>", "<1d>",
          "Coverage holes grow", "Vùng lõm sóng lan rộng",
          "{{ $labels.operator }}, {{ $labels.technology }}: holes cover {{ $value | humanize }} m², over a quarter and 0.5 km² more than last week.", "{{ $labels.operator }}, {{ $labels.technology }}: vùng lõm rộng {{ $value | humanize }} m², hơn tuần trước một phần tư và 0,5 km².", "city"),
    # The field.
    Alert("SiteLineDown", Scope.FLEET, Severity.WARNING, "haidang_line_last_test_timestamp_seconds - haidang_line_last_success_timestamp_seconds > 3600 and time() - haidang_line_last_test_timestamp_seconds < 86400", "<15m>", "<0s>",
          "Line of an office down", "Đường truyền cơ quan mất",
          "{{ $labels.organisation }}, probe {{ $labels.probe_id }}: every test of the last {{ $value | humanizeDuration }} failed.", "{{ $labels.organisation }}, đầu đo {{ $labels.probe_id }}: mọi phép đo trong {{ $value | humanizeDuration }} qua đều thất bại.", "fleet"),
    Alert("SiteProbeSilent", Scope.FLEET, Severity.WARNING, "time() - haidang_line_last_test_timestamp_seconds > 21600 < 2592000", "<30m>", "<0s>",
          "Probe of an office silent", "Đầu đo cơ quan im lặng",
          "{{ $labels.organisation }}, probe {{ $labels.probe_id }}: no test for {{ $value | humanizeDuration }}: power, line or probe.", "{{ $labels.organisation }}, đầu đo {{ $labels.probe_id }}: không có phép đo trong {{ $value | humanizeDuration }}: điện, đường truyền hoặc đầu đo.", "fleet"),
    Alert("ManyProbesSilent", Scope.FLEET, Severity.CRITICAL, "haidang_probes < 0.5 * max_over_time(haidang_probes[<1d>]) and max_over_time(haidang_probes[<1d>]) >= 10", "<30m>", "<15m>",
          "Many probes silent", "Nhiều đầu đo im lặng",
          "Only {{ $value }} probes were heard in the last hour, under half of the day's most.", "Chỉ {{ $value }} đầu đo được nghe trong giờ qua, dưới một nửa mức cao nhất trong ngày.", "fleet"),
    Alert("ProbeClocksWrong", Scope.FLEET, Severity.WARNING, 'sum(increase(haidang_records_flagged_total{flag=~"clock-.*|started-in-future"}[<1h>])) > 0.05 * sum(increase(haidang_records_new_total[<1h>])) > 10', "<30m>", "<30m>",
          "Probes' clocks are wrong", "Đồng hồ đầu đo sai",
          "{{ $value | humanize }} records of the last hour have a doubtful clock.", "{{ $value | humanize }} bản ghi trong giờ qua có đồng hồ đáng ngờ.", "fleet"),
    # Our own server side.
    Alert("CollectorDown", Scope.SERVER, Severity.CRITICAL, 'up{job="collector"} == 0', "<2m>", "<2m>",
          "Collector down", "Máy thu không trả lời",
          "{{ $labels.instance }} does not answer; probes keep their records.", "{{ $labels.instance }} không trả lời; đầu đo giữ lại bản ghi.", "server"),
    Alert("PeerDown", Scope.SERVER, Severity.CRITICAL, 'up{job="peer"} == 0', "<2m>", "<2m>",
          "Measurement server down", "Máy chủ đo không trả lời",
          "{{ $labels.instance }} does not answer; what is measured against it says nothing of the network.", "{{ $labels.instance }} không trả lời; phép đo tới đó không nói gì về mạng.", "server"),
    Alert("PeerOverloaded", Scope.SERVER, Severity.WARNING, 'sum by (instance) (rate(haidang_peer_tests_total{outcome="busy"}[<15m>])) > 0.1 * sum by (instance) (rate(haidang_peer_tests_total[<15m>]))', "<15m>", "<15m>",
          "Measurement server overloaded", "Máy chủ đo quá tải",
          "{{ $labels.instance }} refuses over a tenth of the tests.", "{{ $labels.instance }} từ chối hơn một phần mười phép đo.", "server"),
    Alert("RecordsRejected", Scope.SERVER, Severity.WARNING, "haidang:records:rejected_ratio > 0.05 and sum(increase(haidang_records_rejected_total[<15m>])) > 20", "<10m>", "<15m>",
          "Records are refused", "Bản ghi bị từ chối",
          "{{ $value | humanizePercentage }} of records are refused: a probe version that does not fit, or an attack.", "{{ $value | humanizePercentage }} bản ghi bị từ chối: phiên bản đầu đo không khớp, hoặc bị tấn công.", "server"),
    Alert("CollectorSlow", Scope.SERVER, Severity.WARNING, "haidang:acknowledge:p99 > 1 and sum(increase(haidang_acknowledge_seconds_count[<15m>])) >= 100", "<15m>", "<10m>",
          "Collector slow", "Máy thu chậm",
          "One request in a hundred waits over {{ $value | humanizeDuration }} until durable.", "Một phần trăm yêu cầu chờ hơn {{ $value | humanizeDuration }} mới được lưu bền.", "server"),
    # A line through the minutes after a restart tells nothing: there must be three hours of it.
    Alert("DiskFillsUp", Scope.SERVER, Severity.CRITICAL, "haidang_disk_free_bytes < 2e9 or (haidang_disk_free_bytes < 5e10 and predict_linear(haidang_disk_free_bytes[<6h>], 3 * 86400) < 0 and haidang_disk_free_bytes offset <3h> > 0)", "<30m>", "<30m>",
          "Disk of the archive fills up", "Đĩa của kho dữ liệu sắp đầy",
          "{{ $value | humanize1024 }}B free; full within three days at this pace, or nearly full now.", "Còn trống {{ $value | humanize1024 }}B; sẽ đầy trong ba ngày, hoặc gần đầy.", "server"),
    Alert("SinkLags", Scope.SERVER, Severity.WARNING, "haidang_sink_lag_records > 10000 and delta(haidang_sink_lag_records[<30m>]) >= 0", "<15m>", "<15m>",
          "Sink lags behind", "Kho phụ bị trễ",
          "Sink {{ $labels.sink }} is {{ $value }} records behind and does not catch up; the archive has them.", "Kho {{ $labels.sink }} chậm {{ $value }} bản ghi và không bắt kịp; kho chính vẫn đủ.", "server"),
    Alert("SinkFails", Scope.SERVER, Severity.WARNING, "increase(haidang_sink_failures_total[<15m>]) >= 3", "<10m>", "<15m>",
          "Sink refuses writes", "Kho phụ từ chối ghi",
          "Sink {{ $labels.sink }} refused {{ $value | humanize }} writes in a quarter of an hour.", "Kho {{ $labels.sink }} từ chối {{ $value | humanize }} lần ghi trong 15 phút.", "server"),
    Alert("CertificateExpires", Scope.SERVER, Severity.WARNING, "haidang_certificate_expiry_timestamp_seconds - time() < 14 * 86400 and haidang_certificate_expiry_timestamp_seconds > 0", "<1h>", "<0s>",
          "Certificate expires", "Chứng chỉ sắp hết hạn",
          "The collector's certificate ends in {{ $value | humanizeDuration }}.", "Chứng chỉ của máy thu hết hạn sau {{ $value | humanizeDuration }}.", "server"),
    Alert("AnalysisStale", Scope.SERVER, Severity.WARNING, 'time() - haidang_result_timestamp_seconds{result="degraded"} > 3600', "<10m>", "<0s>",
          "Analysis stands still", "Phân tích ngừng chạy",
          "Degradation was last looked for {{ $value | humanizeDuration }} ago: what is silent may be broken.", "Lần xét suy giảm gần nhất cách đây {{ $value | humanizeDuration }}: im lặng có thể là hỏng.", "server"),
    Alert("SeriesDropped", Scope.SERVER, Severity.WARNING, "haidang_area_series_dropped > 0", "<15m>", "<1h>",
          "Too many area series", "Quá nhiều chuỗi khu vực",
          "{{ $value }} area series are not exported.", "{{ $value }} chuỗi khu vực không được xuất.", "server"),
    # Always fires: whoever receives it must raise the alarm when it stops.
    Alert("Heartbeat", Scope.HEARTBEAT, Severity.NONE, "vector(1)", "<0s>", "<0s>",
          "Alerting works", "Cảnh báo hoạt động",
          "Sent as long as Prometheus and Alertmanager work.", "Được gửi khi Prometheus và Alertmanager còn hoạt động.", "server"),
)  # fmt: skip

DASHBOARDS = _PEOPLE
EXPORTED = frozenset(metric.name for metric in METRICS)
