"""Hot reload: the configuration is read again when its file changed or on SIGHUP; a broken one is ignored."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

from measurement.errors import ConfigError
from probe.settings import Settings

_log = logging.getLogger("haidang.agent")


class Reload:
    """Called at each turn of the loop; returns fresh settings or None."""

    def __init__(self, path: Path | None, read: Callable[[], Settings]) -> None:
        self._path, self._read = path, read
        self._seen = self._stamp()
        self.requested = False

    def __call__(self) -> Settings | None:
        """Return settings where they changed and are valid."""
        stamp = self._stamp()
        if stamp == self._seen and not self.requested:
            return None
        self._seen, self.requested = stamp, False
        try:
            return self._read()
        except ConfigError as error:
            _log.error("configuration ignored, the old one stays in force: %s", error)
            return None

    def _stamp(self) -> tuple[int, int, int] | None:
        if self._path is None:
            return None
        try:
            status = self._path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_size, status.st_ino
