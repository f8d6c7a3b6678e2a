"""In which form the life of a lab is kept: what was kept in another one is concluded anew."""

from __future__ import annotations

from typing import Final

from madsci.event_manager.analytics.shelves import FORM, MARKS, PROGRESS, RUNS, STATES
from madsci.event_manager.feed.follower import Kept
from madsci.event_manager.model.tables import Change, delete, put

_OURS: Final = '"columns, instants, pauses"'
"""Marks are kept as columns, states with their instants, runs with whether a pause was ended. Another
word belongs here whenever a document means something else."""
_AT_ONCE: Final = 200
"""Documents that are removed in one step: each has to be read for its key."""


def noted(kept: Kept) -> list[Change] | None:
    """Return the change that notes the form of now, if need be; ``None`` where another one is kept."""
    form = kept.read(STATES, FORM)
    if form == _OURS:
        return []
    if form is None and kept.read(STATES, PROGRESS) is None:  # nothing is kept yet
        return [put(STATES, FORM, _OURS)]
    return None


def removals(kept: Kept) -> list[Change]:
    """Return what removes some of all that is kept; the last of it is how far it is."""
    found: list[Change] = []
    for table in (MARKS, RUNS, STATES):
        documents = kept.scan(table, "", None, _AT_ONCE - len(found)) if len(found) < _AT_ONCE else []
        found += [delete(table, key) for key, _ in documents if (table, key) != (STATES, PROGRESS)]
    return found or [delete(STATES, PROGRESS)]
