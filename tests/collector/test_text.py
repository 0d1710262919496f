"""Our text of the metrics is that of prometheus_client, letter by letter."""

from prometheus_client import generate_latest

from collector.metrics import Metrics


def test_is_what_prometheus_client_writes() -> None:
    metrics = Metrics()
    for value in (0.0, 1.0, 1e21, float("inf"), float("nan"), 1 / 3, -2.5e-7, 1234567890.125):
        metrics.put("haidang_coverage_holes", value, operator=f"v{value}", technology='quote " slash \\ line\nend')
    metrics.count("haidang_requests_total", route="/v1/records", status="202")
    metrics.observe("haidang_acknowledge_seconds", 0.003)
    assert metrics.page() == generate_latest(metrics.registry)
    metrics.put("haidang_coverage_holes", 7, operator="v1.0", technology='quote " slash \\ line\nend')
    metrics.count("haidang_requests_total", route="/v1/records", status="202")
    metrics.replace("haidang_area_degraded", {("districts", "1", "Ưu việt", "4g"): 2.0})
    assert metrics.page() == generate_latest(metrics.registry)
    metrics.replace("haidang_area_degraded", {})
    assert metrics.page() == generate_latest(metrics.registry)
    assert "Ưu việt" not in metrics.page().decode()
