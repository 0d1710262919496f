"""`haidang-collector sinks` as a user calls it."""

import json

import pytest
from click.testing import CliRunner

from archive.store import Archive
from collector import sink, tables
from collector.commands.sinks import command
from measurement.errors import ConfigError
from tests.collector.sinks.test_influx import LAYER, records


@pytest.fixture
def folder(tmp_path):
    with Archive(tmp_path, create=True) as archive:
        tables.prepare(archive)
        archive.set_layers([LAYER])
        archive.append_frame(records(300))
    return tmp_path


def run(*arguments: object) -> str:
    done = CliRunner().invoke(command, [str(a) for a in arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_sink_added_later_has_everything_to_take(folder):
    assert "300 records to deliver" in run("add", "influx", "--archive", folder)
    assert "300 records behind" in run("list", "--archive", folder)


def test_a_sink_added_from_now_has_nothing_to_take_and_replays_a_range(folder):
    assert " 0 records to deliver" in run("add", "influx", "--from-now", "--archive", folder)
    (row,) = [json.loads(line) for line in run("list", "--json", "--archive", folder).splitlines()]
    assert row["waiting_count"] == 0
    assert "300 records will be" in run("replay", "influx", "--from", "2000-01-01", "--archive", folder)
    assert " 300 records will be" in run("replay", "influx", "--archive", folder)


def test_a_replay_never_moves_a_cursor_forward(folder):
    run("add", "influx", "--archive", folder)
    run("replay", "influx", "--from", "2999-01-01", "--archive", folder)
    with Archive(folder) as archive:
        assert sink.cursor_of(archive, "influx") == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("replay", "none"), "Invalid sink 'none'"),
        (("replay", "influx", "--from", "yesterday"), "--from: Invalid date 'yesterday'"),
    ],
)
def test_bad_arguments_are_named(folder, arguments, message):
    run("add", "influx", "--archive", folder)
    with pytest.raises(ConfigError) as caught:
        run(*arguments, "--archive", folder)
    assert message in str(caught.value)
