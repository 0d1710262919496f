"""The drill is the same drill at any hour of any day."""

from datetime import UTC, datetime, timedelta

import pytest

from simulation.degradation import LOCAL
from stack.drill import BEGIN, HOURS, shift_to


@pytest.mark.parametrize("number", range(24))
def test_the_hour_a_drill_starts_at_does_not_matter(number: int) -> None:
    now = datetime(2026, 11, 20, tzinfo=UTC) + number * timedelta(days=15, hours=11, minutes=37, seconds=13)
    begin = (BEGIN + shift_to(now)).astimezone(LOCAL)
    assert (begin.hour, begin.minute, begin.second) == (BEGIN.hour, 0, 0)
    assert timedelta(0) <= now - (begin + timedelta(hours=HOURS)) < timedelta(days=1)
