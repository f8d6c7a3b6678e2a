"""The contract of looking after a database that may or may not be served meanwhile.

A store answers the questions of a server. Its upkeep is what operators do with the database as a whole:
which version it has, bringing it up to date, copying it out and back in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import tzinfo
from enum import Enum
from pathlib import Path
from typing import Any, Final, Protocol

Progress = Callable[[str, int, int | None], None]
"""Is told what is done (in a word or two), how much of it, and of how much, where that is known.

It is called where nothing that was asked of a database is still under way, and what it raises ends the
work.
"""


class DatabaseState(Enum):
    """What a database is to this program."""

    FRESH = "fresh"
    """There is nothing in it."""
    UNTRACKED = "untracked"
    """There are events, and no record of which version wrote them."""
    TRACKED = "tracked"
    """It says which version it has."""


@dataclass(frozen=True)
class DatabaseVersion:
    """The state of a database, and the version that it has where it says so."""

    state: DatabaseState
    version: str | None = None
    has_older: bool = False
    """Whether an earlier release has written into it since it has this version."""


def is_newer(version: str, other: str) -> bool:
    """Tell whether a version, numbers with dots between, is newer than another one."""
    return _numbers(version) > _numbers(other)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))


ONE_MOMENT: Final = "as it was at one moment"


@dataclass(frozen=True)
class Dumped:
    """What a dump holds: everything that was acknowledged before it began, as it was."""

    collections: int
    events: int
    consistency: str = ONE_MOMENT
    """What is in it of what was written meanwhile, for people."""
    damaged: int = 0
    """Further events in it that are known not to be what was written; ``events`` are the others."""


NAMED: Final = 1_000
"""Damaged events that an inspection names; with more of them, the whole is to be recovered."""


@dataclass(frozen=True)
class Inspection:
    """What reading all of a database found."""

    events: int
    """Events that are whole."""
    damaged: list[str]
    """The names of damaged events and what is the matter with each, at most ``NAMED`` of them."""
    number_damaged: int
    faults: list[str]
    """What is wrong with the database around the events."""
    is_listed: bool = False
    """Whether the damaged events were listed in the database, so that servers pass over them."""

    @property
    def is_well(self) -> bool:
        """Whether nothing is wrong."""
        return not self.number_damaged and not self.faults


@dataclass(frozen=True)
class Step:
    """A step of bringing a database up to date. Running it again does what is left to do."""

    name: str
    description: str
    pending: Callable[[Progress], int]
    """Returns how much the step would change; changes nothing."""
    run: Callable[[Progress], int]
    """Does it, and returns how much was changed."""
    unreadable: Callable[[], int] = lambda: 0
    """Returns how much of what was counted or changed last cannot be read as events."""


class Upkeep(Protocol):
    """Looks after one database. Opening it makes nothing, changes nothing and locks nothing.

    Calls block, and are made by one thread at a time. Every one may raise ``StoreUnavailableError`` or
    ``StoreError``.
    """

    engine: str
    """``sqlite`` or ``mongodb``."""

    name: str
    """The database's name, after which its backups are named: ``madsci_events``, or the file's stem."""

    location: str
    """Where the database is, for people. Never holds a password."""

    keeps_replaced: bool
    """Whether ``restore`` leaves what it replaces somewhere."""

    replaced: str | None
    """What the last ``restore`` replaced is called now, if it is still there."""

    def is_there(self) -> bool:
        """Tell whether there is a place for events, if only an empty one; opening a store makes it."""
        ...

    def number_of_events(self) -> int | None:
        """Return how many events there are; ``None`` where nothing is there.

        Raises:
            StoreDamagedError: they cannot be counted.
        """
        ...

    def inspect(self, progress: Progress) -> Inspection:
        """Read the whole database, each event of it; servers may be at work.

        Where none is, damaged events are listed in the database, if it has such a list. Nothing else is
        changed.

        Raises:
            SchemaVersionError: it is to be brought up to date before.
        """
        ...

    def version(self) -> DatabaseVersion:
        """Return what the database says about itself.

        Raises:
            StoreError: it cannot be read; that is never taken for a fresh one.
        """
        ...

    def expected_version(self) -> str:
        """Return the version that this program works with."""
        ...

    def exclusive(self) -> AbstractContextManager[None]:
        """Keep servers and others who look after the database out of it for the block.

        Inside the block it may be asked for again.

        Raises:
            StoreInUseError: one of them is in it.
        """
        ...

    def size(self) -> int:
        """Return about how many bytes a dump takes."""
        ...

    def dump(self, folder: Path, progress: Progress) -> Dumped:
        """Write the database into files of a new folder, while it may be written to.

        BSON files with metadata as ``mongodump`` writes them, or one SQLite file.
        """
        ...

    def check(self, folder: Path, progress: Progress) -> int:
        """Read a dump to its end; return how many events it holds, damaged ones left out.

        Raises:
            StoreDamagedError: something in it cannot be read.
        """
        ...

    def restore(self, folder: Path, progress: Progress) -> int:
        """Put what a dump holds in the place of the database; return how many events that are.

        It is loaded beside the database, checked, and swapped in whole: whatever fails or is killed,
        the database is afterwards either the old or the new one. To be called inside ``exclusive``.

        Raises:
            StoreDamagedError: the folder holds no dump that can be loaded.
        """
        ...

    def steps(self, naive_zone: tzinfo | None) -> Sequence[Step]:
        """Return the steps from an older version to this one, in their order.

        ``naive_zone`` is the zone of times without an offset, by default that of this machine.
        """
        ...

    def begin(self, backup: str) -> None:
        """Say in the database that the steps begin, and where the backup of before is.

        It is said until ``record_version``, or until a backup is restored.
        """
        ...

    def begun(self) -> str | None:
        """Return the backup of steps that began and did not end, where steps can be half done."""
        ...

    def record_version(self, note: str) -> None:
        """Say in the database that it has the expected version from now on."""
        ...

    def differences(self) -> dict[str, Any]:
        """Return how the database differs from what it should look like, as JSON; empty where not."""
        ...

    def close(self) -> None:
        """Release connections; closing again does nothing."""
        ...
