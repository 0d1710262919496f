"""What a file does not say of itself, told by whoever imports it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from measurement.errors import ConfigError
from measurement.record import Position
from measurement.vocabulary import PositionSource


class Options(NamedTuple):
    """Answers for a whole import."""

    time_zone: str
    probe_id: str | None = None  # None: the format's name, with the operator's where one log is one phone
    operator: str | None = None
    saturated: str | None = None  # pattern of file names whose downloads ran all the time
    campaign: str | None = None
    organisation: str | None = None
    at: str | None = None
    position: tuple[float, float] | None = None  # longitude, latitude

    def checked(self) -> Options:
        """Return the options; raises ConfigError where one of them is wrong."""
        self.zone()
        self.instant()
        if self.position is not None:
            longitude, latitude = self.position
            if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
                raise ConfigError(f"--position: Invalid {longitude} {latitude}. Longitude ±180, then latitude ±90.")
        return self

    def zone(self) -> ZoneInfo:
        """Return the zone of times that name none."""
        try:
            return ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError):
            raise ConfigError(f"--time-zone: Invalid time zone {self.time_zone!r}. Such as Asia/Ho_Chi_Minh.") from None

    def instant(self) -> datetime | None:
        """Return the time of results that carry none."""
        if self.at is None:
            return None
        try:
            moment = datetime.fromisoformat(self.at)
        except ValueError:
            raise ConfigError(f"--at: Invalid time {self.at!r}. Such as 2026-05-01T12:00:00+07:00.") from None
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=self.zone()).astimezone(UTC)

    def place(self) -> Position | None:
        """Return the place of results that carry none."""
        if self.position is None:
            return None
        return Position(longitude_deg=self.position[0], latitude_deg=self.position[1], source=PositionSource.MANUAL)
