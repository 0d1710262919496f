"""The one place that knows typst: data and pictures in, PDF out, by the package's own font."""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import typst

from maps.picture import FAMILY, FONTS
from maps.scales import COLOURS
from measurement.errors import InstrumentError

TEMPLATE = Path(__file__).with_name("report.typ")


def digest(editions: list[dict[str, Any]]) -> tuple[bytes, str]:
    """Return the report's data as canonical JSON, and its SHA-256."""
    body = msgspec.json.format(msgspec.json.encode(editions, order="deterministic"), indent=1) + b"\n"
    return body, hashlib.sha256(body).hexdigest()


def typeset(editions: list[dict[str, Any]], pictures: dict[str, bytes], sha256: str, made_at: datetime) -> bytes:
    """Return the PDF; `pictures` are PNGs by the name that the editions use.

    Raises
    ------
    InstrumentError
        Where typst refuses.
    """
    with tempfile.TemporaryDirectory(prefix="haidang-report-") as name:
        folder = Path(name)
        shutil.copy(TEMPLATE, folder / TEMPLATE.name)
        for picture, body in pictures.items():
            (folder / picture).write_bytes(body)
        data = {"editions": editions, "colours": COLOURS, "font": FAMILY, "sha256": sha256}
        (folder / "data.json").write_bytes(msgspec.json.encode(data))
        try:
            pdf = typst.compile(
                str(folder / TEMPLATE.name),
                root=str(folder),
                font_paths=[str(FONTS)],
                ignore_system_fonts=True,
                timestamp=int(made_at.timestamp()),
            )
        except RuntimeError as error:
            raise InstrumentError(f"typst refuses the report: {error}") from None
    return bytes(pdf)
