"""In which form the life of a lab is kept: what was kept in another one is concluded anew."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from madsci.event_manager.analytics.shelves import FORM, MARKS, PROGRESS, RUNS, STATES
from madsci.event_manager.feed.follower import Kept
from madsci.event_manager.model.tables import Change, delete, put

_OURS: Final = '"columns"'
"""Marks are kept as columns. Another word belongs here whenever a document means something else."""
_AT_ONCE: Final = 200
"""Documents that are removed in one step: each has to be read for its key."""


def is_ours(kept: Kept) -> bool:
    """Tell whether what is kept has the form of now, as far as anything is."""
    form = kept.read(STATES, FORM)
    return form == _OURS or (form is None and kept.read(STATES, PROGRESS) is None)


def noted(kept: Kept) -> Iterator[Change]:
    """Yield the change that notes the form, where it is not noted."""
    if kept.read(STATES, FORM) is None:
        yield put(STATES, FORM, _OURS)


def removals(kept: Kept) -> list[Change]:
    """Return what removes some of all that is kept; the last of it is how far it is."""
    found: list[Change] = []
    for table in (MARKS, RUNS, STATES):
        documents = kept.scan(table, "", None, _AT_ONCE - len(found)) if len(found) < _AT_ONCE else []
        found += [delete(table, key) for key, _ in documents if (table, key) != (STATES, PROGRESS)]
    return found or [delete(STATES, PROGRESS)]
