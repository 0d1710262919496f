"""Which layer of areas is watched: the one place that names it. Rules and boards write `<layer>` and `<layers>`."""

from __future__ import annotations

import re

WATCHED = "districts-2024"
"""Areas large enough to have their own minimum of tests each hour."""


def family(layer: str) -> str:
    """Return the expression that finds a layer in every year, so that new boundaries need no new rules.

    Examples
    --------
    >>> family('districts-2024'), family('zones')
    ('districts-.*', 'zones')
    """
    return re.sub(r"-\d{4}$", "-.*", layer)


def placed(text: str, layer: str) -> str:
    """Write a layer's key and family into a query.

    Examples
    --------
    >>> placed('x{layer=~"<layers>"} or y{layer="<layer>"}', 'communes-2025')
    'x{layer=~"communes-.*"} or y{layer="communes-2025"}'
    """
    return text.replace("<layers>", family(layer)).replace("<layer>", layer)
