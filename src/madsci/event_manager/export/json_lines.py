"""Events as JSON lines: one event a line, as the REST API shows it, or the chosen members of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from madsci.event_manager.export.pages import Pages, each_event
from madsci.event_manager.export.projection import Fields, encode_projected
from madsci.event_manager.model.stored_event import encode_event


def json_lines(pages: Pages, fields: Fields | None = None) -> Iterator[bytes]:
    """Yield a line for each event, with its line feed."""
    for event in each_event(pages):
        yield (encode_event(event) if fields is None else encode_projected(event, fields)) + b"\n"


def lines_of_json(pages: Iterable[Sequence[bytes]]) -> Iterator[bytes]:
    """Yield the same lines, those of a page at once, of pages of events that are JSON already."""
    for page in pages:
        if page:
            yield b"\n".join(page) + b"\n"
