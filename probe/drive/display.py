"""The live display of a drive in a terminal. Knows rich, which is loaded when a drive is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from measurement.record import Record
from measurement.vocabulary import Leg
from probe.agent.lines import amount, span
from probe.drive.drawing import LEVELS, NO_SERVICE, across_m, bar, colour_of, spark, track

if TYPE_CHECKING:
    from measurement.record import RadioSample
    from probe.drive.drive import Drive
    from probe.drive.stops import Stops

KEYS = "[b]p[/b] pause   [b]t[/b] test now   [b]n[/b] note   [b]q[/b] stop and save"
_SEEN = 50  # seconds of the spark line


class Display:
    """Draws a drive; `render` is called a few times a second."""

    def __init__(self, drive: Drive, name: str) -> None:
        self._drive, self._name = drive, name
        self.entry: str | None = None  # the note being typed

    def render(self, console: Console) -> RenderableType:
        """Return the whole screen."""
        layout = Layout()
        layout.split_column(Layout(self._head(), size=3), Layout(name="body"), Layout(self._foot(), size=3))
        layout["body"].split_row(Layout(name="left", ratio=1), Layout(name="right", ratio=1))
        layout["left"].split_column(
            Layout(self._signal(), size=11), Layout(self._results(), size=5), Layout(self._saved())
        )
        layout["right"].update(self._track(max(10, console.width - console.width // 2 - 4), max(4, console.height - 8)))
        return layout

    def _head(self) -> Panel:
        drive = self._drive
        state, colour = ("PAUSED", "yellow") if drive.is_paused else ("DRIVING", "green")
        state, colour = ("WAITING FOR SPEED", "yellow") if drive.is_slow and not drive.is_paused else (state, colour)
        speed = drive.recorder.speed_mps()
        shown_speed = "– km/h" if speed is None else f"{speed * 3.6:.0f} km/h"
        text = Text.assemble(
            (f" {state} ", f"bold black on {colour}"), "  ", self._name, "   ",
            (shown_speed, "bold"), f"   {drive.recorder.distance_m / 1000:.2f} km",
            f"   {span(drive.clock.monotonic() - drive.started_s)}", f"   now: {drive.doing}",
            ("   simulated", "bold magenta") if drive.rules.is_simulated else "",
        )  # fmt: skip
        return Panel(text, title="Hải Đăng drive test", title_align="left")

    def _foot(self) -> Panel:
        if self.entry is not None:
            return Panel(Text.assemble(("note: ", "bold"), self.entry, "▏"), title="return keeps it, escape drops it")
        trouble = "   ".join(f"[red]no {name}: {reason}[/red]" for name, reason in self._drive.recorder.trouble.items())
        return Panel(Text.from_markup(f"{KEYS}   {trouble}"))

    def _signal(self) -> Panel:
        last = self._drive.recorder.last
        network = last.network if last is not None else None
        parts = [network.operator, network.technology] if network is not None else []
        title = " ".join(str(part) for part in parts if part) or "no network"
        samples = last.samples if last is not None else []
        rows: list[RenderableType] = [self._leg(sample) for sample in samples if sample.is_serving]
        technology = network.technology if network is not None else None
        if not rows and technology is not None:
            rows.append(Text(f"{technology}: no LTE or NR cell to rate", style="yellow"))
        rows = rows or [Text("no cell", style="red")]
        levels = [self._level(look.samples) for look in list(self._drive.recorder.looks)[-_SEEN:]]
        rows.append(Text(f"RSRP of the last {_SEEN} s", style="dim"))
        rows.append(Text(spark(levels, -130, -60), style=colour_of(levels[-1] if levels else None)))
        rows.append(_legend())
        return Panel(Group(*rows), title=title, title_align="left")

    @staticmethod
    def _level(samples: list[RadioSample]) -> float | None:
        return next((s.rsrp_dbm for s in samples if s.is_serving and s.rsrp_dbm is not None), None)

    @staticmethod
    def _leg(sample: RadioSample) -> Text:
        def told(value: float | None, unit: str) -> str:
            return f"{'–' if value is None else format(value, 'g')} {unit}"

        name = "NR " if sample.leg is Leg.NR else "LTE"
        band = f"{'n' if sample.leg is Leg.NR else 'B'}{sample.band}" if sample.band else ""
        cell = (
            f"cell {sample.base_station_id}-{sample.cell_id & 0xFF}"
            if sample.cell_id and sample.base_station_id
            else ""
        )
        return Text.assemble(
            (f"{name} {bar(sample.rsrp_dbm, -130, -60, 20)} ", colour_of(sample.rsrp_dbm)),
            (told(sample.rsrp_dbm, "dBm"), "bold"),
            f"\n    RSRQ {told(sample.rsrq_db, 'dB')}   SINR {told(sample.sinr_db, 'dB')}"
            f"\n    PCI {'–' if sample.pci is None else sample.pci}  {band}  {cell}",
        )

    def _track(self, width: int, height: int) -> Panel:
        recorder = self._drive.recorder
        looks = [look for look in list(recorder.looks) if look.at_s >= recorder.track_from_s]
        points = [
            (look.position.longitude_deg, look.position.latitude_deg, self._level(look.samples))
            for look in looks
            if look.position is not None
        ]
        text = Text()
        for row in track(points, width, height):
            for cell in row:
                text.append(cell.character, style=cell.colour)
            text.append("\n")
        where = f"{points[-1][0]:.5f}, {points[-1][1]:.5f}" if points else "no position yet"
        wide = across_m(points, width, height)
        scale = f"{wide / 1000:.3g} km" if wide >= 1000 else f"{wide:.0f} m"
        title = f"track, north up · {scale} across" if points else "track"
        return Panel(text, title=title, title_align="left", subtitle=where, subtitle_align="right")

    def _saved(self) -> Panel:
        drive = self._drive
        depth = drive.spool.depth()
        table = Table.grid(padding=(0, 2))
        table.add_row("seconds", f"[b]{drive.recorder.point_count}[/b]")
        table.add_row("records", f"[b]{drive.record_count}[/b], of which throughput {drive.throughput_count}")
        table.add_row("failed", f"[red]{drive.failure_count}[/red]" if drive.failure_count else "0")
        table.add_row("to deliver", f"{depth.waiting_count} ({amount(depth.byte_count)})")
        table.add_row("notes", str(drive.logbook.counts()["notes"]))
        if drive.rules.has_throughput:
            table.add_row("next speed test", f"in {drive.next_cycle_in_s:.0f} s")
        if drive.stops is not None and drive.stops.count:
            table.add_row("stops", self._stops(drive.stops))
        table.add_row("file", str(drive.logbook.path.name))
        return Panel(table, title="saved", title_align="left")

    def _stops(self, stops: Stops) -> str:
        """Return how many planned stops are open, and the way to the nearest."""
        last, now = self._drive.recorder.last, self._drive.clock.now()
        nearest = stops.nearest(None if last is None else last.position, now)
        told = "" if nearest is None else f", nearest {nearest[1]:,.0f} m"
        return f"{len(stops.open(now))} of {stops.count} open{told}"

    def _results(self) -> Panel:
        drive = self._drive
        table = Table.grid(padding=(0, 2))
        for name, record in (("latency", drive.last_latency), ("speed", drive.last_throughput)):
            for row in _rows(name, record):
                table.add_row(*row)
        return Panel(table, title="last results", title_align="left")


def _legend() -> Text:
    """Return what the colours mean, in dBm."""
    words = [f"{low:.0f}" for low, _ in LEVELS[:-1]]
    parts: list[str | tuple[str, str]] = []
    for (_, colour), word in zip(LEVELS, [*(f"≥{word}" for word in words), "lower"], strict=True):
        parts += [("● ", colour), f"{word}  "]
    return Text.assemble(*parts, ("● ", NO_SERVICE), "none", style="dim")


def _rows(name: str, record: Record | None) -> list[tuple[str, str]]:
    if record is None:
        return [(name, "–")]
    told: list[str] = []
    idle = record.latency.idle if record.latency is not None else None
    if name == "latency" and idle is not None and idle.rtt_median_ms is not None:
        loss = f", loss {idle.loss_ratio:.1%} of {idle.sent_count}" if idle.loss_ratio is not None else ""
        told.append(f"[b]{idle.rtt_median_ms:.3g} ms[/b]{loss}")
    if name == "speed" and record.throughput is not None:
        for arrow, result in (("↓", record.throughput.downlink), ("↑", record.throughput.uplink)):
            if result is not None and result.goodput_bps is not None:
                told.append(f"{arrow} [b]{amount(result.goodput_bps, 'bit/s')}[/b]")
    if record.outcome.failure is not None:
        told.append(f"[red]{record.outcome.failure}[/red]")
    return [(name, "   ".join(told) or "–")]
