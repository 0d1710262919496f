"""A drive whose clock is simulated: segments, cycles, pauses, notes, resuming, exports."""

import csv
import io
import json
import xml.etree.ElementTree as ElementTree
from itertools import pairwise

import msgspec
import pytest

from measurement.errors import ConfigError, InstrumentError
from measurement.record import Latency, LatencyResult, Network, Outcome, Position, RadioSample
from measurement.vocabulary import Failure, Leg, Operation, Status
from probe.drive.attend import press
from probe.drive.drive import Drive, Rules
from probe.drive.export import to_csv, to_geojson, to_gpx
from probe.drive.logbook import Logbook
from probe.drive.recorder import Recorder
from probe.spool.spool import Spool
from tests.probe.agent.simulated import SimulatedClock
from tests.probe.records import record


class Road:
    """A straight road eastwards, ten metres a second, the signal falling; `speed` can be changed."""

    def __init__(self, clock) -> None:
        self.clock, self.speed_mps, self.is_broken = clock, 10.0, False
        self._x, self._at = 0.0, clock.monotonic()

    def fix(self) -> Position:
        self._x += (self.clock.monotonic() - self._at) * self.speed_mps
        self._at = self.clock.monotonic()
        return Position(longitude_deg=106.0 + self._x / 104_000, latitude_deg=20.86, accuracy_m=4.0,
                        speed_mps=self.speed_mps, source="gnss")  # fmt: skip

    def sample(self) -> list[RadioSample]:
        if self.is_broken:
            raise InstrumentError("serial port /dev/ttyUSB2: gone")
        level = -70 - self._x / 500
        return [RadioSample(at_ms=0, leg=Leg.ANCHOR, is_serving=True, rsrp_dbm=level, pci=7, cell_id=53844326,
                            base_station_id=210329)]  # fmt: skip

    def network(self) -> Network:
        return Network(mcc="452", mnc="04", technology="lte")

    def close(self) -> None:
        pass


class Trip:
    """A drive, its road, its clock; the recorder looks once a second of every wait and test."""

    def __init__(self, folder, **rules) -> None:
        self.clock = TickingClock(self)
        self.road = Road(self.clock)
        self.logbook = Logbook(folder / "trip.drive", create=True)
        self.spool = Spool(folder / "spool.sqlite", boot_ms=lambda: 0.0)
        self.recorder = Recorder(self.road, self.road, self.logbook.add_point, clock=self.clock)
        self.asked: list[tuple[float, bool]] = []
        self.is_down = False
        self.drive = Drive(self.recorder, self.logbook, self.spool, self.measure, Rules(**rules), clock=self.clock)
        self.recorder.look()

    def measure(self, part, is_throughput, segment_s):
        self.asked.append((self.clock.seconds, is_throughput))
        made = record(len(self.asked), started_at=self.clock.now())
        with part:
            if self.is_down:
                failed = Outcome(status=Status.FAILED, failure=Failure.NETWORK_UNREACHABLE, operation=Operation.CONNECT)
                return msgspec.structs.replace(made, outcome=failed, throughput=None, mode="drive")
            self.clock.wait(22 if is_throughput else segment_s)
        result = LatencyResult(method="stamp", sent_count=100, received_count=100, rtt_median_ms=30.0, loss_ratio=0.0)
        latency = Latency(idle=result)
        return msgspec.structs.replace(
            made, latency=latency, mode="drive", throughput=made.throughput if is_throughput else None
        )

    def run(self, seconds: float) -> None:
        until = self.clock.seconds + seconds
        while self.clock.seconds < until:
            self.drive._rest_or_measure()

    def close(self) -> None:
        self.logbook.close()
        self.spool.close()


class TickingClock(SimulatedClock):
    def __init__(self, trip) -> None:
        super().__init__()
        self.trip = trip

    def wait(self, seconds: float) -> None:
        until = self.seconds + max(0.0, seconds)
        while self.seconds < until:
            step = min(1.0, until - self.seconds)
            self.seconds += step
            if step == 1.0:
                self.trip.recorder.look()


