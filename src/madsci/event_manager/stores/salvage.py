"""The contract of saving what can be read of a damaged store into a new one."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any, Final, Protocol

from madsci.event_manager.stores.upkeep import Progress

SHOWN: Final = 20
"""Troubles that are kept for showing; all of them stand in the list."""


class TroubleKind(Enum):
    """What became of an event, or of a place in the store."""

    DAMAGED = "damaged"
    """The event is there, and is not what was written. It was not saved."""
    MISSING = "missing"
    """An index tells of the event, and it is nowhere. It was not saved."""
    UNSURE = "unsure"
    """The event was saved, and something about it is not sure."""
    UNREADABLE = "unreadable"
    """A place that cannot be read. What stood there was saved from elsewhere, or is missing."""


@dataclass(frozen=True)
class Trouble:
    """An event, or a place, with which not all is well."""

    kind: TroubleKind
    reason: str
    seq: int | None = None
    """The event's number in the order of commits."""
    event_id: str | None = None
    place: str | None = None
    content: dict[str, Any] | None = None
    """What can be read of a damaged event."""
    first: int | None = None
    last: int | None = None
    """Of a place: the numbers of the first and last events that may have been there, if known."""

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON values; what is not known is left out."""
        named = {"kind": self.kind.value, "seq": self.seq, "event_id": self.event_id}
        between = {"first_seq": self.first, "last_seq": self.last}
        rest = {"place": self.place, "reason": self.reason, "content": self.content}
        found = {**named, **between, **rest}
        return {name: value for name, value in found.items() if value is not None}


@dataclass
class Salvaged:
    """What was saved, and what was not."""

    source: str
    target: str
    events: int = 0
    counts: dict[TroubleKind, int] = field(default_factory=lambda: dict.fromkeys(TroubleKind, 0))
    shown: list[Trouble] = field(default_factory=list)
    """The first of the troubles of each kind."""
    list_path: Path | None = None
    """A file with all of them, a JSON object a line, where there are any."""
    kept: Path | None = None
    """What the damaged file is called now, where the new one took its place."""

    @property
    def lost(self) -> int:
        """Events that are known to have been there and were not saved."""
        return self.counts[TroubleKind.DAMAGED] + self.counts[TroubleKind.MISSING]


class Salvage(Protocol):
    """Saves what can be read of one damaged store. Reads it without trusting anything in it."""

    location: str
    """Where the store is, for people."""

    def save(self, target: Path, progress: Progress) -> Salvaged:
        """Write all events that can be read into a new store; the damaged one is not changed.

        The target has its name once it is whole and on disk.

        Raises:
            StoreError: there is nothing to be saved, or the target exists.
            StoreInUseError: a server has the store open.
            StoreUnavailableError: the store cannot be opened, or the target cannot be written.
        """
        ...

    def save_in_place(self, progress: Progress) -> Salvaged:
        """Do the same and put the new store in the place of the damaged one, which stays beside it."""
        ...
