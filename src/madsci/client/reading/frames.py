"""Events as a data frame of pandas or Polars: one row an event, one column a path."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from madsci.client.reading.argument_types import Fields
from madsci.common.clock import from_us, parse_instant
from madsci.common.flattening import STANDARD_COLUMNS, column_name, column_path, flatten, split_names
from madsci.common.stderr import warn_locally
from madsci.common.types.members import SCALARS

LIBRARIES: Final = ("pandas", "polars")
_KINDS: Final = {member.name: member.kind for member in SCALARS if member.kind != "text"}
"""What standard columns hold, also where no event says so; the others hold text."""
_NOT_FINITE: Final = frozenset({"NaN", "Infinity", "-Infinity"})
"""Numbers that JSON does not have: events keep them as these texts."""
_INT64: Final = range(-(2**63), 2**63)
_PANDAS_TYPES: Final = {
    "instant": "datetime64[us, UTC]",
    "integer": "int64",
    "boolean": "bool",
    "real": "float64",
}
_PANDAS_TYPES_WITH_GAPS: Final = {**_PANDAS_TYPES, "integer": "Int64", "boolean": "boolean"}


def frame_library(name: str | None) -> Any:
    """Return the module of a data frame library: the named one, or the first that is installed.

    Raises:
        ValueError: frames of the named library are not made here.
        ImportError: it is not installed, or none is.
    """
    if name is not None and name not in LIBRARIES:
        raise ValueError(f"There are no frames of {name!r} here. Give one of {', '.join(LIBRARIES)}.")
    for candidate in LIBRARIES if name is None else (name,):
        try:
            return importlib.import_module(candidate)
        except ModuleNotFoundError as error:
            if error.name != candidate:  # it is there, but not all that it needs
                raise
    wanted = name or LIBRARIES[0]
    raise ImportError(
        f"A data frame needs {name or ' or '.join(LIBRARIES)}, which is not installed."
        f" Run: pip install {wanted}",
        name=wanted,
    )


def make_frame(library: Any, documents: Iterable[Mapping[str, Any]], fields: Fields | None) -> Any:
    """Return a frame with a row for each event document, in their order.

    ``fields`` are the columns wanted, in their order; one that holds an object stands for all columns
    below it. Without them, or if they say what is not wanted, there are the standard columns, even of
    no events, then all others as they first appear.
    """
    rows = [flatten(document) for document in documents]
    wanted, unwanted = _choice(fields)
    present = {} if wanted else dict.fromkeys(STANDARD_COLUMNS)
    for row in rows:
        present.update(dict.fromkeys(row))
    names = _chosen(list(present), wanted) if wanted else [n for n in present if n not in unwanted]
    columns = {name: _column(name, [row.get(name) for row in rows]) for name in names}
    make_series = _pandas_series if library.__name__ == "pandas" else _polars_series
    series = {name: make_series(library, kind, cells) for name, (kind, cells) in columns.items()}
    return library.DataFrame(series)


def _choice(fields: Fields | None) -> tuple[list[str], list[str]]:
    """Return the columns wanted, none of them for all, and those not wanted. The id always stays."""
    names = split_names(fields) if isinstance(fields, str) else list(fields or [])
    # As columns are named, however the path was written.
    columns = {name: column_name(column_path(name)) for name in names}
    if not isinstance(fields, Mapping):
        return list(columns.values()), []
    wanted = [columns[name] for name, is_wanted in fields.items() if is_wanted]
    unwanted = [name for name in columns.values() if name not in {"_id", "event_id"}]
    return wanted, [] if wanted else unwanted


def _chosen(present: list[str], fields: list[str]) -> list[str]:
    chosen: dict[str, None] = {}
    for field in fields:
        name = "event_id" if field == "_id" else field
        below = [column for column in present if column.startswith((f"{name}.", f"{name}["))]
        # No event has it: the column is there all the same, for those who go on with it.
        chosen.update(dict.fromkeys(below if below and name not in present else [name, *below]))
    return list(chosen)


def _column(name: str, cells: list[Any]) -> tuple[str, list[Any]]:
    """Return the kind of a column, one for all cells, and the cells as that kind has them."""
    kind = _kind_of(name, cells)
    if kind == "instant":
        return kind, [_moment(cell) for cell in cells]
    if kind == "real":
        return kind, [None if cell is None else float(cell) for cell in cells]
    return kind, cells


def _moment(cell: Any) -> datetime | None:
    try:
        return None if cell is None else from_us(parse_instant(cell))
    except ValueError as error:  # of an older server; it spoils no other cell
        warn_locally(f"A time of an event is left out of the frame: {error}")
        return None


def _kind_of(name: str, cells: list[Any]) -> str:
    types = {type(cell) for cell in cells if cell is not None}
    if _KINDS.get(name) == "instant" or not types:
        return _KINDS.get(name, "text")
    if types == {bool}:
        return "boolean"
    if types == {str}:
        return "text"
    if types == {int}:
        return "integer" if all(cell is None or cell in _INT64 for cell in cells) else "mixed"
    if types <= {int, float, str} and all(_is_real(cell) for cell in cells):
        return "real"
    return "mixed"


def _is_real(cell: Any) -> bool:
    if isinstance(cell, int):
        return abs(cell) <= 2**53  # beyond, a float would be another number
    return cell is None or isinstance(cell, float) or cell in _NOT_FINITE


def _pandas_series(pandas: Any, kind: str, cells: list[Any]) -> Any:
    types = _PANDAS_TYPES_WITH_GAPS if None in cells else _PANDAS_TYPES
    if kind == "mixed":
        return pandas.Series(cells, dtype="object")
    return pandas.Series(cells, dtype=types.get(kind, None if cells else "object"))


def _polars_series(polars: Any, kind: str, cells: list[Any]) -> Any:
    types = {
        "instant": polars.Datetime("us", "UTC"),
        "integer": polars.Int64,
        "boolean": polars.Boolean,
        "real": polars.Float64,
    }
    if kind == "mixed":  # a column has one type: text holds them all
        cells = [_text_of(cell) for cell in cells]
    return polars.Series(cells, dtype=types.get(kind, polars.String))


def _text_of(cell: Any) -> str | None:
    if cell is None or isinstance(cell, str):
        return cell
    return json.dumps(cell, ensure_ascii=False)
