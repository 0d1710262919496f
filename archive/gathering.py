"""From records to the columns of a block.

Columns cost no more to write than JSON does, and a third as much to seal, since nothing is parsed twice. Each group of
fields is gathered once for all records that have it; where a batch lacks a group or a field, it costs one look.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, NamedTuple

from archive.blocks import NESTED, PLAIN, STRUCTS, Block, encode
from measurement.columns import COLUMNS, Column, Kind
from measurement.record import COLLECTOR_FIELDS, Record

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Gathered(NamedTuple):
    """The columns of some records, and how many keys their JSON has where nothing absent is written."""

    block: Block
    key_count: int

    def columns(self) -> dict[str, Sequence[Any]]:
        """Return the columns by name; those of the radio samples, end to end, as `radio.rsrp_dbm`."""
        radio = self.block.nested.get("radio", {})
        return {**self.block.columns, **{f"radio.{field}": values for field, values in radio.items()}}


class _Leaf(NamedTuple):
    name: str
    get: Callable[[Any], Any]
    kind: Kind
    default: Any


class _Node(NamedTuple):
    leaves: list[_Leaf]
    children: list[tuple[Callable[[Any], Any], _Node]]


def _tree(columns: Sequence[Column], depth: int = 0) -> _Node:
    groups: dict[str, list[Column]] = {}
    leaves: list[_Leaf] = []
    for column in columns:
        if len(column.path) == depth + 1:
            leaves.append(_Leaf(column.name, attrgetter(column.path[depth]), column.kind, _DEFAULTS.get(column.name)))
        else:
            groups.setdefault(column.path[depth], []).append(column)
    return _Node(leaves, [(attrgetter(name), _tree(inner, depth + 1)) for name, inner in groups.items()])


_DEFAULTS = {"is_simulated": False}  # what is left out of the JSON though it is not null
_ROOT = _tree([c for c in COLUMNS if c.path and c.path[0] not in COLLECTOR_FIELDS])
_FIELDS = {name: [(field, attrgetter(field)) for field in kind.__struct_fields__] for name, kind in STRUCTS.items()}


def microseconds(moment: datetime) -> int:
    """Return microseconds since 1970, exactly."""
    return (moment - _EPOCH) // _MICROSECOND


def pack(records: Sequence[Record], added: Mapping[str, list[Any]]) -> bytes:
    """Make a block of records; `added` are the collector's columns by their archive names."""
    if len(records) == 1:
        block = Block(1, {}, {}, {})
        _gather_one(_ROOT, records[0], block)
    else:
        block = gather(records).block
    return finish(block, added)


def gather(records: Sequence[Record]) -> Gathered:
    """Return the columns of records."""
    block = Block(len(records), {}, {}, {})
    return Gathered(block, _gather(_ROOT, list(records), None, block))


def finish(block: Block, added: Mapping[str, list[Any]]) -> bytes:
    """Return the bytes of a block with the collector's columns added."""
    for name, values in added.items():
        if values.count(None) < len(values):
            if name in NESTED:
                _nest(name, values, block)
            else:
                block.columns[name] = values
    return encode(block)


def _gather(node: _Node, objects: list[Any], rows: list[int] | None, block: Block) -> int:
    """Add the columns of one group, whose objects stand in `rows` (in every row where None); return its keys."""
    keys = 0
    for name, get, kind, default in node.leaves:
        values = list(map(get, objects))
        absent = values.count(default)
        keys += len(values) - absent
        if default is None and absent == len(values):
            continue
        if kind is Kind.INSTANT:
            values = [None if value is None else microseconds(value) for value in values]
        values = _spread(values, rows, block.rows)
        if name in NESTED:
            keys += _nest(name, values, block)
        else:
            block.columns[name] = values
    for get, child in node.children:
        found = list(map(get, objects))
        missing = found.count(None)
        keys += len(found) - missing
        if missing == 0:
            keys += _gather(child, found, rows, block)
        elif missing < len(found):
            where = [row for row, value in enumerate(found) if value is not None]
            at = where if rows is None else [rows[row] for row in where]
            keys += _gather(child, [found[row] for row in where], at, block)
    return keys


def _gather_one(node: _Node, content: Any, block: Block) -> None:
    """Add the columns of one group of a single record; a tenth of the time of `_gather`."""
    for name, get, kind, _ in node.leaves:
        value = get(content)
        if value is None:
            continue
        if name in NESTED:
            _nest(name, [value], block)
        else:
            block.columns[name] = [microseconds(value) if kind is Kind.INSTANT else value]
    for get, child in node.children:
        inner = get(content)
        if inner is not None:
            _gather_one(child, inner, block)


def _spread(values: list[Any], rows: list[int] | None, count: int) -> list[Any]:
    if rows is None:
        return values
    spread: list[Any] = [None] * count
    for row, value in zip(rows, values, strict=True):
        spread[row] = value
    return spread


def _nest(name: str, lists: list[list[Any] | None], block: Block) -> int:
    """Add a column of lists; return how many keys its items have."""
    block.counts[name] = [0 if items is None else len(items) for items in lists]
    flat = [item for items in lists if items for item in items]
    if name in PLAIN:
        block.nested[name] = {"": flat}
        return 0
    block.nested[name], keys = {}, 0
    for field, get in _FIELDS[name]:
        values = list(map(get, flat))
        held = len(values) - values.count(None)
        keys += held
        if held:
            block.nested[name][field] = values
    return keys
