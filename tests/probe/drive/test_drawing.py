"""Tracks, bars and spark lines."""

from hypothesis import given, settings
from hypothesis import strategies as st

from probe.drive.drawing import across_m, bar, colour_of, spark, track

POINT = st.tuples(st.floats(-180, 180), st.floats(-90, 90), st.one_of(st.none(), st.floats(-156, -30)))


def text(rows) -> list[str]:
    return ["".join(cell.character for cell in row) for row in rows]


def test_north_is_up_and_east_is_right():
    rows = text(track([(106.0, 20.0, -80), (106.01, 20.01, -80)], 10, 5))
    assert rows[0].rstrip().endswith("●")
    assert rows[-1].lstrip()[0] != " "
    assert rows[-1].index(rows[-1].strip()[0]) < rows[0].index("●")


def test_a_probe_at_rest_is_one_dot_in_the_middle():
    rows = text(track([(106.0, 20.0, -80)] * 5, 11, 5))
    assert rows[2][5] == "●"
    assert sum(len(row.replace(" ", "")) for row in rows) == 1


def test_the_width_is_told_in_metres():
    # A hundredth of a degree of longitude at the equator is 1112 m; the drawing leaves two per cent.
    points = [(0.0, 0.0, None), (0.01, 0.0, None)]
    assert 1110 < across_m(points, 40, 20) < 1140


@settings(deadline=None)
@given(st.lists(POINT, max_size=60), st.integers(1, 80), st.integers(1, 30))
def test_any_track_fits_its_frame(points, width, height):
    rows = track(points, width, height)
    assert len(rows) == height
    assert all(len(row) == width for row in rows)


def test_levels_have_colours_bars_and_sparks():
    assert [colour_of(level) for level in (-70, -85, -95, -105, -120, None)] == [
        "green", "chartreuse3", "yellow", "dark_orange", "red", "bright_black",
    ]  # fmt: skip
    assert bar(None, -140, -50, 4) == "░░░░"
    assert bar(-30, -140, -50, 4) == "████"
    assert spark([-200, None, 0], -140, -50) == "▁ █"
