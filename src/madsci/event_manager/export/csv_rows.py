"""Events as CSV: RFC 4180, UTF-8, a header first, commas, lines that end with CR LF.

Booleans are ``true`` and ``false``; null, missing and the empty text are empty cells; times are texts
as the REST API shows them.

Spreadsheets run texts that begin like a formula. So a text that begins with one of ``= + - @``, also
full-width, or with a tab or line break, be it behind blanks, gets an apostrophe in front. A text that
begins so behind apostrophes of its own gets one more, and no other text gets any: who takes one
apostrophe away from each cell that begins with one and that ``FORMULA`` matches has what was stored.
Numbers stay as they are.
"""

from __future__ import annotations

import csv
import io
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from madsci.common.clock import iso
from madsci.common.types.members import INSTANTS
from madsci.event_manager.export.columns import OTHER, find_columns
from madsci.event_manager.export.flat_rows import Row, known_columns, row_maker
from madsci.event_manager.export.pages import Pages, each_event
from madsci.event_manager.export.projection import Fields
from madsci.event_manager.model.stored_event import encode_json

FORMULA: Final = re.compile(r"'*[\s\x00\u200b\ufeff]*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
"""Texts that a spreadsheet may run, also behind apostrophes. To be matched at the beginning."""

# Python 3.10 takes a NUL for its missing escape character and refuses it. There, half a character: what
# is kept can be written as UTF-8, so no text has one.
_ESCAPE: Final = None if sys.version_info >= (3, 11) else "\udfff"


def csv_rows(pages: Pages, fields: Fields | None = None) -> Iterator[bytes]:
    """Yield the header, then a line for each event.

    Chosen fields are exactly the columns, behind ``event_id``, and the selection is gone through once.
    Otherwise the columns are those of ``columns``, and it is gone through twice.
    """
    if fields is not None and not fields.excluding:
        names: Sequence[str] = known_columns(fields)
    else:
        names = [*find_columns(pages, fields), OTHER]
    writer = csv.writer(_Echo(), lineterminator="\r\n", escapechar=_ESCAPE)
    yield _line(writer, [safe_text(name) for name in names])
    places = {name: place for place, name in enumerate(names)}
    row_of = row_maker(fields)
    for event in each_event(pages):
        yield _line(writer, _cells(row_of(event), places))


class _Echo:
    """A file that keeps nothing: ``writerow`` returns what its file's ``write`` does."""

    def write(self, text: str) -> str:
        return text


def _line(writer: Any, cells: list[Any]) -> bytes:
    text: str = writer.writerow(cells)
    return text.encode()


def _cells(row: Row, places: dict[str, int]) -> list[Any]:
    cells: list[Any] = [None] * len(places)
    other: Row = {}
    for name, value in row.items():
        place = places.get(name)
        if place is None:
            other[name] = value
        elif isinstance(value, str):
            cells[place] = safe_text(value)
        elif isinstance(value, bool):
            cells[place] = "true" if value else "false"
        elif name in INSTANTS and value is not None:
            cells[place] = iso(value)
        else:
            cells[place] = value
    if other:
        cells[places[OTHER]] = encode_json(other)
    return cells


def safe_text(text: str) -> str:
    """Return the text as a cell that no spreadsheet runs."""
    # Most texts begin with a letter or a digit, which is told faster.
    return f"'{text}" if text and not text[0].isalnum() and FORMULA.match(text) else text


def safe_cell(value: object) -> object:
    """Return a value, a text as ``safe_text`` does."""
    return safe_text(value) if isinstance(value, str) else value


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Return rows as CSV. Texts stay as they are: what is not ours goes through ``safe_cell`` first."""
    into = io.StringIO(newline="")
    csv.writer(into, lineterminator="\r\n", escapechar=_ESCAPE).writerows(rows)
    return into.getvalue()
