"""The Delta sink on a local folder and on a real S3 server; several collectors on one table."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest
from deltalake import DeltaTable

from archive.store import Archive
from collector import sink, tables
from collector.sinks import delta
from measurement.errors import ConfigError, DeliveryError
from tests.collector.sinks.test_influx import LAYER, deliver, records
from tests.servers.s3 import s3

__all__ = ["s3"]


def collector(folder: Path, first: int = 0, count: int = 300) -> Archive:
    archive = Archive(folder, create=True)
    tables.prepare(archive)
    archive.set_layers([LAYER])
    archive.append_frame(records(count, first))
    return archive


def feeder(archive: Archive, settings: dict[str, object]) -> sink.Feeder:
    sink.register(archive, "delta")
    made = delta.make(settings, archive.path)
    return sink.Feeder(Archive(archive.path), "delta", made, threading.Event(), random.Random(1))


def deliver_all(fed: sink.Feeder, archive: Archive) -> None:
    """Go on after a lost race for the table's first version, as the feeder's thread does after its pause."""
    for _ in range(50):
        deliver(fed)
        if archive.count_after(sink.cursor_of(archive, "delta")) == 0:
            return


def ids(table: DeltaTable) -> list[str]:
    return pl.read_delta(table, columns=["record_id"])["record_id"].to_list()


def test_a_retry_after_a_crash_commits_once(tmp_path):
    archive = collector(tmp_path / "archive")
    settings = {"table": str(tmp_path / "table"), "collector": "hp-1"}
    deliver(feeder(archive, settings))
    with archive.transaction() as connection:
        connection.execute("UPDATE sink_cursors SET sequence = 0")  # as if killed between commit and cursor
    deliver(feeder(archive, settings))
    found = ids(DeltaTable(settings["table"]))
    assert len(found) == len(set(found)) == 300


def test_several_collectors_share_a_table_on_an_object_store(tmp_path, s3):
    settings = {"table": s3.address("shared/records"), "options": s3.storage_options}
    archives = [collector(tmp_path / str(n), first=1000 * n) for n in range(3)]
    for n, archive in enumerate(archives):
        archive.append_frame(records(50, first=1000 * n + 500))
    with ThreadPoolExecutor(3) as pool:
        fed = [feeder(archive, settings | {"collector": f"hp-{n}"}) for n, archive in enumerate(archives)]
        list(pool.map(deliver_all, fed, archives))
    found = ids(DeltaTable(settings["table"], storage_options=s3.storage_options))
    assert len(found) == len(set(found)) == 3 * 350


def test_a_table_that_cannot_be_written_is_a_delivery_error(tmp_path):
    archive = collector(tmp_path / "archive")
    (tmp_path / "table").write_text("a file stands in the way")
    fed = feeder(archive, {"table": str(tmp_path / "table" / "below"), "collector": "hp-1"})
    with pytest.raises((DeliveryError, OSError)):
        fed._sink.prepare()
    assert sink.cursor_of(archive, "delta") == 0


@pytest.mark.parametrize("settings", [{}, {"table": "x"}, {"table": "x", "collector": " "}])
def test_bad_settings_name_the_key(settings, tmp_path):
    with pytest.raises(ConfigError):
        delta.make(settings, tmp_path)
