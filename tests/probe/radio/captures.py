"""The captures of real modems; a test that needs one that is absent is skipped by name."""

from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[3] / ".." / "shared" / "data" / "payload_samples"


def capture(name: str) -> str:
    path = FOLDER / name
    if not path.is_file():
        pytest.skip(f"the capture {name} is not in ../shared/data/payload_samples")
    return path.read_text()


def told(sample) -> dict:
    """What a sample says, without what it leaves absent."""
    found = {name: getattr(sample, name) for name in sample.__struct_fields__}
    return {n: v for n, v in found.items() if v is not None and n != "at_ms" and not (n == "is_serving" and v)}
