"""Radio and position through one test, in a thread; the tables of sources."""

import time

import pytest

from measurement.errors import ConfigError, InstrumentError
from measurement.record import Network, Position, RadioSample
from probe.settings import Position as PositionSettings
from probe.settings import Radio as RadioSettings
from probe.sources import POSITION, RADIO, open_position, open_radio
from probe.surroundings import MAX_SAMPLES, Surroundings


class Source:
    """A modem and a receiver in one; fails where it is told to."""

    def __init__(self) -> None:
        self.count, self.is_broken = 0, False

    def sample(self) -> list[RadioSample]:
        if self.is_broken:
            raise InstrumentError("gone")
        self.count += 1
        return [RadioSample(at_ms=0, leg="anchor", is_serving=True, rsrp_dbm=-80 - self.count)]

    def network(self) -> Network:
        return Network(mcc="452", mnc="04")

    def fix(self) -> Position:
        if self.is_broken:
            raise InstrumentError("gone")
        return Position(longitude_deg=106.0 + self.count * 0.001, latitude_deg=20.0, accuracy_m=5, speed_mps=20)

    def close(self) -> None:
        pass


def test_both_are_sampled_each_interval_and_stamped():
    source = Source()
    with Surroundings(source, source, interval_s=0.05) as around:
        time.sleep(0.5)
    samples = around.radio()
    assert samples is not None
    assert 3 <= len(samples) <= 12
    stamps = [sample.at_ms for sample in samples]
    assert stamps == sorted(stamps)
    assert stamps[0] < 50
    position = around.position()
    assert position is not None
    assert position.moved_m == pytest.approx(104.5 * (source.count - 1), rel=0.01)
    assert position.environment == "outdoor_moving"
    assert around.network() == Network(mcc="452", mnc="04")
    count = source.count
    time.sleep(0.1)
    assert source.count == count, "sampling ends with the test"


def test_what_the_user_says_of_the_environment_holds():
    source = Source()
    around = Surroundings(source, source, environment="indoor")
    around.sample_once()
    position = around.position()
    assert position is not None
    assert position.environment == "indoor"


def test_a_source_that_fails_leaves_a_gap_and_is_told_once(caplog):
    source = Source()
    around = Surroundings(source, source)
    around.sample_once()
    source.is_broken = True
    for _ in range(5):
        around.sample_once()
    assert around.radio() is not None
    assert len(around.radio()) == 1
    assert caplog.text.count("no radio: gone") == 1
    assert caplog.text.count("no position: gone") == 1


def test_samples_stay_within_the_records_bound():
    source = Source()
    around = Surroundings(source)
    around._samples = [source.sample()[0]] * (MAX_SAMPLES - 1)
    around.sample_once()
    around.sample_once()
    assert len(around.radio()) == MAX_SAMPLES


def test_without_sources_there_is_nothing():
    with Surroundings() as around:
        pass
    assert (around.radio(), around.position(), around.network()) == (None, None, None)


def test_every_source_of_the_tables_is_opened_or_names_what_it_lacks():
    for name in RADIO:
        if name not in ("none", "auto", "modemmanager", "at"):
            with pytest.raises(ConfigError):
                open_radio(RadioSettings(source=name))
    for name in POSITION:
        if name not in ("none", "gpsd"):
            with pytest.raises(ConfigError):
                open_position(PositionSettings(source=name))
    with pytest.raises(ConfigError, match="Invalid source 'x'"):
        open_radio(RadioSettings(source="x"))
    with pytest.raises(ConfigError, match="Invalid source 'x'"):
        open_position(PositionSettings(source="x"))


def test_a_command_source_reads_what_a_command_prints(tmp_path):
    script = tmp_path / "cells"
    script.write_text("#!/bin/sh\necho '+QENG: \"servingcell\",\"NOCONN\",\"NR5G-SA\",\"TDD\",452,04,1A2B3C4D5,538,"
                      "114000,620640,78,12,-99,-12,14,1,-'\n")  # fmt: skip
    script.chmod(0o755)
    source = open_radio(RadioSettings(source="command", format="quectel", command=str(script)))
    assert source is not None
    (sample,) = source.sample()
    assert (sample.rsrp_dbm, sample.leg, sample.band) == (-99, "nr", 78)
    assert source.network() == Network(mcc="452", mnc="04", technology="nr_sa")
    script.write_text("#!/bin/sh\necho broken >&2\nexit 3\n")
    with pytest.raises(InstrumentError, match="broken"):
        source.sample()
    script.unlink()
    with pytest.raises(InstrumentError, match="No such file"):
        source.sample()
