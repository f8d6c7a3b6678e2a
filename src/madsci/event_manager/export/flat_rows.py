"""Events as the rows of a table: of all members, of all but some, or of chosen ones.

Without a choice, a row is that of ``madsci.common.flattening``. Chosen members are one cell each,
whatever stands there: an object or a list is JSON text, and a path that meets a list gives the list of
what its items have there. Times are microseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from madsci.common.flattening import STANDARD_COLUMNS, cell_of, flatten
from madsci.common.types.members import OBJECTS
from madsci.event_manager.export.projection import Fields
from madsci.event_manager.model.selector import Path
from madsci.event_manager.model.stored_event import StoredEvent
from madsci.event_manager.model.values import MISSING

Row = dict[str, Any]
"""The cells of an event by column: text, numbers, booleans, ``None``. What is missing is left out."""
RowMaker = Callable[[StoredEvent], Row]


def known_columns(fields: Fields | None) -> tuple[str, ...]:
    """Return the columns that are known before any event was seen, in their order."""
    if fields is None:
        return STANDARD_COLUMNS
    if fields.excluding:
        left_out = {path[0] for path in fields.paths if len(path) == 1 and path != ("event_id",)}
        return tuple(name for name in STANDARD_COLUMNS if name not in left_out)
    return tuple(dict.fromkeys(("event_id", *fields.names)))


def row_maker(fields: Fields | None) -> RowMaker:
    """Return the function that makes the row of an event."""
    bring = cell_finder(fields)
    if fields is not None and not fields.excluding:
        return bring
    known = known_columns(fields)
    return lambda event: {**{name: getattr(event, name) for name in known}, **bring(event)}


def cell_finder(fields: Fields | None) -> RowMaker:
    """Return the function that finds the cells of an event whose kind, or very column, is its own."""
    if fields is None:
        return lambda event: flatten(_bringing(event))
    if fields.excluding:
        return lambda event: flatten(fields.project(_bringing(event)))
    chosen = list(zip(fields.names, fields.paths, strict=True))
    return lambda event: _chosen_cells(event, chosen)


def _bringing(event: StoredEvent) -> dict[str, Any]:
    """Return the members of an event whose content brings the columns."""
    document = event.document()
    return {name: document[name] for name in OBJECTS if name in document}


def _chosen_cells(event: StoredEvent, chosen: list[tuple[str, Path]]) -> Row:
    document = event.document()
    document["event_id"] = event.event_id
    row: Row = {"event_id": event.event_id}
    for name, path in chosen:
        value = _value_at(document, path)
        if value is not MISSING:
            row[name] = cell_of(value)
    return row


def _value_at(value: Any, path: Path) -> Any:
    for place, name in enumerate(path):
        if isinstance(value, list):
            found = [_value_at(item, path[place:]) for item in value]
            return [one for one in found if one is not MISSING] or MISSING
        if not isinstance(value, dict) or name not in value:
            return MISSING
        value = value[name]
    return value
