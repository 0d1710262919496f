"""Distance moved and environment inferred."""

import pytest

from measurement.record import Position
from probe.position.movement import between_m, environment_of, moved_m


def at(longitude: float, latitude: float, accuracy: float | None = None, speed: float | None = None) -> Position:
    return Position(longitude_deg=longitude, latitude_deg=latitude, accuracy_m=accuracy, speed_mps=speed)


def test_a_degree_of_latitude_is_111_km():
    assert between_m(at(106, 20), at(106, 21)) == pytest.approx(111_195, rel=1e-4)


def test_noise_within_the_accuracy_is_no_movement():
    fixes = [at(106.68, 20.86, 10), at(106.68005, 20.86, 10), at(106.68, 20.86003, 10)]
    assert moved_m(fixes) == 0


def test_slow_movement_adds_up_once_it_exceeds_the_accuracy():
    fixes = [at(106.68 + i * 0.00005, 20.86, 10) for i in range(21)]
    assert moved_m(fixes) == pytest.approx(between_m(fixes[0], fixes[-1]), rel=0.15)


@pytest.mark.parametrize(
    ("fixes", "environment"),
    [
        ([at(0, 0, 5, 12.0), at(0, 0, 5, 11.0)], "outdoor_moving"),
        ([at(0, 0, 5, 0.2)], "outdoor_static"),
        ([at(0, 0, 80, 0.2)], None),
        ([at(0, 0, 5, None)], None),
        ([], None),
    ],
)
def test_the_environment_follows_from_speed_and_accuracy(fixes, environment):
    assert environment_of(fixes) == environment
