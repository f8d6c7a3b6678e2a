"""An event as one flat row, for spreadsheets, data frames and whatever else has columns.

A column is named by the path to its value: ``event_data.reading.volume``. A name that a path could not
be read back from is written in brackets, as a JSON text: ``event_data["a.b"].c``. Such are the empty
name and names with a dot, a bracket, a quote, a backslash or a control character. So two different
paths never share a column.

Lists are not looked into, they become compact JSON text. So do objects without members, and those that
would make the row too wide: more than ``MAX_COLUMNS`` columns, or names beyond ``MAX_PATH``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Any, Final

from madsci.common.types.members import NAMES, OBJECTS, SCALARS

STANDARD_COLUMNS: Final = tuple(member.name for member in SCALARS)
"""The columns that every event has, in the order in which they come."""

MAX_COLUMNS: Final = 10_000
"""Columns made of the objects of one event: with more, an object is data rather than a record."""
MAX_PATH: Final = 1_000
"""Characters of the path to an object that is looked into. Its members repeat them all."""

_SPECIAL: Final = re.compile(r"""[.\[\]"'\\\x00-\x1f]""")

_NAME: Final = r"[^.\[\]\"'\\\x00-\x1f]+"
_BRACKETED: Final = r'\["(?:[^"\\]|\\.)*"\]'
_STEP: Final = re.compile(rf"(?:^|\.)(?P<name>{_NAME})|(?P<bracketed>{_BRACKETED})", re.DOTALL)
_COMMA: Final = re.compile(rf"({_BRACKETED}|,)", re.DOTALL)

_ATOMS: Final = frozenset({str, int, float, bool, type(None)})

_json_text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode


def flatten(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of an event document, as the REST API shows it or ``Event.model_dump`` makes it.

    First come the ``STANDARD_COLUMNS`` that the document has, then the paths of ``source``, ``sender``,
    ``event_data`` and ``extra``, then those of members that events do not have. An id is called
    ``event_id``, also where the document says ``_id``. Values stay what they are, except that
    enumerations become their values. ``event_data`` that is no object becomes the column
    ``event_data``; an empty one becomes no column, as an empty ``source`` or ``extra``.
    """
    row = _Row()
    if "_id" in document:
        row.cells["event_id"] = cell_of(document["_id"])
    for column in STANDARD_COLUMNS:
        if column in document:
            row.cells.setdefault(column, cell_of(document[column]))
    for name in OBJECTS:
        if name in document:
            row.put_member(name, document[name])
    for name in document:
        if name not in NAMES:
            row.put_member(column_name((name,)), document[name])
    return row.cells


class _Row:
    """The cells of one event, and how many columns are spoken for."""

    __slots__ = ("cells", "width")

    def __init__(self) -> None:
        self.cells: dict[str, Any] = {}
        self.width = 0

    def put_member(self, column: str, value: Any) -> None:
        """Put a member of the event itself, which is no column when it is empty."""
        if value != {}:
            self.put(column, value)

    def put(self, column: str, value: Any) -> None:
        if isinstance(value, dict) and self._has_room(column, value):
            self.put_members(column, value)
        else:
            self.cells[column] = cell_of(value)

    def put_members(self, column: str, members: dict[Any, Any]) -> None:
        self.width += len(members)
        cells = self.cells
        for name, value in members.items():
            # Most names are identifiers, which is told faster than that other names are plain.
            is_plain = isinstance(name, str) and name.isidentifier()
            path = f"{column}.{name}" if is_plain else column + _step(name)
            if type(value) in _ATOMS:
                cells[path] = value
            else:
                self.put(path, value)

    def _has_room(self, column: str, members: dict[Any, Any]) -> bool:
        fits = self.width + len(members) <= MAX_COLUMNS and len(column) <= MAX_PATH
        return fits and bool(members)


def _step(name: object) -> str:
    """Return what one name adds to a path."""
    if not isinstance(name, str):
        return f"[{name}]"  # Python has such keys, JSON does not
    if name and not _SPECIAL.search(name):
        return f".{name}"
    return f"[{_json_text(name)}]"


def cell_of(value: Any) -> Any:
    """Return what stands for a value in its cell: itself, or the JSON text of an object or a list."""
    if type(value) in _ATOMS:
        return value
    if isinstance(value, Enum):
        return value.value
    return _json_text(value) if isinstance(value, (dict, list, tuple)) else value


def column_name(path: Iterable[object]) -> str:
    """Return the name of the column in which the value at a path stands."""
    return "".join(map(_step, path)).removeprefix(".")


def column_path(name: str) -> tuple[str, ...]:
    """Return the path that a column is named by; without names in brackets it is parted at its dots.

    Raises:
        ValueError: a name in brackets is not written as columns are; says how they are.
    """
    if '["' not in name:
        return tuple(name.split("."))
    path: list[str] = []
    place = 0
    while place < len(name):
        step = _STEP.match(name, place)
        if step is None:
            raise _unreadable(name)
        path.append(step["name"] or _bracketed_name(step["bracketed"], name))
        place = step.end()
    return tuple(path)


def _bracketed_name(step: str, name: str) -> str:
    try:
        text = str(json.loads(step[1:-1]))
        text.encode()  # no store has half a surrogate pair
    except ValueError:
        raise _unreadable(name) from None
    return text


def _unreadable(name: str) -> ValueError:
    return ValueError(
        f"the name in brackets of {name!r:.200} cannot be read; write it as the columns of exports are"
        ' named: event_data["http.method"].code, a JSON text in brackets'
    )


def split_names(text: str) -> list[str]:
    """Return the names in a text with commas between; a comma in brackets belongs to a name."""
    names = [""] if text.strip() else []
    for piece in _COMMA.split(text) if names else ():
        if piece == ",":
            names.append("")
        else:
            names[-1] += piece
    return [name.strip() for name in names]
