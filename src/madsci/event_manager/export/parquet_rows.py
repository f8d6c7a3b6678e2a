"""Events as Parquet: typed columns, for data frames and databases.

Times are timestamps in microseconds, UTC. A column that events bring is of the type that holds every
value seen there: whole numbers, reals, booleans; otherwise text, which shows numbers and booleans as
JSON does. A value that does not fit, because the selection changed after the columns were found, is
null there and stands in the column ``other``.

pyarrow is an extra, and imported with the first export: it is larger than the rest of the server.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any, Final

from madsci.common.errors import FormatUnavailableError
from madsci.common.types.members import SCALARS
from madsci.event_manager.export.columns import OTHER, Kind, find_columns, kind_of_cell
from madsci.event_manager.export.flat_rows import Row, row_maker
from madsci.event_manager.export.pages import Pages, each_event
from madsci.event_manager.export.projection import Fields
from madsci.event_manager.model.stored_event import encode_json

ROWS: Final = 10_000
"""Rows of one group, which is held in memory until it is full."""
CELLS: Final = 4_000_000
"""Cells of one group: with many columns, its rows are fewer."""
TEXT: Final = 16_000_000
"""Characters of text at which a group is full, whatever its rows."""

_TIME: Final = "timestamp"
_TYPES: Final = {"text": "string", "integer": "int64", "boolean": "bool", "instant": _TIME}
_STANDARD_TYPES: Final = {member.name: _TYPES[member.kind] for member in SCALARS}
_HELD: Final[dict[str, frozenset[Kind]]] = {
    "bool": frozenset({"boolean"}),
    "int64": frozenset({"integer", "long"}),
    "double": frozenset({"integer", "real"}),
    _TIME: frozenset({"integer", "long"}),
}
"""What the types hold without loss. Text holds everything."""


def parquet_rows(pages: Pages, fields: Fields | None = None) -> Iterator[bytes]:
    """Return the pieces of a Parquet file, one for each group of rows.

    The columns are those of ``columns``, and the selection is gone through twice.

    Raises:
        FormatUnavailableError: pyarrow is not installed. Raised at once, not with the first piece.
    """
    arrow, parquet = _pyarrow()
    return _pieces(arrow, parquet.ParquetWriter, pages, fields)


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow as pa  # noqa: PLC0415 - see the module's docstring
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError as error:
        raise FormatUnavailableError(
            "This server cannot write Parquet, because pyarrow is not installed. Install it with"
            " pip install 'madsci.event_manager[parquet]', or ask for csv or ndjson."
        ) from error
    return pa, parquet


def _pieces(arrow: Any, writer_of: Any, pages: Pages, fields: Fields | None) -> Iterator[bytes]:
    found = find_columns(pages, fields)
    columns = {name: _Column(_type_of(name, kinds)) for name, kinds in found.items()}
    columns[OTHER] = _Column("string")
    group = _RowGroup(arrow, columns)
    row_of = row_maker(fields)
    sink = _Sink()
    with writer_of(sink, group.schema, compression="zstd") as writer:
        for event in each_event(pages):
            group.add(row_of(event))
            if group.is_full:
                writer.write_table(group.take())
                yield sink.take()
        if group.rows:
            writer.write_table(group.take())
    yield sink.take()


def _type_of(name: str, kinds: set[Kind]) -> str:
    if name in _STANDARD_TYPES:
        return _STANDARD_TYPES[name]
    fitting = [one for one in ("bool", "int64", "double") if kinds <= _HELD[one]]
    return fitting[0] if fitting and kinds else "string"


class _Sink(io.RawIOBase):
    """The file that pyarrow writes to; what was written is taken away after each group."""

    def __init__(self) -> None:
        self._waiting: list[bytes] = []
        self._written = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        piece = bytes(data)
        self._waiting.append(piece)
        self._written += len(piece)
        return len(piece)

    def tell(self) -> int:
        return self._written

    def take(self) -> bytes:
        """Return what was written since the last call."""
        waiting, self._waiting = self._waiting, []
        return b"".join(waiting)


class _Column:
    """The cells of one column in the group that is being filled. The last ones may be left out."""

    __slots__ = ("cells", "held", "type_name")

    def __init__(self, type_name: str) -> None:
        self.type_name = type_name
        self.held = _HELD.get(type_name)
        self.cells: list[Any] = []

    def put(self, place: int, value: Any) -> bool:
        """Put a value that is not null into a row; return whether the column can hold it."""
        if self.held is None:
            value = value if isinstance(value, str) else encode_json(value)
        elif kind_of_cell(value) not in self.held:
            return False
        if len(self.cells) < place:
            self.cells.extend([None] * (place - len(self.cells)))
        self.cells.append(value)
        return True


class _RowGroup:
    """Rows by columns, until there are enough of them to be written."""

    def __init__(self, arrow: Any, columns: dict[str, _Column]) -> None:
        self._arrow = arrow
        self._columns = columns
        self._most_rows = min(ROWS, CELLS // len(columns))
        self._text = 0
        self.rows = 0
        self.schema = arrow.schema(
            [(name, self._arrow_type(column.type_name)) for name, column in columns.items()]
        )

    def _arrow_type(self, name: str) -> Any:
        if name == _TIME:
            return self._arrow.timestamp("us", tz="UTC")
        return self._arrow.type_for_alias(name)

    @property
    def is_full(self) -> bool:
        return self.rows >= self._most_rows or self._text >= TEXT

    def add(self, row: Row) -> None:
        other: Row = {}
        for name, value in row.items():
            if value is None:
                continue
            column = self._columns.get(name)
            if column is None or not column.put(self.rows, value):
                other[name] = value
            if isinstance(value, str):
                self._text += len(value)
        if other:
            self._columns[OTHER].put(self.rows, encode_json(other))
        self.rows += 1

    def take(self) -> Any:
        """Return the group as a table of pyarrow, and begin the next one."""
        arrays = [
            self._array(column, kind)
            for column, kind in zip(self._columns.values(), self.schema.types, strict=True)
        ]
        self.rows = self._text = 0
        return self._arrow.Table.from_arrays(arrays, schema=self.schema)

    def _array(self, column: _Column, arrow_type: Any) -> Any:
        cells, column.cells = column.cells, []
        if not cells:
            return self._arrow.nulls(self.rows, arrow_type)
        cells.extend([None] * (self.rows - len(cells)))
        return self._arrow.array(cells, arrow_type)
