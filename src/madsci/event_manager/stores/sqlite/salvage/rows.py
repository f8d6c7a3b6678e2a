"""What records of an event file mean: rows of events, entries of their indexes, facts, documents."""

from __future__ import annotations

from typing import Any, Final, NamedTuple, TypeGuard

import apsw
import msgspec
from typing_extensions import Self

from madsci.common.clock import FIRST_US, LAST_US
from madsci.event_manager.model.stored_event import StoredEvent, decode_json
from madsci.event_manager.model.tables import Change, put
from madsci.event_manager.stores.sqlite.codec import to_event
from madsci.event_manager.stores.sqlite.columns import AS_READ, COLUMNS, FEWEST
from madsci.event_manager.stores.sqlite.salvage.btree import Cell
from madsci.event_manager.stores.sqlite.salvage.records import Value, record

NAMES: Final = tuple(column.name for column in COLUMNS)
"""The columns of events in their order. Rows of earlier schemas end before the last ones."""
_NOTHING: Final = type(None)
_KINDS: Final[dict[str, type]] = {"TEXT": str, "INTEGER": int, "BLOB": bytes}
_TYPES: Final[tuple[tuple[type, ...], ...]] = (
    (_NOTHING,),  # the number of a row is its key
    *(
        (_KINDS[column.type_name], *([_NOTHING] if column.may_be_null else []))
        for column in COLUMNS[1:]
    ),
)
_TIMES: Final = tuple(map(NAMES.index, ("event_timestamp", "received_at")))
ALERT: Final = NAMES.index("alert")
ARCHIVED: Final = NAMES.index("archived")
"""Their places among the columns."""
_CHECKSUM: Final = NAMES.index("checksum")
_JSON_PLACES: Final = tuple(place for place, column in enumerate(COLUMNS) if column.is_json)
_DATA: Final = NAMES.index("event_data")
_AS_READ: Final = tuple(NAMES.index(column.name) for column in AS_READ)
_JSON: Final = "SELECT ?1 IS NULL OR json_valid(?1, 8), json(?1)"
"""8 asks whether it is JSONB all through (https://www.sqlite.org/json1.html#jvalid)."""


class Entry(NamedTuple):
    """An entry of an index of events: it tells that there is an event, even where its row is lost."""

    event_id: str
    seq: int


def values_of_row(cell: Cell) -> list[Value] | None:
    """Return the columns of a cell that looks like a row of events, else ``None``."""
    try:
        values = record(cell.payload or b"")
    except ValueError:
        return None
    if not FEWEST <= len(values) <= len(_TYPES):
        return None
    values += [None] * (len(_TYPES) - len(values))
    fits = all(isinstance(value, kinds) for value, kinds in zip(values, _TYPES, strict=True))
    return [cell.key, *values[1:]] if fits else None


def checksum_of(values: list[Value]) -> Value:
    """Return the checksum of a row; rows of earlier versions have none."""
    return values[_CHECKSUM]


def what_can_be_read(cell: Cell) -> dict[str, str | int | float | None]:
    """Return the columns of a damaged row as far as they can be read, for people."""
    try:
        values = record(cell.payload or b"", errors="replace")
    except ValueError:
        raw = (cell.payload or b"").decode("utf-8", "replace")
        return {"seq": cell.key, "bytes": raw}
    shown = [
        value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in values
    ]
    return dict(zip(NAMES, [cell.key, *shown[1:]], strict=False))


def entry_by_id(payload: bytes | None) -> Entry | None:
    """Return what an entry of the index of ids tells."""
    values = _values(payload, 2)
    if values is None:
        return None
    event_id, seq = values
    return Entry(event_id, seq) if isinstance(event_id, str) and isinstance(seq, int) else None


def entry_by_time(payload: bytes | None) -> Entry | None:
    """Return what an entry of the index by time tells."""
    values = _values(payload, 6)
    if values is None:
        return None
    event_id, seq = values[1], values[-1]
    return Entry(event_id, seq) if isinstance(event_id, str) and isinstance(seq, int) else None


def fact_of(cell: Cell) -> tuple[str, str] | None:
    """Return key and value of a fact."""
    values = _values(cell.payload, 2)
    if values is None:
        return None
    return (values[0], values[1]) if _are_texts(values) else None


def document_of(cell: Cell) -> Change | None:
    """Return what puts a document of the small tables, if a cell holds one."""
    values = _values(cell.payload, 3)
    if values is None or not _are_texts(values):
        return None
    table, key, value = values
    try:
        decode_json(value)
    except msgspec.MsgspecError:
        return None
    return put(table, key, value)


def _are_texts(values: list[Value]) -> TypeGuard[list[str]]:
    return all(isinstance(value, str) for value in values)


def _values(payload: bytes | None, number: int) -> list[Value] | None:
    try:
        values = record(payload or b"")
    except ValueError:
        return None
    return values if len(values) == number else None


class RowReader:
    """Makes events of rows, with SQLite's own reader of JSONB. For one thread; to be closed."""

    def __init__(self) -> None:
        self._engine = apsw.Connection(":memory:")

    def event(self, values: list[Value]) -> StoredEvent:
        """Return the event of a row's columns.

        Raises:
            ValueError: something in it cannot be that of an event; says what.
        """
        for place in _TIMES:
            if not FIRST_US <= int(values[place] or 0) <= LAST_US:
                raise ValueError(f"{NAMES[place]} is no time")
        for place in (ALERT, ARCHIVED):
            if values[place] not in (0, 1):
                raise ValueError(f"{NAMES[place]} is neither true nor false")
        row: list[Any] = list(values)
        for place in _JSON_PLACES:
            row[place] = self._json(values[place])
        try:
            decode_json(row[_DATA])
            event = to_event(tuple(row[place] for place in _AS_READ))
        except msgspec.MsgspecError as error:
            raise ValueError(f"its JSON cannot be read: {error}") from error
        if event is None:
            raise ValueError("its checksum is another one")
        members: tuple[Any, Any] = (event.source, event.extra)  # of JSON, which may be anything
        if not isinstance(members[0], dict) or not isinstance(members[1], (dict, _NOTHING)):
            raise ValueError("source or extra is no object")  # noqa: TRY004 - of data, not of a caller
        return event

    def _json(self, value: Value) -> Any:
        try:
            is_valid, text = next(self._engine.execute(_JSON, (value,)))
        except (apsw.Error, UnicodeDecodeError) as error:
            raise ValueError(f"its JSON cannot be read: {error}") from error
        if not is_valid:
            raise ValueError("its JSON is damaged")
        return text

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._engine.close()
