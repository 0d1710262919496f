"""Sets the gauges that are looked up when Prometheus asks."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import polars as pl

from collector.certificate import expiry_s
from collector.metrics import AREA
from collector.series import Key
from collector.service import Service
from measurement.geography import Layer

_SEGMENTS = "SELECT count(*), coalesce(sum(row_count), 0), coalesce(sum(byte_count), 0) FROM segments"
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
    service.metrics.replace_from("haidang_area_info", service.layers, lambda: _names(service.layers))
    _results(service)
    _certificate(service)


def page_of(service: Service) -> bytes:
    """Return what Prometheus is given. Runs on a thread; reads only."""
    export(service)
    return service.metrics.page()


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


def _names(layers: list[Layer]) -> dict[Key, float]:
    return {(layer.key, a.key, a.name, a.name_en or a.name): 1.0 for layer in layers for a in layer.areas}


def _results(service: Service) -> None:
    """Export what the analysis last wrote: the score of the newest period, and degradations."""
    for name, table, values in _TABLES:
        frame = service.result(table)
        service.metrics.replace_from(name, frame, partial(_of, frame, values))
    for table in WATCHED_RESULTS:
        written = service.result_written_at(table)
        if written is not None:
            service.metrics.put("haidang_result_timestamp_seconds", written, result=table)


def _of(frame: pl.DataFrame | None, values: Callable[[pl.DataFrame], pl.DataFrame]) -> dict[Key, float]:
    """Return the series of a result: its last column by all others; the last of equal keys stays."""
    if frame is None:
        return {}
    return {tuple(map(str, key)): float(value) for *key, value in values(frame).head(MOST_SERIES).iter_rows()}


def _scores(ratings: pl.DataFrame) -> pl.DataFrame:
    scores = ratings.filter((ratings["statistic"] == "score") & ratings["value"].is_not_null())
    # The whole time ("all") stands only where no month was rated.
    newest = scores.sort(scores["period"] != "all", "period").unique(AREA, keep="last")
    return newest.select(*AREA, "value")


def _severities(degraded: pl.DataFrame) -> pl.DataFrame:
    # What a probe or a server of ours is to blame for wakes nobody up for the network.
    ours = (pl.col("blame") != "network").fill_null(False)
    told = pl.when(ours).then(pl.min_horizontal("severity", pl.lit(1))).otherwise("severity")
    return degraded.with_columns(told.alias("severity")).select(*AREA, "severity").sort("severity")


def _holes_count(holes: pl.DataFrame) -> pl.DataFrame:
    return holes.group_by("operator", "technology").agg(pl.len())


def _holes_area(holes: pl.DataFrame) -> pl.DataFrame:
    return holes.group_by("operator", "technology").agg(1e6 * pl.col("area_km2").sum())


_TABLES: tuple[tuple[str, str, Callable[[pl.DataFrame], pl.DataFrame]], ...] = (
    ("haidang_area_rating_score", "area_ratings", _scores),
    ("haidang_area_degraded", "degraded", _severities),
    ("haidang_coverage_holes", "holes", _holes_count),
    ("haidang_coverage_hole_area_square_metres", "holes", _holes_area),
)
"""Gauges of result tables: name, table, rows of labels and value."""


def _certificate(service: Service) -> None:
    path = service.certificate
    expiry = None if path is None else expiry_s(path)
    if expiry is not None:
        service.metrics.put("haidang_certificate_expiry_timestamp_seconds", expiry)