@pytest.fixture
def trip(tmp_path):
    made = []

    def start(**rules):
        made.append(Trip(tmp_path, **rules))
        return made[-1]

    yield start
    for one in made:
        one.close()


def records(trip):
    from measurement.codec import decode

    return [decode(waiting.body) for waiting in trip.spool.batch(10_000, 2**40)]


def test_latency_has_no_gap_and_throughput_comes_in_cycles(trip):
    one = trip(segment_s=10, cycle_s=60)
    one.run(1200)
    starts = [at for at, is_throughput in one.asked if is_throughput]
    assert [b - a for a, b in pairwise(starts)] == [pytest.approx(60, abs=12)] * (len(starts) - 1)
    lengths = [b - a for (a, _), (b, _) in pairwise(one.asked)]
    assert set(lengths) == {10.0, 22.0}
    made = records(one)
    assert len(made) == len(one.asked) == one.drive.record_count
    assert all(8 <= len(r.radio) <= 24 and r.position.environment == "outdoor_moving" for r in made)
    assert all(r.position.moved_m == pytest.approx(r.duration_ms / 100, abs=25) for r in made)
    assert [r.sequence for r in made] == list(range(1, len(made) + 1))
    assert {(r.network.operator, r.network.mnc) for r in made} == {("Viettel", "04")}
    assert one.recorder.point_count == pytest.approx(1200, abs=15)
    assert one.recorder.distance_m == pytest.approx(12_000, rel=0.02)


def test_throughput_tests_are_never_closer_than_thirty_seconds(trip):
    one = trip(segment_s=5, cycle_s=300)
    for _ in range(40):
        one.drive.test_now()
        one.run(5)
    starts = [at for at, is_throughput in one.asked if is_throughput]
    assert len(starts) > 3
    assert min(b - a for a, b in pairwise(starts)) >= 30


def test_a_place_without_service_is_a_record_as_long_as_the_others(trip):
    one = trip(segment_s=10, cycle_s=60)
    one.is_down = True
    one.run(120)
    made = records(one)
    assert {r.outcome.failure for r in made} == {"network_unreachable"}
    assert all(r.duration_ms == pytest.approx(10_000) and len(r.radio) >= 9 for r in made)
    assert one.drive.failure_count == len(made)


def test_it_pauses_below_a_speed_and_by_hand(trip):
    one = trip(segment_s=10, has_throughput=False, pause_below_mps=2.0)
    one.run(30)
    kept, seconds = one.drive.record_count, one.recorder.point_count
    one.road.speed_mps = 0.5
    one.run(11)
    one.run(60)
    assert one.drive.is_slow
    assert one.drive.doing == "waiting for speed"
    assert one.drive.record_count <= kept + 2
    assert one.recorder.point_count <= seconds + 22
    one.road.speed_mps = 10
    one.run(21)
    assert not one.drive.is_slow
    assert one.drive.record_count >= kept + 2
    one.drive.is_paused = True
    kept = one.drive.record_count
    one.run(60)
    assert one.drive.record_count == kept
    assert one.drive.doing == "paused"


def test_a_modem_that_is_lost_leaves_a_gap_and_is_told(trip, caplog):
    one = trip(segment_s=10, has_throughput=False)
    one.road.is_broken = True
    one.run(30)
    assert one.recorder.trouble == {"radio": "serial port /dev/ttyUSB2: gone"}
    assert records(one)[-1].radio is None
    assert records(one)[-1].position is not None
    assert caplog.text.count("no radio") == 1
    one.road.is_broken = False
    one.run(30)
    assert one.recorder.trouble == {}
    assert records(one)[-1].radio


def test_a_receiver_that_jumps_adds_no_way_until_it_stays_there(trip):
    one = trip(segment_s=10, has_throughput=False)
    one.run(100)
    before = one.recorder.distance_m
    assert before == pytest.approx(1000, rel=0.05)
    one.road._x += 500_000
    one.recorder.look()
    one.road._x -= 500_000
    one.run(20)
    assert one.recorder.distance_m == pytest.approx(before + 200, rel=0.1)
    one.road._x += 500_000
    one.run(100)
    assert one.recorder.distance_m == pytest.approx(before + 200 + 1000, rel=0.1)
    assert one.recorder.track_from_s > 100


