"""The loopback ceiling of this device, measured by `doctor` and kept in the user's state (XDG_STATE_HOME)."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec


class Ceiling(msgspec.Struct, frozen=True, kw_only=True):
    """The most a method reaches on this device with no network in the way."""

    measured_at: str
    downlink_bps: dict[str, float] = {}
    uplink_bps: dict[str, float] = {}


def state_path(environment: dict[str, str] | None = None) -> Path:
    """Return where the ceiling is kept."""
    values = os.environ if environment is None else environment
    root = values.get("HAIDANG_STATE") or values.get("XDG_STATE_HOME")
    return (Path(root) if root else Path.home() / ".local" / "state") / "haidang" / "ceiling.json"


def read(path: Path | None = None) -> Ceiling | None:
    """Return the stored ceiling, None where there is none to trust."""
    try:
        return msgspec.json.decode((path or state_path()).read_bytes(), type=Ceiling)
    except (OSError, RuntimeError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def write(ceiling: Ceiling, path: Path | None = None) -> Path:
    """Store a ceiling; the file is replaced whole.

    Raises
    ------
    OSError
        Where the state cannot be written.
    """
    target = path or state_path()
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_suffix(".tmp")
    draft.write_bytes(msgspec.json.format(msgspec.json.encode(ceiling)))
    draft.replace(target)
    return target
