"""The columns of a selection: found by going through it once, with the kinds of their values.

A table has the known columns, then those that events bring, in the order in which they are first seen
and up to a bound, and last the column ``other``: a JSON object of what has no column of its own, so
that nothing is lost. Nothing stands there when the selection is as it was when the columns were found
and within the bound.
"""

from __future__ import annotations

from typing import Any, Final, Literal

from madsci.event_manager.export.flat_rows import cell_finder, known_columns
from madsci.event_manager.export.pages import Pages, each_event
from madsci.event_manager.export.projection import Fields
from madsci.event_manager.model.values import INT64

OTHER: Final = "other"
MAX_COLUMNS: Final = 1_000
"""Columns that events bring: spreadsheets take 16,384, people and data frames far fewer."""
MAX_NAME: Final = 1_000
"""Characters of a column's name."""

Kind = Literal["boolean", "integer", "long", "huge", "real", "text"]
"""What a value is. Integers are told apart by what holds them: a double exactly, 64 bits, or text."""

_KINDS: Final[dict[type, Kind]] = {str: "text", bool: "boolean", float: "real"}
_EXACT_IN_DOUBLE: Final = 2**53


def find_columns(pages: Pages, fields: Fields | None) -> dict[str, set[Kind]]:
    """Go through the selection; return the columns but ``other`` in order, each with its kinds.

    A column of nulls only has no kind. Memory is bounded whatever the selection.
    """
    columns: dict[str, set[Kind]] = {name: set() for name in known_columns(fields)}
    most = len(columns) + MAX_COLUMNS
    cells_of = cell_finder(fields)
    for event in each_event(pages):
        for name, value in cells_of(event).items():
            kinds = columns.get(name)
            if kinds is None:
                if len(columns) >= most or len(name) > MAX_NAME:
                    continue
                kinds = columns[name] = set()
            if value is not None:
                kinds.add(kind_of_cell(value))
    return columns


def kind_of_cell(value: Any) -> Kind:
    """Return the kind of a cell that is not null."""
    kind = _KINDS.get(type(value))
    if kind is not None:
        return kind
    if -_EXACT_IN_DOUBLE <= value <= _EXACT_IN_DOUBLE:
        return "integer"
    return "long" if value in INT64 else "huge"
