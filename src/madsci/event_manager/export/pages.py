"""The selection that is exported, a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from madsci.event_manager.model.stored_event import StoredEvent

Pages = Callable[[], Iterable[Sequence[StoredEvent]]]
"""Begins to go through the selection, anew at each call. The selection may change between two calls."""


def each_event(pages: Pages) -> Iterator[StoredEvent]:
    """Go through the selection once, an event at a time, in its order."""
    for page in pages():
        yield from page
