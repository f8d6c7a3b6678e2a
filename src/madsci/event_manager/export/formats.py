"""The formats by name, and the one call that exports a selection in any of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from madsci.common.errors import InvalidInputError
from madsci.event_manager.export.chunks import chunked
from madsci.event_manager.export.csv_rows import csv_rows
from madsci.event_manager.export.json_lines import json_lines
from madsci.event_manager.export.pages import Pages
from madsci.event_manager.export.parquet_rows import parquet_rows
from madsci.event_manager.export.projection import Fields


@dataclass(frozen=True)
class Format:
    """How a format is called outside: its media type, and how names of its files end."""

    media_type: str
    suffix: str
    write: Callable[[Pages, Fields | None], Iterator[bytes]]


FORMATS: Final = {
    "ndjson": Format("application/x-ndjson", ".ndjson", json_lines),
    "csv": Format("text/csv; charset=utf-8", ".csv", csv_rows),
    "parquet": Format("application/vnd.apache.parquet", ".parquet", parquet_rows),
}


def format_named(name: str) -> Format:
    """Return the format of a name.

    Raises:
        InvalidInputError: there is no such format.
    """
    found = FORMATS.get(name)
    if found is None:
        problem = f"There is no export format {name!r:.40}. Use one of {', '.join(FORMATS)}."
        raise InvalidInputError(problem, [{"loc": ["format"], "msg": problem}])
    return found


def export(name: str, pages: Pages, fields: Fields | None = None) -> Iterator[bytes]:
    """Return the selection in a format, in chunks of up to 1 MB; memory does not grow with the events.

    What makes the export impossible is raised here, before the first chunk. CSV and Parquet go through
    the selection twice, first for its columns; CSV with chosen fields only once.

    Raises:
        InvalidInputError: there is no such format.
        FormatUnavailableError: the format needs a library that is not installed.
    """
    return chunked(format_named(name).write(pages, fields))
