"""Metrics as Prometheus' text format 0.0.4, with the labels of a series written once and remembered.

`prometheus_client.generate_latest` escapes every label of every series at every scrape: most of a scrape's time at city
scale. A test holds this text to that.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from prometheus_client import CollectorRegistry
from prometheus_client.utils import floatToGoString

MOST_SERIES = 30_000
_number: Callable[[float], str] = floatToGoString


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


@lru_cache(maxsize=MOST_SERIES)
def _labels(labels: tuple[tuple[str, str], ...]) -> str:
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in sorted(labels)) + "}" if labels else ""


def text_of(registry: CollectorRegistry) -> bytes:
    """Return every metric of a registry without exemplars or timestamps, which ours have none of."""
    lines: list[str] = []
    for family in registry.collect():
        name = family.name + ("_total" if family.type == "counter" else "")
        documentation = family.documentation.replace("\\", r"\\").replace("\n", r"\n")
        lines.append(f"# HELP {name} {documentation}")
        lines.append(f"# TYPE {name} {family.type}")
        lines += [
            f"{sample.name}{_labels(tuple(sample.labels.items()))} {_number(sample.value)}" for sample in family.samples
        ]
    return ("\n".join(lines) + "\n").encode()
