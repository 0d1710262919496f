"""Sets the gauges that are looked up when Prometheus asks."""

from __future__ import annotations

import shutil
from datetime import timedelta

from collector.certificate import expiry_s
from collector.service import Service

_SEGMENTS = "SELECT count(*), coalesce(sum(row_count), 0), coalesce(sum(byte_count), 0) FROM segments"
_RATINGS = ("layer", "area", "operator", "technology")
MOST_SERIES = 5_000
WATCHED_RESULTS = ("area_ratings", "degraded", "holes")
"""Tables whose age tells whether the analysis still runs."""


def export(service: Service) -> None:
    """Bring every gauge up to date. Runs on a thread; reads only."""
    put, count_to = service.metrics.put, service.metrics.count_to
    connection = service.archive.connection
    rows, _ = service.storage()
    put("haidang_journal_records", rows)
    put("haidang_journal_waiting_bytes", service.journal.waiting_bytes)
    put("haidang_journal_bytes", service.journal_bytes())
    count_to("haidang_journal_commits_total", service.journal.commit_count)
    count_to("haidang_journal_commit_seconds_total", service.journal.commit_seconds)
    segments, records, size = connection.execute(_SEGMENTS + " WHERE replaced_at IS NULL").fetchone()
    put("haidang_archive_segments", segments)
    put("haidang_archive_records", records)
    put("haidang_archive_bytes", size)
    put("haidang_disk_free_bytes", shutil.disk_usage(service.archive.path).free)
    _probes(service)
    _sinks(service)
    service.window.export(service.now())
    service.uptime.export()
    for layer in service.layers:  # a name that changed comes with a restart
        for area in layer.areas:
            names = {"name": area.name, "name_en": area.name_en or area.name}
            put("haidang_area_info", 1, layer=layer.key, area=area.key, **names)
    _results(service)
    _holes(service)
    _certificate(service)


def _probes(service: Service) -> None:
    service.presence.flush()
    connection, put = service.archive.connection, service.metrics.put
    since = (service.now() - timedelta(hours=1)).isoformat(timespec="seconds")
    (seen,) = connection.execute("SELECT count(*) FROM probes WHERE last_seen_at >= ?", (since,)).fetchone()
    put("haidang_probes", seen)
    (enrolled,) = connection.execute(
        "SELECT count(DISTINCT name) FROM tokens WHERE role = 'probe' AND revoked_at IS NULL"
    ).fetchone()
    put("haidang_probes_enrolled", enrolled)
    (newest,) = connection.execute(
        "SELECT coalesce(max(CAST(strftime('%s', last_seen_at) AS INTEGER)), 0) FROM probes"
    ).fetchone()
    put("haidang_probe_last_seen_timestamp_seconds", newest)


def _sinks(service: Service) -> None:
    rows = service.archive.connection.execute(
        "SELECT name, delivered_count, failed_count, sequence FROM sink_cursors"
    ).fetchall()
    for name, delivered, failed, sequence in rows:
        behind = service.archive.count_after(sequence)
        service.metrics.put("haidang_sink_lag_records", behind, sink=name)
        service.metrics.count_to("haidang_sink_delivered_total", delivered, sink=name)
        service.metrics.count_to("haidang_sink_failures_total", failed, sink=name)


def _results(service: Service) -> None:
    """Export what the analysis last wrote: the score of the newest period, and degradations."""
    with service.metrics.renewed("haidang_area_rating_score", "haidang_area_degraded"):
        ratings = service.result("area_ratings")
        if ratings is not None:
            scores = ratings.filter((ratings["statistic"] == "score") & ratings["value"].is_not_null())
            # The whole time ("all") stands only where no month was rated.
            newest = scores.sort(scores["period"] != "all", "period").unique(_RATINGS, keep="last")
            for row in newest.head(MOST_SERIES).iter_rows(named=True):
                labels = {name: str(row[name]) for name in _RATINGS}
                service.metrics.put("haidang_area_rating_score", float(row["value"]), **labels)
        degraded = service.result("degraded")
        if degraded is not None:
            for row in degraded.head(MOST_SERIES).iter_rows(named=True):
                labels = {name: str(row[name]) for name in _RATINGS}
                service.metrics.put("haidang_area_degraded", float(row["severity"]), **labels)
    for name in WATCHED_RESULTS:
        written = service.result_written_at(name)
        if written is not None:
            service.metrics.put("haidang_result_timestamp_seconds", written, result=name)


def _holes(service: Service) -> None:
    names = ("haidang_coverage_holes", "haidang_coverage_hole_area_square_metres")
    for name in names:
        service.metrics.clear(name)
    holes = service.result("holes")
    if holes is None:
        return
    for (operator, technology), own in holes.group_by("operator", "technology"):
        labels = {"operator": str(operator), "technology": str(technology)}
        service.metrics.put(names[0], own.height, **labels)
        service.metrics.put(names[1], 1e6 * float(own["area_km2"].sum()), **labels)


def _certificate(service: Service) -> None:
    path = service.certificate
    expiry = None if path is None else expiry_s(path)
    if expiry is not None:
        service.metrics.put("haidang_certificate_expiry_timestamp_seconds", expiry)
