"""What follows the feed and keeps what it concludes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from madsci.event_manager.model.feed import Entry
from madsci.event_manager.model.tables import Change


class Kept(Protocol):
    """What followers have kept; see ``Tables``."""

    def read(self, table: str, key: str) -> str | None:
        """Return a document as JSON text, or ``None``."""
        ...

    def scan(
        self, table: str, prefix: str = "", after: str | None = None, limit: int = 1_000
    ) -> list[tuple[str, str]]:
        """Return documents with keys, in the order of the keys."""
        ...


@dataclass(frozen=True)
class Conclusion:
    """What is to be kept, and when to ask again."""

    changes: Sequence[Change] = ()
    wake_at: int | None = None
    """When to be asked though no entry came, in microseconds since 1970."""
    has_more: bool = False
    """Whether to be asked again at once: there is more to do than a step does."""
    begins_anew: bool = False
    """Whether to go back to the start of the feed: what was concluded is of no use any more."""


class Follower(Protocol):
    """Concludes something from the feed, and keeps nothing itself.

    The same entries and the same documents give the same changes, so that it can be replayed. Called by
    one thread at a time, on one of the servers that share a store.
    """

    @property
    def name(self) -> str:
        """Tells its position from those of others, for as long as the store lives."""
        ...

    def conclude(self, entries: Sequence[Entry], kept: Kept, now: int) -> Conclusion:
        """Return what follows from the next entries; from none, when it was to be asked at this time.

        The changes and the new position are kept together. What it raises holds it up at the first
        entry that it raises for, until it does not or somebody has it skip that one.
        """
        ...