def test_keys_pause_note_test_and_stop(trip):
    from probe.drive.display import Display

    one = trip(cycle_s=300)
    display = Display(one.drive, "trip")
    press(one.drive, display, "p")
    assert one.drive.is_paused
    press(one.drive, display, "P")
    assert not one.drive.is_paused
    for letter in "nhầm cầu\x7f\x7fầu Rào\r":
        press(one.drive, display, letter)
    assert [note.text for note in one.logbook.notes()] == ["hầm cầu Rào"]
    for letter in "nq\x1b":
        press(one.drive, display, letter)
    assert not one.drive.is_stopped
    press(one.drive, display, "q")
    assert one.drive.is_stopped
    assert one.logbook.counts()["notes"] == 1


def test_the_display_draws_whatever_there_is(trip):
    from rich.console import Console

    from probe.drive.display import Display

    one = trip(segment_s=10, cycle_s=60)
    for size in ((120, 36), (80, 24), (40, 12)):
        console = Console(width=size[0], height=size[1], file=io.StringIO(), force_terminal=True)
        console.print(Display(one.drive, "trip").render(console))
    one.run(130)
    one.drive.note("bridge")
    console = Console(width=120, height=36, file=io.StringIO(), force_terminal=False)
    console.print(Display(one.drive, "trip").render(console))
    shown = console.file.getvalue()
    for word in (
        "DRIVING",
        "36 km/h",
        "Viettel lte",
        "RSRQ",
        "210329-102",
        "30 ms",
        "50 Mbit/s",
        "next speed test",
        "●",
    ):
        assert word in shown


def test_a_drive_goes_on_in_the_same_file(trip, tmp_path):
    one = trip(segment_s=10, has_throughput=False)
    one.run(50)
    before = one.logbook.counts()["points"]
    with Logbook(one.logbook.path) as again:
        recorder = Recorder(one.road, one.road, again.add_point, clock=one.clock)
        recorder.look()
        assert again.counts()["points"] == before + 1
    with pytest.raises(ConfigError, match="No such file"):
        Logbook(tmp_path / "absent.drive")
    (tmp_path / "text.drive").write_text("no database " * 100)
    with pytest.raises(ConfigError, match="Invalid drive"):
        Logbook(tmp_path / "text.drive")


def test_exports_hold_every_second_and_every_result(trip):
    one = trip(segment_s=10, cycle_s=60)
    one.run(100)
    one.drive.note('<bridge> & "tunnel"')
    count = one.logbook.counts()["points"]

    out = io.StringIO()
    to_csv(one.logbook, out)
    rows = list(csv.DictReader(io.StringIO(out.getvalue())))
    assert len(rows) == count
    assert sum(row["kind"] == "throughput" for row in rows) == one.drive.throughput_count
    assert float(rows[5]["rsrp_dbm"]) < -69

    out = io.StringIO()
    to_geojson(one.logbook, out)
    features = json.loads(out.getvalue())["features"]
    kinds = [f["properties"]["kind"] for f in features]
    assert (kinds.count("track"), kinds.count("second"), kinds.count("note")) == (1, count, 1)
    assert sum("result" in f["properties"] for f in features) == one.drive.record_count
    longitude, latitude = features[1]["geometry"]["coordinates"]
    assert (longitude, latitude) == (pytest.approx(106.0, abs=0.01), 20.86)

    out = io.StringIO()
    to_gpx(one.logbook, out)
    root = ElementTree.fromstring(out.getvalue())
    space = {"g": "http://www.topografix.com/GPX/1/1"}
    assert len(root.findall(".//g:trkpt", space)) == count
    assert root.find(".//g:wpt/g:name", space).text == '<bridge> & "tunnel"'
